"""What was used before a fork works after it, in both processes, or says why not."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.notify.conftest import Sender
from tests.notify.open_files import open_files
from wxpay_dsl import Notifications
from wxpay_dsl.core.forking import ForkSafeLock
from wxpay_dsl.notify import Claim, StoreUnavailableError
from wxpay_dsl.notify.stores import Finished
from wxpay_dsl.notify.stores.memory import MemoryStore
from wxpay_dsl.notify.stores.sqlite import SqliteStore

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="only POSIX forks"),
    # Python warns of a fork in a process with threads: that is what is tried here.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
fork = multiprocessing.get_context("fork") if hasattr(os, "fork") else multiprocessing.get_context()


def in_child(work: Callable[[], Any]) -> Any:
    """What ``work`` gives in a forked process."""
    results = fork.SimpleQueue()

    def child() -> None:
        try:
            results.put(work())
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            results.put(f"{type(error).__name__}: {error}")

    process = fork.Process(target=child)
    process.start()
    process.join(60)
    if process.is_alive():
        process.kill()
        process.join(60)
        pytest.fail("the child is stuck")
    assert process.exitcode == 0
    return results.get()


@contextmanager
def busy(store: SqliteStore | MemoryStore) -> Iterator[None]:
    """Another thread claims and marks all the time."""
    stop, begun = threading.Event(), threading.Event()

    async def work() -> None:
        while not stop.is_set():
            claims = [Claim(f"parent/{time.monotonic_ns()}/{number}") for number in range(8)]
            assert await asyncio.gather(*(store.claim(claim, 60) for claim in claims)) == [True] * 8
            assert await asyncio.gather(*(store.done(claim, b"") for claim in claims)) == [True] * 8
            begun.set()

    async def whole() -> None:
        await work()
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(whole()))
    thread.start()
    assert begun.wait(60)
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


async def claimed_and_marked(store: SqliteStore | MemoryStore, key: str) -> Any:
    claim = Claim(key)
    taken = await store.claim(claim, 60)
    return taken is True and await store.done(claim, b"child")


def test_what_a_child_marks_stays_marked_though_the_parent_was_busy_at_the_fork(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "n.db", timeout=30)
    keys = [f"child/{number}" for number in range(20)]
    with busy(store):
        told = [in_child(lambda key=key: asyncio.run(claimed_and_marked(store, key))) for key in keys]
    assert told == [True] * 20
    with sqlite3.connect(tmp_path / "n.db") as fresh:
        marked = fresh.execute("SELECT key FROM wxpay_notifications WHERE answer = X'6368696C64'").fetchall()
        assert sorted(marked) == sorted((key,) for key in keys)
        assert fresh.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    fresh.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists open files there")
def test_no_file_of_sqlite_is_open_at_the_fork(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "n.db")
    asyncio.run(claimed_and_marked(store, "before"))

    def inherited() -> list[str]:
        return [name for name in open_files() if "n.db" in name]

    assert inherited() != []
    assert in_child(inherited) == []
    assert asyncio.run(store.claim(Claim("before"), 60)) == Finished(b"child")
    asyncio.run(store.close())


def test_a_store_that_could_not_be_closed_in_time_is_not_used_in_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wxpay_dsl.notify.stores.sqlite._FORK_GRACE", 0.0)
    in_step, go_on = threading.Event(), threading.Event()

    def clock() -> float:  # which every transaction looks at
        in_step.set()
        assert go_on.wait(60)
        return time.time()

    store = SqliteStore(tmp_path / "n.db", timeout=0.1, clock=clock)
    claiming: list[bool] = []
    thread = threading.Thread(target=lambda: claiming.append(asyncio.run(store.claim(Claim("1"), 60)) is True))
    thread.start()
    assert in_step.wait(60)

    def child() -> str:
        with pytest.raises(StoreUnavailableError, match="was open when this process was forked") as first:
            asyncio.run(store.claim(Claim("2"), 60))
        asyncio.run(store.close())
        with pytest.raises(StoreUnavailableError):
            asyncio.run(store.claim(Claim("2"), 60))
        return str(first.value)

    assert "in each worker, after the fork" in in_child(child)
    go_on.set()
    thread.join(60)
    assert claiming == [True]
    assert asyncio.run(store.claim(Claim("1"), 60)) is False
    asyncio.run(store.close())


def test_a_store_that_was_not_used_before_the_fork_is_used_on_both_sides(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "n.db")
    assert in_child(lambda: asyncio.run(store.claim(Claim("1"), 60))) is True
    assert asyncio.run(store.claim(Claim("1"), 60)) is False
    asyncio.run(store.close())


def test_a_fork_waits_for_the_current_transaction_beyond_the_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wxpay_dsl.notify.stores.sqlite._FORK_GRACE", 60.0)
    in_step, go_on = threading.Event(), threading.Event()

    def clock() -> float:  # which every transaction looks at
        in_step.set()
        assert go_on.wait(60)
        return time.time()

    store = SqliteStore(tmp_path / "n.db", timeout=0, clock=clock)
    thread = threading.Thread(target=lambda: asyncio.run(store.claim(Claim("parent"), 60)))
    thread.start()
    assert in_step.wait(60)
    threading.Timer(0.2, go_on.set).start()
    assert in_child(lambda: asyncio.run(store.claim(Claim("child"), 60))) is True
    thread.join(60)
    asyncio.run(store.close())


def test_a_process_that_was_forked_past_python_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a server in C, which calls no hook of Python's: the store still has its parent's thread."""
    store = SqliteStore(tmp_path / "n.db")
    asyncio.run(claimed_and_marked(store, "before"))
    parent = os.getpid()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(os, "getpid", lambda: parent + 1)
        with pytest.raises(StoreUnavailableError, match="was open when this process was forked"):
            asyncio.run(store.claim(Claim("after"), 60))
    assert asyncio.run(store.claim(Claim("after"), 60)) is True
    asyncio.run(store.close())


