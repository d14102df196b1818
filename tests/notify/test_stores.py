"""Stores: of any number that ask at once one is told yes, and what is finished stays so. Each test with each store."""

from __future__ import annotations

import asyncio
import gc
import inspect
import multiprocessing
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tests.leap import leap
from tests.notify.open_files import open_files
from tests.patience import until
from wxpay_dsl import ConfigurationError
from wxpay_dsl.notify import Claim, ClaimLostError, Store, StoreUnavailableError
from wxpay_dsl.notify.stores import Finished, open_store
from wxpay_dsl.notify.stores.memory import MemoryStore
from wxpay_dsl.notify.stores.redis import RedisStore
from wxpay_dsl.notify.stores.sqlite import SqliteStore

KEY = "1900000109/EV-1"


@pytest.fixture
async def store(open_store: Callable[[], Store]) -> AsyncIterator[Store]:
    store = open_store()
    yield store
    await store.close()


async def test_a_claim_is_one_s_until_it_is_released(store: Store) -> None:
    first, second = Claim(KEY), Claim(KEY)
    assert await store.claim(first, 60) is True
    assert await store.claim(second, 60) is False
    assert await store.claim(first, 60) is True
    assert await store.claim(Claim("another"), 60) is True
    await store.release(second)
    assert await store.claim(second, 60) is False
    await store.release(first)
    assert await store.claim(second, 60) is True


async def test_of_a_hundred_at_once_one_gets_it(store: Store) -> None:
    taken = await asyncio.gather(*(store.claim(Claim(KEY), 60) for _ in range(100)))
    assert taken.count(True) == 1
    assert taken.count(False) == 99


async def test_what_is_finished_stays_so_with_its_answer(store: Store, open_store: Callable[[], Store]) -> None:
    claim = Claim(KEY)
    await store.claim(claim, 60)
    assert await store.done(claim, b'{"a": 1}') is True
    assert await store.done(claim, b"") is True
    await store.release(claim)
    again = open_store()
    for one in (claim, Claim(KEY)):
        assert await again.claim(one, 60) == Finished(b'{"a": 1}')
    await again.close()


async def test_a_lease_that_ran_out_is_anybody_s(store: Store) -> None:
    crashed, next_one = Claim(KEY), Claim(KEY)
    assert await store.claim(crashed, 60) is True
    assert await store.claim(next_one, 60) is False
    assert await store.renew(crashed, 0.05) is True
    await asyncio.sleep(0.1)
    assert await store.claim(next_one, 60) is True
    # Whoever comes back from the dead finds that it is not his any more, and changes nothing.
    assert await store.renew(crashed, 60) is False
    assert await store.done(crashed, b"") is False
    await store.release(crashed)
    assert await store.claim(Claim(KEY), 60) is False
    assert await store.done(next_one, b"") is True
    assert await store.done(crashed, b"") is False
    assert await store.renew(crashed, 60) is False


async def test_a_lease_that_ran_out_and_nobody_took_is_still_good(store: Store) -> None:
    late = Claim(KEY)
    await store.claim(late, 0.02)
    await asyncio.sleep(0.05)
    assert await store.renew(late, 60) is True
    assert await store.claim(Claim(KEY), 60) is False
    later = Claim("later")
    await store.claim(later, 0.02)
    await asyncio.sleep(0.05)
    assert await store.done(later, b"") is True
    assert await store.claim(Claim("later"), 60) == Finished(b"")


async def test_a_renewed_lease_lasts(store: Store) -> None:
    claim = Claim(KEY)
    await store.claim(claim, 0.1)
    assert await store.renew(claim, 60) is True
    await asyncio.sleep(0.2)
    assert await store.claim(Claim(KEY), 60) is False


async def test_one_who_marked_it_may_renew_and_release_without_harm(store: Store) -> None:
    claim = Claim(KEY)
    await store.claim(claim, 60)
    await store.done(claim, b"")
    assert await store.renew(claim, 60) is True
    await store.release(claim)
    assert await store.claim(Claim(KEY), 60) == Finished(b"")


@pytest.mark.parametrize("key", ["密钥/编号 1", "a:b\n\0'\";--", "x" * 500])
async def test_keys_are_taken_as_they_are(key: str, store: Store) -> None:
    claim = Claim(key)
    assert await store.claim(claim, 60) is True
    assert await store.done(claim, b"") is True
    assert await store.claim(Claim(key), 60) == Finished(b"")


