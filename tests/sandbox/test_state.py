"""What a sandbox remembers: whole units of work, in memory and over restarts."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.domain.accounts import OPENING
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.state.store import Store

from .conftest import order


def transaction(number: str, total: int = 1, **more: object) -> Transaction:
    return attrs.evolve(Transaction("1900000109", number, "1900000109", "NATIVE", total, 0.0), **more)


class TestUnits:
    def test_a_unit_that_fails_leaves_nothing_behind(self) -> None:
        state = State()
        told: list[Event] = []
        state.listen(told.append)
        with state.unit():
            state.transactions.put(transaction("a", token="t1"))

        def fail() -> None:
            with state.unit():
                state.transactions.put(transaction("a", 2, token="t2"))
                state.transactions.put(transaction("b", token="t3"))
                state.book("1900000109", "交易", 5, "x")
                state.emit(Event("1900000109", "TRANSACTION.SUCCESS", "transaction", {}, "http://127.0.0.1/"))
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert [(one.out_trade_no, one.total) for one in state.transactions.all()] == [("a", 1)]
        assert state.transactions.find("token", "t1") is not None
        assert state.transactions.find("token", "t2") is None
        assert state.account("1900000109").balance == OPENING
        assert told == []

    def test_a_unit_that_cannot_be_written_is_undone_in_memory_too(self, tmp_path: Path) -> None:
        state = State(tmp_path / "state.sqlite")
        with state.unit():
            state.transactions.put(transaction("a"))

        def put() -> None:
            with state.unit():
                state.transactions.put(transaction("a", 2))
                # What JSON cannot say.
                state.transactions.put(transaction("b", contents={"x": object()}))

        with pytest.raises(TypeError):
            put()
        assert [(one.out_trade_no, one.total) for one in state.transactions.all()] == [("a", 1)]
        state.close()
        again = State(tmp_path / "state.sqlite")
        assert [(one.out_trade_no, one.total) for one in again.transactions.all()] == [("a", 1)]
        again.close()

    def test_a_refusal_may_keep_what_was_done(self) -> None:
        state = State()

        def refuse() -> None:
            with state.unit():
                state.transactions.put(transaction("a"))
                raise Refusal(403, "NOT_ENOUGH", "余额不足", keeps=True)

        with pytest.raises(Refusal):
            refuse()
        assert len(state.transactions) == 1

    def test_events_are_told_of_after_the_unit_and_in_order(self) -> None:
        state = State()
        told: list[tuple[str, int]] = []
        state.listen(lambda event: told.append((event.event_type, len(state.transactions))))
        with state.unit():
            for kind in ("first", "second"):
                state.emit(Event("1", kind, "", {}, ""))
            state.transactions.put(transaction("a"))
        assert told == [("first", 1), ("second", 1)]

    @given(
        steps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "t", "u"]), st.booleans()), max_size=20)
    )
    @settings(max_examples=60, deadline=None)
    def test_an_index_is_what_the_records_say(self, steps: list[tuple[str, str, bool]]) -> None:
        store = Store()
        table = store.table("t", Transaction, lambda one: (one.out_trade_no,), token=lambda one: one.token)
        for number, token, kept in steps:
            if token and any(one.token == token and one.out_trade_no != number for one in table.all()):
                continue  # unique
            before = {one.out_trade_no: one for one in table.all()}
            try:
                with store.unit():
                    table.put(transaction(number, token=token))
                    if not kept:
                        raise KeyError
            except KeyError:
                assert {one.out_trade_no: one for one in table.all()} == before
            for one in table.all():
                assert not one.token or table.find("token", one.token) is one
            known = {one.token for one in table.all()}
            assert all(table.find("token", other) is None for other in {"t", "u"} - known)


class TestHomes:
    async def test_business_goes_on_where_it_ended(self, tmp_path: Path) -> None:
        async with Sandbox(home=tmp_path) as sandbox:
            wxpay = sandbox.client
            for number in ("Kept-1", "Kept-2"):
                await wxpay.v3.pay.transactions.native.post(order(sandbox, number))
            sandbox.control.pay("Kept-1")
            sandbox.control.set_auto_complete(automatic=False)
            await wxpay.v3.refund.domestic.refunds.post(
                out_trade_no="Kept-1", out_refund_no="R1", amount={"refund": 1, "total": 100, "currency": "CNY"}
            )
            sandbox.control.advance_clock(3600)
            kept = {
                what: sandbox.control.list(what) for what in ("transactions", "refunds", "ledger_entries", "pending")
            }
            now = sandbox.state.now
        async with Sandbox(home=tmp_path) as sandbox:
            assert {what: sandbox.control.list(what) for what in kept} == kept
            assert sandbox.state.now >= now, "the clock too"
            assert sandbox.control.run_pending() == 1
            response = await sandbox.client.v3.refund.domestic.refunds["R1"].get()
            assert response.data["status"] == "SUCCESS"
            with pytest.raises(Refusal, match="ORDERPAID"):
                sandbox.control.pay("Kept-1")
            sandbox.control.reset()
        async with Sandbox(home=tmp_path) as sandbox:
            assert sandbox.control.list("transactions") == []

    async def test_a_home_is_served_once_at_a_time(self, tmp_path: Path) -> None:
        async with Sandbox(home=tmp_path):
            with pytest.raises(ConfigurationError, match="another sandbox"):
                await Sandbox(home=tmp_path).start()
        async with Sandbox(home=tmp_path):
            pass

    async def test_a_port_that_is_taken_leaves_nothing_open(self, tmp_path: Path) -> None:
        async with Sandbox() as first:
            port = int(first.url.rpartition(":")[2])
            with pytest.raises(OSError, match="address"):
                await Sandbox(port, home=tmp_path).start()
        # The home is nobody's again. (The port may be somebody else's by now.)
        async with Sandbox(home=tmp_path) as second:
            assert second.url

    def test_records_of_another_version_are_refused(self, tmp_path: Path) -> None:
        import sqlite3

        State(tmp_path / "state.sqlite").close()
        with sqlite3.connect(tmp_path / "state.sqlite") as connection:
            connection.execute("INSERT INTO records VALUES ('transaction', '[]', '{\"colour\": 1}')")
        connection.close()
        with pytest.raises(ConfigurationError, match="another version"):
            State(tmp_path / "state.sqlite")

    def test_a_file_that_is_no_state(self, tmp_path: Path) -> None:
        (tmp_path / "state.sqlite").write_text("no database" * 100)
        with pytest.raises(ConfigurationError, match="cannot be opened"):
            State(tmp_path / "state.sqlite")

    async def test_a_home_whose_files_were_damaged(self, tmp_path: Path) -> None:
        async with Sandbox(home=tmp_path):
            pass
        (tmp_path / "apiclient_key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        with pytest.raises(ConfigurationError, match="delete the folder"):
            await Sandbox(home=tmp_path).start()
