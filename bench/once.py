"""Measures exactly-once handling: processes that share a store receive the same notifications concurrently.

2,000 events are delivered three times each, in random order, to four processes with 50 concurrent deliveries each. A
delivery that is answered with "later" is repeated until it is acknowledged, as the service does. ``effects`` counts the
effects of handlers, ``lost`` the events without one, ``doubled`` the events with more than one. The memory store is
measured with one process.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from wxpay_dsl.notify import MerchantKeys, Notification, Notifications
from wxpay_dsl.notify.stores import Store, open_store
from wxpay_dsl.notify.stores.redis import RedisStore
from wxpay_dsl.notify.stores.sqlite import SqliteStore
from wxpay_dsl.sandbox.keys.identity import throwaway_merchant, throwaway_public_key
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.sandbox.notifications.render import notice, rendered
from wxpay_dsl.sandbox.state.state import Event

_STORES: Final = ("memory", "sqlite", "redis")
_EVENTS: Final = 2000
_COPIES: Final = 3
_PROCESSES: Final = 4
_AT_ONCE: Final = 50

Wire = tuple[dict[str, str], bytes]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's options."""
    parser.add_argument("--store", choices=_STORES, action="append", help="measure only this store; may be repeated")


def run(*, quick: bool, store: list[str] | None = None) -> dict[str, Any]:
    """The figures of each store."""
    events = 200 if quick else _EVENTS
    wires = _signed(events)
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in store or _STORES:
            if name == "redis":
                with _redis(Path(folder)) as url:
                    result[name] = _measured(wires, url)
            else:
                result[name] = _measured(wires, "memory" if name == "memory" else str(Path(folder, "once.db")))
    return result


def _merchant_keys() -> MerchantKeys:
    merchant, pair = throwaway_merchant(), throwaway_public_key()
    return MerchantKeys.of(
        merchant.mchid, platform_keys={pair.id: pair.private_key.public_key()}, apiv3_key=merchant.apiv3_key
    )


def _signed(events: int) -> list[Wire]:
    merchant, pair = throwaway_merchant(), throwaway_public_key()
    platform = Platform("public-key", pair, ())
    wires = []
    for number in range(events):
        resource = {"mchid": merchant.mchid, "out_trade_no": f"{number}", "amount": {"total": number + 1}}
        event = Event(merchant.mchid, "TRANSACTION.SUCCESS", "transaction", resource, "", "支付成功")
        wires.append(rendered(notice(event, merchant, time.time()), merchant, platform, int(time.time())))
    return wires


def _measured(wires: list[Wire], url: str) -> dict[str, Any]:
    processes = 1 if url == "memory" else _PROCESSES
    order = list(range(len(wires))) * _COPIES
    random.shuffle(order)
    # Forked, so that the processes have the keys; the measure itself has no threads.
    context = multiprocessing.get_context("fork")
    ready, results = context.Barrier(processes + 1), context.Queue()
    prefix = f"bench:{os.getpid()}:{time.time_ns()}:"
    workers = [
        context.Process(target=_deliver_all, args=(wires, order[number::processes], url, prefix, ready, results))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    ready.wait(60)
    begun = time.perf_counter()
    outcomes = [results.get(timeout=300) for _ in workers]
    elapsed = time.perf_counter() - begun
    for worker in workers:
        worker.join()
    effects = Counter(number for done, _ in outcomes for number in done)
    return {
        "events": len(wires),
        "deliveries": sum(deliveries for _, deliveries in outcomes),
        "effects": sum(effects.values()),
        "lost": len(wires) - len(effects),
        "doubled": sum(count > 1 for count in effects.values()),
        "events_per_s": round(len(wires) / elapsed),
    }


def _deliver_all(wires: list[Wire], order: list[int], url: str, prefix: str, ready: Any, results: Any) -> None:
    """One process: delivers its share, and returns the effects of its handler and the number of deliveries."""
    results.put(asyncio.run(_deliveries(wires, order, url, prefix, ready)))


async def _deliveries(wires: list[Wire], order: list[int], url: str, prefix: str, ready: Any) -> tuple[list[int], int]:
    store: Store
    if url.startswith("redis"):
        store = RedisStore(url, prefix=prefix, timeout=10)
    elif url == "memory":
        store = open_store(url)
    else:
        # Four processes write to one file as fast as they can, so on a slow disk one may wait long for the lock.
        store = SqliteStore(url, timeout=10)
    notifications = Notifications(_merchant_keys(), store=store, ack_timeout=20)
    effects: list[int] = []
    deliveries = 0

    @notifications.on("TRANSACTION.SUCCESS")
    async def handler(event: Notification[Any]) -> None:
        # Long enough for a duplicate to arrive in the meantime.
        await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - nothing secret
        effects.append(int(event.resource["out_trade_no"]))

    waiting = iter(order)

    async def deliver() -> None:
        nonlocal deliveries
        for number in waiting:
            headers, body = wires[number]
            while True:
                deliveries += 1
                if (await notifications.handle(headers, body)).accepted:
                    break
                await asyncio.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - nothing secret

    ready.wait(60)
    await asyncio.gather(*(deliver() for _ in range(_AT_ONCE)))
    await notifications.close()
    return effects, deliveries


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """The URL of the Redis in WXPAY_TEST_REDIS, or of a new server."""
    named = os.environ.get("WXPAY_TEST_REDIS")
    if named:
        yield named
        return
    program = shutil.which("redis-server")
    assert program is not None, "apt-get install redis-server, or name one in WXPAY_TEST_REDIS (redis://…)"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--save", "", "--appendonly", "yes", "--dir", str(folder), "--bind", "127.0.0.1"]
    process = subprocess.Popen([program, "--port", str(port), *options], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()
