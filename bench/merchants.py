"""Measures many merchants in one process: the cost of each, and the rate of calls compared with a single merchant.

``kb_each`` is the memory of a merchant's client without its key and certificate, ``make_us`` the time to create it;
``rate_to_one`` is the rate of calls that alternate between all merchants, divided by the rate of a single one. All
share one pool of connections; ``connections`` is their number.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import statistics
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from bench.contestants._peers import serving
from wxpay_dsl import Wechatpay

_IN_FLIGHT: Final = 10


def run(quick: bool) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """``{"merchants", "kb_each", "make_us", "rate_one", "rate_many", "rate_to_one", "connections"}``"""
    with serving() as config:
        return asyncio.run(_measure(config, 200 if quick else 1000, 3 if quick else 9))


async def _measure(config: dict[str, Any], number: int, rounds: int) -> dict[str, Any]:
    # A few keys are shared by all, so that key generation is not measured.
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(4)]
    platform = {config["public_key_id"]: config["public_key"]}
    one = Wechatpay(
        mchid=config["mchid"],
        serial=config["serial"],
        private_key=keys[0],
        platform_keys=platform,
        base_url=config["base_url"],
    )
    async with one as wxpay:
        await wxpay.v3.eduPapay.contracts.presign.post(config["data"])
        gc.collect()
        tracemalloc.start()
        before, begun = tracemalloc.get_traced_memory()[0], time.perf_counter()
        many = [
            wxpay.as_merchant(
                mchid=str(1900100000 + each), serial=f"{each:040X}", private_key=keys[each % 4], platform_keys=platform
            )
            for each in range(number)
        ]
        for client in many:
            await client.v3.eduPapay.contracts.presign.post(config["data"])
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        begun = time.perf_counter()
        for each in range(200):
            wxpay.as_merchant(
                mchid=str(1900100000 + each), serial=f"{each:040X}", private_key=keys[each % 4], platform_keys=platform
            )
        made = (time.perf_counter() - begun) / 200
        rates: dict[str, list[float]] = {"one": [], "many": []}
        for _ in range(rounds):
            rates["one"].append(await _rate(itertools.repeat(wxpay), config["data"], number))
            rates["many"].append(await _rate(itertools.cycle(many), config["data"], number))
        connector = wxpay.transport.session().connector
        connections = sum(map(len, connector._conns.values())) if connector is not None else 0  # noqa: SLF001
    by_one, by_many = statistics.median(rates["one"]), statistics.median(rates["many"])
    return {
        "merchants": number,
        "kb_each": round(grown / number / 1024, 1),
        "make_us": round(made * 1e6),
        "rate_one": round(by_one),
        "rate_many": round(by_many),
        "rate_to_one": round(by_many / by_one, 3),
        "connections": connections,
    }


async def _rate(clients: Iterator[Wechatpay], data: Any, calls: int) -> float:
    remaining = iter(range(calls))

    async def work() -> None:
        for _ in remaining:
            await next(clients).v3.eduPapay.contracts.presign.post(data)

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
    return calls / (time.perf_counter() - begun)
