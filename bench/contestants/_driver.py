"""What the Python contestants share: the loop that takes orders, and the clocks."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

#: One call; it raises if the answer is not the right one, verified.
Call = Callable[[], Awaitable[Any]]


async def drive(call: Call) -> None:
    """Makes calls as stdin orders, until it ends."""
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        order = json.loads(line)
        begun, cpu = time.perf_counter(), time.process_time()
        remaining = iter(range(order["calls"]))

        async def work(remaining: Any = remaining) -> None:
            for _ in remaining:
                await call()

        late: list[float] = []
        observer = asyncio.create_task(_observe(late)) if order.get("observe") else None
        await asyncio.gather(*(work() for _ in range(order["in_flight"])))
        told = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - begun}
        if observer is not None:
            observer.cancel()
            late.sort()
            told["late_p50_ms"] = late[len(late) // 2] * 1000
            told["late_p99_ms"] = late[int(len(late) * 0.99)] * 1000
        told["rss_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(told), flush=True)


async def _observe(late: list[float]) -> None:
    """Another task of the same loop: how much later than asked it is woken, in seconds."""
    while True:
        asked = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - asked)


def settings() -> dict[str, Any]:
    """Whom to call and as whom, from the first argument."""
    told: dict[str, Any] = json.loads(sys.argv[1])
    return told