async def test_it_may_be_used_from_one_loop_after_another(open_store: Callable[[], Store]) -> None:
    store, claim = open_store(), Claim(KEY)

    async def both() -> Finished | bool:
        try:
            return await store.claim(claim, 60)
        finally:
            await store.close()

    assert await asyncio.to_thread(lambda: asyncio.run(both())) is True
    assert await asyncio.to_thread(lambda: asyncio.run(both())) is True


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("step", ["claim", "renew", "done"])
@pytest.mark.parametrize(("later", "has_ended"), [(59.9, False), (60.0, True)])
async def test_a_lease_ends_when_it_says(kind: str, step: str, later: float, has_ended: bool, tmp_path: Path) -> None:
    now = [5.0]

    def clock() -> float:
        return now[0]

    store = MemoryStore(clock=clock) if kind == "memory" else SqliteStore(tmp_path / "n.db", clock=clock)
    await store.claim(Claim(KEY), 60)
    now[0] += later
    other = Claim(KEY)
    result = store.done(other, b"") if step == "done" else getattr(store, step)(other, 60)
    assert await result is has_ended
    await store.close()


async def test_a_store_that_was_never_used_can_be_closed(store: Store) -> None:
    await store.close()
    await store.close()
    assert await store.claim(Claim(KEY), 60) is True


class TestMemory:
    async def test_it_forgets_what_is_old_and_what_is_too_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [0.0]
        store = MemoryStore(keep=10, clock=lambda: now[0])
        monkeypatch.setattr("wxpay_dsl.notify.stores.memory._LIMIT", 3)
        for number in range(5):
            claim = Claim(str(number))
            await store.claim(claim, 60)
            await store.done(claim, b"")
        assert [await store.claim(Claim(str(number)), 0) for number in range(5)] == [True, True, *[Finished()] * 3]
        now[0] = 11
        assert await store.claim(Claim("4"), 60) is True

    @pytest.mark.parametrize(("later", "kept"), [(9.9, Finished(b"yes")), (10.0, True)])
    async def test_what_is_finished_is_kept_as_long_as_told(self, later: float, kept: Finished | bool) -> None:
        now = [5.0]
        store = MemoryStore(keep=10, clock=lambda: now[0])
        await store.claim(claim := Claim(KEY), 60)
        await store.done(claim, b"yes")
        now[0] += later
        assert await store.claim(again := Claim(KEY), 60) == kept
        if kept is True:  # handled again, and finished again
            assert await store.done(again, b"") is True
            assert await store.claim(Claim(KEY), 60) == Finished()

    async def test_nothing_need_be_kept(self) -> None:
        store = MemoryStore(keep=0)
        await store.claim(claim := Claim(KEY), 60)
        assert await store.done(claim, b"") is True
        assert await store.claim(Claim(KEY), 60) is True


