"""Memory: of a call that is in flight, and over a hundred thousand calls, a tenth of a million.

``flight_kb`` is what a thousand calls that wait for their answers hold, each on a connection of its own, as Python
counts it, and ``floor_kb`` the same of calls written by hand over aiohttp; ``own_kb`` is the difference. The sockets'
buffers are the system's. ``slope_kb_per_1000`` is the growth of the resident memory over all calls but the first
quarter, which fills caches and pools, by least squares; ``million_mb`` what a million calls would come to.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import logging
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp

from bench.contestants._peers import serving
from bench.soak import resident, slope
from wxpay_dsl import Wechatpay

_PATH: Final = "/v3/edu-papay/contracts/presign"


def run(quick: bool) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """``{"flight_kb", "floor_kb", "own_kb", "calls", "slope_kb_per_1000", "million_mb"}``"""
    with serving() as told:
        flight = asyncio.run(_in_flight(told, 200 if quick else 1000))
        return {**flight, **asyncio.run(_over_time(told, 4_000 if quick else 100_000))}


async def _in_flight(told: dict[str, Any], number: int) -> dict[str, float]:
    """Against a server that takes requests and is silent."""
    arrived, gate = asyncio.Semaphore(0), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Read without parsing, for the least of this side's memory to be counted.
        await reader.readuntil(b"\r\n\r\n")
        arrived.release()
        await gate.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0, backlog=number)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = _client({**told, "base_url": base_url}, max_connections=2 * number, timeout=300)
    body = json.dumps(told["data"]).encode()
    headers = {"Authorization": "x" * 550, "Accept": "application/json", "Content-Type": "application/json"}
    async with client as wxpay, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2 * number)) as session:

        async def by_hand() -> None:
            async with session.post(base_url + _PATH, data=body, headers=headers) as response:
                await response.read()

        async def ours() -> None:
            await wxpay.v3.eduPapay.contracts.presign.post(told["data"])

        sizes = {}
        for name, call in {"floor_kb": by_hand, "flight_kb": ours}.items():
            await _held(call, 20, arrived, gate)  # what is loaded and cached with the first
            sizes[name] = round(await _held(call, number, arrived, gate) / 1024, 1)
    server.close()
    return {
        "flight_kb": sizes["flight_kb"],
        "floor_kb": sizes["floor_kb"],
        "own_kb": round(sizes["flight_kb"] - sizes["floor_kb"], 1),
    }


async def _held(
    call: Callable[[], Awaitable[None]], number: int, arrived: asyncio.Semaphore, gate: asyncio.Event
) -> float:
    """Bytes for each of ``number`` calls that wait; the server's own share is in it, and the same for all."""
    gate.clear()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    waiting = [asyncio.ensure_future(call()) for _ in range(number)]
    for _ in range(number):
        await arrived.acquire()
    await asyncio.sleep(0)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    gate.set()
    # Nobody answers them; they fail, as is meant, and not in the log.
    logging.disable(logging.WARNING)
    await asyncio.gather(*waiting, return_exceptions=True)
    logging.disable(logging.NOTSET)
    return held / number


async def _over_time(told: dict[str, Any], calls: int) -> dict[str, Any]:
    client = _client(told)
    numbers, memory = itertools.count(1), list[tuple[int, int]]()
    async with client as wxpay:
        presign = wxpay.v3.eduPapay.contracts.presign

        async def work() -> None:
            while (number := next(numbers)) <= calls:
                await presign.post(told["data"])
                if number % (calls // 100) == 0:
                    memory.append((number, resident()))

        await asyncio.gather(*(work() for _ in range(10)))
    found = slope(memory)
    return {"calls": calls, "slope_kb_per_1000": round(found, 2), "million_mb": round(found * 1000 / 1024, 1)}


def _client(told: dict[str, Any], **settings: Any) -> Wechatpay:
    return Wechatpay(
        mchid=told["mchid"],
        serial=told["serial"],
        private_key=told["private_key"],
        platform_keys={told["public_key_id"]: told["public_key"]},
        base_url=told["base_url"],
        **settings,
    )