def test_a_lock_that_another_thread_holds_is_free_in_the_child() -> None:
    lock = ForkSafeLock()
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            inside.set()
            leave.wait(0.2)

    def take() -> str:
        with lock:
            return "taken"

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(60)
    assert in_child(take) == "taken"
    assert take() == "taken"
    thread.join(60)


def test_the_memory_of_a_busy_parent_is_free_in_the_child() -> None:
    store = MemoryStore()
    with busy(store):
        assert [in_child(lambda: asyncio.run(claimed_and_marked(store, "child"))) for _ in range(20)] == [True] * 20


def test_what_the_parent_was_handling_at_the_fork_is_not_busy_for_ever_in_the_child(
    sender: Sender, tmp_path: Path
) -> None:
    """The child has a copy of the parent's notes of what is running, and of those tasks none ever ends in it."""
    notifications = Notifications(sender.merchant_keys, store=tmp_path / "n.db")
    begun, go_on = threading.Event(), threading.Event()

    @notifications.fallback
    def handler(notification: Any) -> None:
        begun.set()
        assert go_on.wait(60)

    wire = sender.event()

    async def handle() -> int:
        try:
            return (await notifications.handle(wire.headers, wire.body)).status
        finally:
            await notifications.store.close()

    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(asyncio.run(handle())))
    thread.start()
    assert begun.wait(60)

    def later() -> list[int]:
        first = asyncio.run(handle())
        released.set()
        assert done.wait(60)
        return [first, asyncio.run(handle())]

    released, done = fork.Event(), fork.Event()

    def finish() -> None:
        assert released.wait(60)
        go_on.set()
        thread.join(60)
        done.set()

    finishing = threading.Thread(target=finish)
    finishing.start()
    assert in_child(later) == [503, 204]
    finishing.join(60)
    assert statuses == [204]
