"""Measures memory: of a call in flight, and its growth over 100,000 calls.

``flight_kb`` is the memory of one of a thousand calls that wait for a response on separate connections, as Python
counts it without socket buffers; ``floor_kb`` is the same for calls written by hand over aiohttp, and ``own_kb`` the
difference. ``slope_kb_per_1000`` is the growth of resident memory by least squares, without the first quarter of the
calls, which fills caches and pools; ``million_mb`` is the growth extrapolated to a million calls.
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
    with serving() as config:
        flight = asyncio.run(_in_flight(config, 200 if quick else 1000))
        return {**flight, **asyncio.run(_over_time(config, 4_000 if quick else 100_000))}


async def _in_flight(config: dict[str, Any], number: int) -> dict[str, float]:
    """Measures against a server that accepts requests and never responds."""
    arrived, gate = asyncio.Semaphore(0), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Read without parsing, to use as little memory as possible on the server's side.
        await reader.readuntil(b"\r\n\r\n")
        arrived.release()
        await gate.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0, backlog=number)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = _client({**config, "base_url": base_url}, max_connections=2 * number, timeout=300)
    body = json.dumps(config["data"]).encode()
    headers = {"Authorization": "x" * 550, "Accept": "application/json", "Content-Type": "application/json"}
    async with client as wxpay, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2 * number)) as session:

        async def by_hand() -> None:
            async with session.post(base_url + _PATH, data=body, headers=headers) as response:
                await response.read()

        async def ours() -> None:
            await wxpay.v3.eduPapay.contracts.presign.post(config["data"])

        sizes = {}
        for name, call in {"floor_kb": by_hand, "flight_kb": ours}.items():
            await _held(call, 20, arrived, gate)  # loads and caches what the first call needs
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
    """Bytes per call while ``number`` calls wait; including the server's share, which is the same for all clients."""
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
    # The calls are expected to fail without a response, so that is not logged.
    logging.disable(logging.WARNING)
    await asyncio.gather(*waiting, return_exceptions=True)
    logging.disable(logging.NOTSET)
    return held / number


async def _over_time(config: dict[str, Any], calls: int) -> dict[str, Any]:
    client = _client(config)
    numbers, memory = itertools.count(1), list[tuple[int, int]]()
    async with client as wxpay:
        presign = wxpay.v3.eduPapay.contracts.presign

        async def work() -> None:
            while (number := next(numbers)) <= calls:
                await presign.post(config["data"])
                if number % (calls // 100) == 0:
                    memory.append((number, resident()))

        await asyncio.gather(*(work() for _ in range(10)))
    found = slope(memory)
    return {"calls": calls, "slope_kb_per_1000": round(found, 2), "million_mb": round(found * 1000 / 1024, 1)}


def _client(config: dict[str, Any], **settings: Any) -> Wechatpay:
    return Wechatpay(
        mchid=config["mchid"],
        serial=config["serial"],
        private_key=config["private_key"],
        platform_keys={config["public_key_id"]: config["public_key"]},
        base_url=config["base_url"],
        **settings,
    )
