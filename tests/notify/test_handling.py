"""Which handler gets a notification, and what the service is told."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.notify.conftest import PAYMENT, PAYMENT_V2, Sender, Wire, make_sender
from wxpay_dsl import ConfigurationError, MerchantKeys, Notification, Notifications, SpecWarning
from wxpay_dsl.notify import Acknowledgement, Claim, Store
from wxpay_dsl.notify.stores.memory import MemoryStore
from wxpay_dsl.notify.stores.redis import RedisStore
from wxpay_dsl.notify.stores.sqlite import SqliteStore
from wxpay_dsl.wechat.crypto.ciphers import ecb_encrypt
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.v2 import xml

REFUND = {"mchid": "1900000109", "out_refund_no": "1", "refund_status": "SUCCESS"}


@pytest.fixture
def notifications(sender: Sender) -> Notifications:
    return patient(sender.merchant_keys)


def patient(*merchants: MerchantKeys) -> Notifications:
    """Told later is only what a test wants to be told later, however busy the machine is."""
    return Notifications(*merchants, store="memory", ack_timeout=100, lease=1000)


class Seen(list[tuple[str, Notification[Any]]]):
    """What handlers were given, under the name each goes by here."""

    def by(self, name: str) -> Callable[[Notification[Any]], None]:
        return lambda notification: self.append((name, notification))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self]


async def deliver(notifications: Notifications, wire: Wire, merchant: str = "") -> Acknowledgement:
    return await notifications.handle(wire.headers, wire.body, merchant)


class TestRouting:
    async def test_by_type(self, sender: Sender, notifications: Notifications) -> None:
        seen = Seen()
        notifications.on("TRANSACTION.SUCCESS")(seen.by("paid"))
        notifications.on("REFUND.SUCCESS", "REFUND.CLOSED")(seen.by("refunded"))
        for kind in ("REFUND.CLOSED", "TRANSACTION.SUCCESS", "REFUND.SUCCESS"):
            await deliver(notifications, sender.event(kind))
        assert seen.names == ["refunded", "paid", "refunded"]
        assert seen[1][1].resource == PAYMENT

    async def test_by_original_type(self, sender: Sender, notifications: Notifications) -> None:
        seen = Seen()
        notifications.on(original_type="refund")(seen.by("refund"))
        notifications.on("REFUND.SUCCESS")(seen.by("exact"))
        for kind in ("REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED"):
            await deliver(notifications, sender.event(kind, REFUND, "refund"))
        assert seen.names == ["exact", "refund", "refund"]

    async def test_the_default_gets_the_rest(self, sender: Sender, notifications: Notifications) -> None:
        seen = Seen()
        notifications.fallback(seen.by("rest"))
        notifications.on("TRANSACTION.SUCCESS")(seen.by("paid"))
        for kind in ("TRANSACTION.SUCCESS", "COUPON.USE", "v2/transaction-success"):
            fields = PAYMENT_V2 if kind.startswith("v2/") else PAYMENT
            await deliver(notifications, sender.event(kind, fields))
        assert seen.names == ["paid", "rest", "rest"]

    async def test_by_merchant_and_sub_merchant(self, sender: Sender) -> None:
        other = make_sender("1900000110")
        notifications, seen = patient(sender.merchant_keys, other.merchant_keys), Seen()
        notifications.on("TRANSACTION.SUCCESS")(seen.by("everyone's"))
        notifications.on("TRANSACTION.SUCCESS", merchant="1900000110")(seen.by("110's"))
        notifications.on("TRANSACTION.SUCCESS", merchant="1230000109")(seen.by("the sub-merchant's"))
        notifications.fallback(merchant="1900000110")(seen.by("110's rest"))
        await deliver(notifications, sender.event())
        await deliver(notifications, other.event())
        await deliver(notifications, other.event(resource={**PAYMENT, "sub_mchid": "1230000109"}))
        await deliver(notifications, other.event("COUPON.USE"))
        assert seen.names == ["everyone's", "110's", "the sub-merchant's", "110's rest"]
        assert seen[2][1].sub_merchant == "1230000109"

    async def test_without_a_handler_the_service_sends_again(
        self, sender: Sender, notifications: Notifications, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = await deliver(notifications, sender.event("COUPON.USE"))
        assert answer.status == 501
        assert not answer.accepted
        assert "COUPON.USE" in caplog.text

    def test_a_place_has_one_handler(self, notifications: Notifications) -> None:
        notifications.on("TRANSACTION.SUCCESS")(print)
        with pytest.raises(ConfigurationError, match=r"print already handles TRANSACTION\.SUCCESS"):
            notifications.on("REFUND.SUCCESS", "TRANSACTION.SUCCESS")(repr)
        notifications.fallback(print)
        with pytest.raises(ConfigurationError, match="every other"):
            notifications.fallback(repr)

    @pytest.mark.parametrize("arguments", [((), {}), (("TRANSACTION.SUCCESS",), {"original_type": "transaction"})])
    def test_a_handler_is_for_types_or_for_an_original_type(self, arguments: Any, notifications: Notifications) -> None:
        with pytest.raises(ConfigurationError, match="original_type"):
            notifications.on(*arguments[0], **arguments[1])

    def test_a_misspelt_type_is_told_with_the_right_one(self, notifications: Notifications) -> None:
        with pytest.warns(SpecWarning, match=r"'TRANSACTION.SUCCES'; did you mean 'TRANSACTION.SUCCESS'") as caught:
            notifications.on("TRANSACTION.SUCCES")
        assert caught[0].filename == __file__

    @pytest.mark.parametrize(
        "handler", [lambda: None, lambda a, b, c: None, lambda a, *, b: None], ids=["none", "three", "named"]
    )
    def test_a_handler_that_cannot_be_called_is_refused_at_once(
        self, handler: Any, notifications: Notifications
    ) -> None:
        with pytest.raises(ConfigurationError, match="cannot be called"):
            notifications.fallback(handler)


class TestHandlers:
    async def test_a_sync_one_runs_beside_the_loop_with_the_callers_context(
        self, sender: Sender, notifications: Notifications
    ) -> None:
        tenant = contextvars.ContextVar("tenant", default="nobody")
        tenant.set("somebody")
        seen = []

        @notifications.fallback
        def handler(notification: Notification[Any]) -> None:
            seen.append((tenant.get(), threading.current_thread() is threading.main_thread()))

        assert (await deliver(notifications, sender.event())).accepted
        assert seen == [("somebody", False)]

    async def test_an_async_one_runs_in_the_loop(self, sender: Sender, notifications: Notifications) -> None:
        loops = []

        @notifications.fallback
        async def handler(notification: Notification[Any]) -> None:
            loops.append(asyncio.get_running_loop())

        assert (await deliver(notifications, sender.event())).accepted
        assert loops == [asyncio.get_running_loop()]

    async def test_one_that_takes_two_gets_the_claim(self, sender: Sender, notifications: Notifications) -> None:
        claims = []

        @notifications.fallback
        async def handler(notification: Notification[Any], claim: Claim) -> None:
            claims.append((claim, notification.key))

        assert (await deliver(notifications, sender.event())).accepted
        ((claim, key),) = claims
        assert claim.key == key
        assert claim.token not in repr(claim)

    async def test_a_partial_an_object_and_a_coroutine_returned_will_do(self, sender: Sender) -> None:
        seen = []

        async def two(name: str, notification: Notification[Any]) -> None:
            seen.append(name)

        class Handler:
            async def __call__(self, notification: Notification[Any]) -> None:
                seen.append("object")

        for handler in (partial(two, "partial"), Handler(), lambda notification: two("returned", notification)):
            notifications = patient(sender.merchant_keys)
            notifications.fallback(handler)
            assert (await deliver(notifications, sender.event())).accepted
        assert seen == ["partial", "object", "returned"]

    async def test_the_decorated_function_stays_itself(self, notifications: Notifications) -> None:
        def handler(notification: Notification[Any]) -> None: ...

        assert notifications.on("TRANSACTION.SUCCESS")(handler) is handler
        assert notifications.fallback(handler) is handler


class TestAnswers:
    async def test_v3_is_told_yes_with_204(self, sender: Sender, notifications: Notifications) -> None:
        notifications.fallback(lambda notification: None)
        answer = await deliver(notifications, sender.event())
        assert (answer.status, answer.body, answer.headers) == (204, b"", {})

    async def test_v2_is_told_yes_in_xml(self, sender: Sender, notifications: Notifications) -> None:
        notifications.fallback(lambda notification: None)
        answer = await deliver(notifications, sender.event("v2/transaction-success", PAYMENT_V2))
        assert answer.status == 200
        assert xml.loads(answer.body) == {"return_code": "SUCCESS", "return_msg": "OK"}
        assert answer.headers == {"Content-Type": "text/xml; charset=utf-8"}

    async def test_v3_may_be_told_json(self, sender: Sender, notifications: Notifications) -> None:
        """代扣解约挽留 asks for an answer; every delivery gets the same."""
        asked = []

        @notifications.on("ENTRUST.TERMINATE_RETENTION")
        async def handler(notification: Notification[Any]) -> dict[str, Any]:
            asked.append(notification)
            return {"retention": "留下吧"}

        wire = sender.event("ENTRUST.TERMINATE_RETENTION", {"contract_id": "1"}, "entrust")
        for _ in range(2):
            answer = await deliver(notifications, wire)
            assert (answer.status, json.loads(answer.body)) == (200, {"retention": "留下吧"})
        assert len(asked) == 1

    @pytest.mark.parametrize(
        "returned",
        [True, 1, "yes", {"a": object()}, {"a": float("nan")}],
        ids=["true", "one", "text", "object", "nan"],
    )
    async def test_what_is_no_answer_is_left_out_and_the_effect_stays(
        self, returned: Any, sender: Sender, notifications: Notifications, caplog: pytest.LogCaptureFixture
    ) -> None:
        notifications.fallback(lambda notification: returned)
        wire = sender.event()
        for _ in range(2):
            assert (await deliver(notifications, wire)).status == 204
        assert "left out" in caplog.text

    async def test_a_handler_that_raises_makes_the_service_send_again(
        self, sender: Sender, notifications: Notifications, caplog: pytest.LogCaptureFixture
    ) -> None:
        attempts = []

        @notifications.fallback
        def handler(notification: Notification[Any]) -> None:
            attempts.append(notification)
            if len(attempts) < 3:
                raise LookupError("no such order: 密码123")

        v3, v2 = sender.event(), sender.event("v2/transaction-success", PAYMENT_V2)
        answer = await deliver(notifications, v3)
        assert answer.status == 500
        assert json.loads(answer.body) == {"code": "FAIL", "message": "the handler failed"}
        assert "密码123" in answer.reason
        assert "LookupError" in caplog.text
        answer = await deliver(notifications, v2)
        assert answer.status == 500
        assert xml.loads(answer.body)["return_code"] == "FAIL"
        assert (await deliver(notifications, v3)).status == 204
        assert (await deliver(notifications, v2)).status == 200
        assert (await deliver(notifications, v3)).status == 204
        assert len(attempts) == 4

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_after_the_time_limit_the_service_is_told_later_and_then_yes(
        self, is_async: bool, sender: Sender
    ) -> None:
        notifications = Notifications(sender.merchant_keys, ack_timeout=0.3, store="memory")
        may_end, runs = threading.Event(), []

        def slow(notification: Notification[Any]) -> None:
            runs.append(notification)
            may_end.wait(100)

        async def slow_async(notification: Notification[Any]) -> None:
            await asyncio.to_thread(slow, notification)

        notifications.fallback(slow_async if is_async else slow)
        wire = sender.event()
        answer = await deliver(notifications, wire)
        assert answer.status == 503
        assert json.loads(answer.body)["code"] == "FAIL"
        # A duplicate that comes meanwhile is not a yes either, and runs nothing.
        assert (await deliver(notifications, wire)).status == 503
        may_end.set()
        async with asyncio.timeout(100):
            while not (answer := await deliver(notifications, wire)).accepted:  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.01)
        assert answer.status == 204
        assert len(runs) == 1

    @pytest.mark.parametrize(
        ("spoil", "status", "said"),
        [
            (lambda wire: Wire({}, wire.body), 401, "missing"),
            (lambda wire: Wire({**wire.headers, "Wechatpay-Timestamp": "x"}, wire.body), 401, "malformed"),
            (lambda wire: Wire({**wire.headers, "Wechatpay-Timestamp": "1"}, wire.body), 401, "clock"),
            (lambda wire: Wire({**wire.headers, "Wechatpay-Serial": "AB"}, wire.body), 401, "unknown"),
            (lambda wire: Wire(wire.headers, wire.body + b" "), 401, "signature"),
            (lambda wire: Wire(wire.headers, b"x" * (2 << 20)), 413, "large"),
            (lambda wire: Wire(wire.headers, b"<xml>"), 400, "not a notification"),
            (lambda wire: Wire(wire.headers, b"<xml><mch_id>1</mch_id></xml>"), 404, "not served"),
        ],
    )
    async def test_a_refusal_says_why_and_nothing_more(
        self, spoil: Callable[[Wire], Wire], status: int, said: str, sender: Sender, notifications: Notifications
    ) -> None:
        notifications.fallback(lambda notification: pytest.fail("handled what was refused"))
        answer = await deliver(notifications, spoil(sender.event()))
        assert answer.status == status
        assert said in answer.body.decode()
        assert sender.pair.id not in answer.body.decode()
        assert len(answer.body) < 300

    async def test_our_own_mistakes_are_5xx_so_that_the_service_sends_again(self, sender: Sender) -> None:
        certs = {sender.pair.id: sender.pair.private_key.public_key()}
        notifications = patient(MerchantKeys.of("1900000109", platform_keys=certs, apiv3_key="x" * 32))
        notifications.fallback(lambda notification: None)
        assert (await deliver(notifications, sender.event())).status == 500
        assert (await deliver(notifications, sender.event("v2/transaction-success", PAYMENT_V2))).status == 500

    async def test_a_key_that_takes_too_long_is_later(self, sender: Sender) -> None:
        class Slow:
            async def find(self, serial: str) -> PlatformKey | None:
                await asyncio.sleep(60)
                return None

            async def preferred(self) -> PlatformKey:
                raise NotImplementedError

            def key_ids(self) -> list[str]:
                return []

        merchant_keys = MerchantKeys("1900000109", Slow(), sender.merchant.apiv3_key)
        notifications = Notifications(merchant_keys, ack_timeout=0.05, store="memory")
        assert (await deliver(notifications, sender.event())).status == 503

    async def test_an_old_apiv2_notification_is_a_replay(self, sender: Sender, notifications: Notifications) -> None:
        notifications.fallback(lambda notification: None)
        wire = sender.xml({**PAYMENT_V2, "time_end": "20140903131540"})
        answer = await deliver(notifications, wire)
        assert answer.status == 401
        assert "replay" in answer.reason

    async def test_an_undated_apiv2_notification_is_handled_once_however_late_it_comes(
        self, sender: Sender, tmp_path: Path, redis_url: str
    ) -> None:
        """A refund that changed (``CHANGE``) has no date: a copy of it can be sent at any time."""
        plaintext = "<root><out_refund_no>{}</out_refund_no><refund_status>CHANGE</refund_status></root>"
        now = [time.time()]
        stores: list[Store] = [
            MemoryStore(clock=lambda: now[0]),
            SqliteStore(tmp_path / "n.db", timeout=60, clock=lambda: now[0]),
            # Redis has no clock to turn: what it would forget after 30 days it forgets after a millisecond here.
            RedisStore(redis_url, prefix=uuid4().hex, timeout=60, keep=0.001),
        ]
        for store in stores:
            handled: list[str] = []
            notifications = Notifications(
                sender.merchant_keys, store=store, clock=lambda: now[0], ack_timeout=500, lease=600
            )

            @notifications.fallback
            async def handler(notification: Notification, seen: list[str] = handled) -> None:
                seen.append(notification.id)

            fields = {
                "return_code": "SUCCESS",
                "mch_id": sender.merchant.mchid,
                "nonce_str": "1",
                "req_info": ecb_encrypt(plaintext.format("1"), sender.merchant.apiv2_key),
            }
            for _ in range(3):
                assert (await deliver(notifications, sender.xml(fields, None))).accepted
                # Nobody signs what is around `req_info`: a date there is not the refund's.
                dated = {**fields, "time_end": time.strftime("%Y%m%d%H%M%S", time.gmtime(now[0]))}
                assert (await deliver(notifications, sender.xml(dated, None))).accepted
                now[0] += 31 * 86400
                # Another notification, whose mark has the store delete what is old.
                other = {**fields, "req_info": ecb_encrypt(plaintext.format(now[0]), sender.merchant.apiv2_key)}
                assert (await deliver(notifications, sender.xml(other, None))).accepted
            assert handled.count("refund-processed/1/CHANGE") == 1
            assert len(handled) == 4
            await notifications.close()


class TestDeclared:
    async def test_what_differs_from_its_spec_is_handled_and_told_once(
        self, sender: Sender, notifications: Notifications, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen = Seen()
        notifications.fallback(seen.by("all"))
        caplog.set_level(logging.WARNING)
        odd = {**PAYMENT, "amount": {"total": "100"}, "brand_new": 1}
        for _ in range(3):
            assert (await deliver(notifications, sender.event(resource=odd))).accepted
        told = [record.getMessage() for record in caplog.records if "amount.total" in record.getMessage()]
        assert len(told) == 1
        assert "TRANSACTION.SUCCESS" in told[0]
        assert "brand_new" not in caplog.text
        assert len(seen) == 3


@pytest.mark.parametrize(
    "options",
    [{"ack_timeout": 0}, {"ack_timeout": 10, "lease": 5}, {"handler_timeout": 0}, {"store": "mysql://localhost/x"}],
    ids=str,
)
def test_options_that_cannot_work_are_refused(options: Any, sender: Sender) -> None:
    with pytest.raises(ConfigurationError):
        Notifications(sender.merchant_keys, **options)