class TestSqlite:
    async def test_it_forgets_what_is_old(self, tmp_path: Path) -> None:
        now = [1e9]
        store = SqliteStore(tmp_path / "n.db", keep=86400, clock=lambda: now[0])
        done, crashed = Claim("done"), Claim("crashed")
        for claim in (done, crashed):
            await store.claim(claim, 60)
        await store.done(done, b"")
        now[0] += 86400 + 3600
        await store.claim(Claim("new"), 60)
        await store.close()
        with sqlite3.connect(tmp_path / "n.db") as connection:
            assert connection.execute("SELECT key FROM wxpay_notifications").fetchall() == [("new",)]

    @pytest.mark.parametrize(("later", "remembered"), [(3599.0, True), (3600.0, False)])
    async def test_it_looks_for_what_is_old_once_an_hour(self, later: float, remembered: bool, tmp_path: Path) -> None:
        now = [1e9]
        store = SqliteStore(tmp_path / "n.db", keep=60, clock=lambda: now[0])
        await store.claim(claim := Claim(KEY), 60)
        await store.done(claim, b"")
        now[0] += later
        await store.claim(Claim("another"), 60)
        assert (await store.claim(Claim(KEY), 60) == Finished(b"")) is remembered
        await store.close()

    @pytest.mark.parametrize(("later", "remembered"), [(86400.0, True), (86401.0, False)])
    async def test_it_remembers_what_is_finished_as_long_as_told(
        self, later: float, remembered: bool, tmp_path: Path
    ) -> None:
        now = [1e9]
        store = SqliteStore(tmp_path / "n.db", keep=86400, clock=lambda: now[0])
        await store.claim(claim := Claim(KEY), 60)
        await store.done(claim, b"")
        now[0] += later
        await store.claim(Claim("another"), 60)  # deletes what has expired
        assert (await store.claim(Claim(KEY), 60) == Finished(b"")) is remembered
        await store.close()

    @pytest.mark.parametrize("own_transaction", [False, True])
    async def test_it_never_forgets_what_is_persistent(self, own_transaction: bool, tmp_path: Path) -> None:
        now = [1e9]
        store = SqliteStore(tmp_path / "n.db", keep=86400, clock=lambda: now[0])
        await store.claim(claim := Claim(KEY, persistent=True), 60)
        if own_transaction:
            with sqlite3.connect(tmp_path / "n.db") as connection:
                store.mark_done(claim, connection)
            connection.close()
        assert await store.done(claim, b"") is True
        for _ in range(3):
            now[0] += 1e9
            await store.claim(Claim(str(now)), 60)  # deletes what has expired
        assert await store.claim(Claim(KEY), 60) == Finished(b"")
        await store.close()

    async def test_each_commit_is_on_the_disk_before_anybody_is_told(self, tmp_path: Path) -> None:
        """FULL, which is 2: with NORMAL a power failure takes back the last marks of a WAL, and effects come twice."""
        store = SqliteStore(tmp_path / "n.db")
        await store.claim(Claim(KEY), 60)
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal")):
            assert await store._do(lambda connection, of=pragma: connection.execute(f"PRAGMA {of}").fetchone()) == (
                value,
            )
        await store.close()

    async def test_a_file_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "nowhere" / "n.db")
        with pytest.raises(StoreUnavailableError, match="cannot be written"):
            await store.claim(Claim(KEY), 60)
        (tmp_path / "nowhere").mkdir()
        assert await store.claim(Claim(KEY), 60) is True
        await store.close()

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists open files there")
    async def test_a_file_that_is_no_database_is_told_and_not_left_open(self, tmp_path: Path) -> None:
        (tmp_path / "n.db").write_bytes(b"something else " * 100)
        store = SqliteStore(tmp_path / "n.db")
        with pytest.raises(StoreUnavailableError, match="not a database") as caught:
            await store.claim(Claim(KEY), 60)
        assert [name for name in open_files() if str(tmp_path) in name] == []
        await store.close()
        assert "n.db" in str(caught.value)  # which holds the frames, and with them what they hold, until here

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists open files there")
    async def test_a_store_that_was_closed_has_no_file_open(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "n.db")
        await store.claim(Claim(KEY), 60)
        assert [name for name in open_files() if str(tmp_path) in name] != []
        await store.close()
        assert [name for name in open_files() if str(tmp_path) in name] == []

    async def test_a_transaction_that_fails_is_rolled_back_and_the_next_is_tried_anew(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "n.db")
        await store.claim(Claim("first"), 60)
        with sqlite3.connect(tmp_path / "n.db", isolation_level=None, timeout=0) as other:
            other.execute("DROP TABLE wxpay_notifications")
            with pytest.raises(StoreUnavailableError, match="no such table") as caught:
                await store.claim(Claim(KEY), 60)
            other.execute("BEGIN IMMEDIATE")  # nobody holds a lock
            other.execute("COMMIT")
        other.close()
        assert await store.claim(Claim(KEY), 60) is True
        await store.close()
        assert caught.value.__cause__ is not None

    @pytest.mark.parametrize(("timeout", "frees"), [(60.0, True), (1.1, False)])
    @pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
    async def test_a_file_that_is_locked_when_it_is_opened_is_waited_for_and_then_told(
        self, timeout: float, frees: bool, lock: str, tmp_path: Path
    ) -> None:
        # Under the weaker lock, changing the journal mode fails at once and is tried again.
        other = sqlite3.connect(tmp_path / "n.db", isolation_level=None)
        other.execute("CREATE TABLE orders (number TEXT)")
        other.execute(f"BEGIN {lock}")
        store = SqliteStore(tmp_path / "n.db", timeout=timeout)
        claiming = asyncio.create_task(store.claim(Claim(KEY), 60))
        if frees:
            await asyncio.sleep(0.1)
            other.execute("COMMIT")
            assert await claiming is True
        else:
            with pytest.raises(StoreUnavailableError, match="locked"):
                await asyncio.wait_for(claiming, 60)
        other.close()
        await store.close()

    async def test_steps_that_wait_share_transactions_of_at_most_256(self, tmp_path: Path) -> None:
        """The commit is what takes time; and no transaction is so long that others wait for it in vain."""
        store, in_step, go_on = SqliteStore(tmp_path / "n.db", timeout=60), threading.Event(), threading.Event()
        statements: list[str] = []

        def wait(connection: sqlite3.Connection) -> None:
            connection.set_trace_callback(statements.append)
            in_step.set()
            assert go_on.wait(60)

        waiting = asyncio.create_task(store._do(wait))
        assert await asyncio.to_thread(in_step.wait, 60)
        claiming = [asyncio.create_task(store.claim(Claim(str(number)), 60)) for number in range(512)]
        await asyncio.sleep(0)  # all of them are in the queue
        go_on.set()
        assert await asyncio.gather(waiting, *claiming) == [None, *[True] * 512]
        assert statements.count("COMMIT") == 1 + 2
        await store.close()

    async def test_a_lock_that_somebody_holds_is_waited_for_and_then_told(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "n.db", timeout=0.2)
        await store.claim(Claim("first"), 60)
        with sqlite3.connect(tmp_path / "n.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="locked"):
                await store.claim(Claim(KEY), 60)
            other.execute("COMMIT")
        other.close()
        assert await store.claim(Claim(KEY), 60) is True
        await store.close()

    async def test_a_claim_that_nobody_waits_for_any_more_is_not_taken(self, tmp_path: Path) -> None:
        in_step, go_on = threading.Event(), threading.Event()

        def clock() -> float:  # which every transaction looks at
            in_step.set()
            assert go_on.wait(60)
            return time.time()

        store = SqliteStore(tmp_path / "n.db", timeout=60, clock=clock)
        blocked = asyncio.create_task(store.claim(Claim("blocked"), 60))
        assert await asyncio.to_thread(in_step.wait, 60)
        abandoned = asyncio.create_task(store.claim(Claim(KEY), 60))
        await asyncio.sleep(0.05)
        abandoned.cancel()
        await asyncio.sleep(0)
        go_on.set()
        assert await blocked is True
        assert await store.claim(Claim(KEY), 60) is True
        await store.close()

    async def test_effect_and_mark_are_one_transaction(self, tmp_path: Path) -> None:
        store, claim = SqliteStore(tmp_path / "shop.db"), Claim(KEY)
        shop = sqlite3.connect(tmp_path / "shop.db")
        shop.execute("CREATE TABLE orders (number TEXT)")
        await store.claim(claim, 60)

        def book(*, fails: bool) -> None:
            with shop:
                shop.execute("INSERT INTO orders VALUES ('1')")
                store.mark_done(claim, shop)
                if fails:
                    raise LookupError

        with pytest.raises(LookupError):
            book(fails=True)
        assert shop.execute("SELECT * FROM orders").fetchall() == []
        assert await store.claim(Claim(KEY), 60) is False
        book(fails=False)
        assert shop.execute("SELECT * FROM orders").fetchall() == [("1",)]
        assert await store.claim(Claim(KEY), 60) == Finished(b"")
        assert await store.done(claim, b"") is True
        shop.close()
        await store.close()

    async def test_a_lost_claim_cannot_be_marked_so_that_the_effect_is_rolled_back(self, tmp_path: Path) -> None:
        store, late = SqliteStore(tmp_path / "shop.db"), Claim(KEY)
        await store.claim(late, 0.01)
        await asyncio.sleep(0.05)
        assert await store.claim(Claim(KEY), 60) is True
        shop = sqlite3.connect(tmp_path / "shop.db")
        shop.execute("CREATE TABLE orders (number TEXT)")

        def book() -> None:
            with shop:
                shop.execute("INSERT INTO orders VALUES ('1')")
                store.mark_done(late, shop)

        with pytest.raises(ClaimLostError, match=KEY):
            book()
        assert shop.execute("SELECT * FROM orders").fetchall() == []
        shop.close()
        await store.close()

    def test_a_forked_process_opens_the_file_anew(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "n.db")
        assert asyncio.run(store.claim(Claim("parent"), 60)) is True
        context = multiprocessing.get_context("fork")
        results = context.SimpleQueue()

        def child() -> None:
            results.put(asyncio.run(store.claim(Claim("parent"), 60)))
            results.put(asyncio.run(store.claim(Claim("child"), 60)))

        process = context.Process(target=child)
        process.start()
        process.join(100)
        assert process.exitcode == 0
        assert [results.get(), results.get()] == [False, True]
        assert asyncio.run(store.claim(Claim("child"), 60)) is False
        asyncio.run(store.close())


class TestRedis:
    async def test_an_event_loop_that_ends_leaves_no_connection(self, redis_url: str) -> None:
        """A server that runs `asyncio.run` for each notification has as many loops as notifications."""
        store = RedisStore(redis_url, prefix=f"{uuid4().hex}:", timeout=60)
        asking = Redis.from_url(redis_url, socket_timeout=60)

        async def connections() -> int:
            return int((await asking.info("clients"))["connected_clients"])

        before = await connections()
        for number in range(5):
            assert await asyncio.to_thread(lambda n=number: asyncio.run(store.claim(Claim(str(n)), 60))) is True
        assert len(store._clients) == 0

        left = await connections()
        while left > before:  # Redis notices the end of a connection a moment later
            await asyncio.sleep(0.01)
            left = await connections()
        await asking.aclose()

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    async def test_nor_does_one_that_is_closed_without_its_leave(self, redis_url: str) -> None:
        store = RedisStore(redis_url, prefix=f"{uuid4().hex}:", timeout=60)

        def claim(number: int) -> None:
            loop = asyncio.new_event_loop()
            assert loop.run_until_complete(store.claim(Claim(str(number)), 60)) is True
            loop.close()

        for number in range(5):
            await asyncio.to_thread(claim, number)
        assert await store.claim(Claim("here"), 60) is True
        assert list(store._clients) == [asyncio.get_running_loop()]
        await store.close()
        assert store._clients == {}
        gc.collect()

    async def test_leases_and_marks_end_when_they_are_told(self, redis_url: str) -> None:
        prefix, day = f"{uuid4().hex}:", 86400
        store, asking = RedisStore(redis_url, prefix=prefix, timeout=60, keep=3 * day), Redis.from_url(redis_url)

        async def days_left(key: str) -> float:
            left = int(await asking.pttl(prefix + key))
            return left / 1000 / day if left > 0 else left

        for name, persistent in (("dated", False), ("undated", True)):
            claim = Claim(name, persistent=persistent)
            await store.claim(claim, day)
            assert 1 - 60 / day < await days_left(name) <= 1
            await store.renew(claim, 2 * day)
            assert 2 - 60 / day < await days_left(name) <= 2
            await store.done(claim, b"")
        assert 3 - 60 / day < await days_left("dated") <= 3
        assert await days_left("undated") == -1, "it has no end"
        assert await store.claim(Claim("at once"), 0) is True
        await store.close()
        await asking.aclose()

    async def test_a_connection_that_was_closed_meanwhile_is_replaced(self, redis_url: str) -> None:
        store, asking = RedisStore(redis_url, prefix=f"{uuid4().hex}:", timeout=60), Redis.from_url(redis_url)
        assert await store.claim(claim := Claim(KEY), 60) is True
        await asking.client_kill_filter(_id=str(await store._client().client_id()))
        assert await store.renew(claim, 60) is True
        await store.close()
        await asking.aclose()

    async def test_the_whole_of_a_step_takes_at_most_twice_the_timeout(self) -> None:
        """For connecting, asking, and asking again. The server here accepts, and says nothing to the point."""
        asked = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            while data := await reader.read(65536):
                asked += data.count(b"EVAL")
                writer.write(b"+OK\r\n" * data.count(b"SETINFO"))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", timeout=1000)
        claiming = asyncio.create_task(store.claim(Claim(KEY), 60))
        await until(lambda: asked == 1)
        await asyncio.sleep(0.05)  # it waits for the answer
        leap(1500)
        await until(lambda: asked == 2 or claiming.done())  # until 2500 it would wait for this one
        leap(400)
        await asyncio.wait((claiming,), timeout=0.1)
        assert not claiming.done()
        leap(200)
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            await asyncio.wait_for(claiming, 60)
        await store.close()
        server.close()
        await server.wait_closed()

    def test_without_its_client_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "redis.asyncio", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'wxpay-dsl\[redis\]'"):
            RedisStore("redis://localhost:1/0")


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        (None, "EmbeddedStore"),
        ("memory", "MemoryStore"),
        ("n.db", "SqliteStore"),
        (Path("n.db"), "SqliteStore"),
        ("sqlite:///n.db", "SqliteStore"),
        ("redis://localhost:1/0", "RedisStore"),
        ("rediss://localhost:1/0", "RedisStore"),
    ],
)
def test_a_store_is_told_by_its_url(where: Any, kind: str) -> None:
    assert type(open_store(where)).__name__ == kind


@pytest.mark.parametrize(("kind", "seconds"), [(SqliteStore, 2.0), (RedisStore, 1.0)])
def test_a_store_is_waited_for_less_than_the_service_waits_for_us(kind: Any, seconds: float) -> None:
    """It waits for five seconds, and Redis may be asked twice."""
    assert inspect.signature(kind).parameters["timeout"].default == seconds


def test_a_store_of_ones_own_is_taken_as_it_is() -> None:
    store = MemoryStore()
    assert open_store(store) is store


@pytest.mark.parametrize("where", ["mysql://root:geheim@localhost/x", "redis://:geheim@localhost:port/0"])
def test_a_url_that_is_none_is_refused_without_its_password(where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(where)
    assert "geheim" not in str(caught.value)
