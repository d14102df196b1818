"""The loop of the Python clients: reads orders from stdin, makes calls, and measures them."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

#: One call; it raises unless the response is verified and correct.
Call = Callable[[], Awaitable[Any]]


async def drive(call: Call) -> None:
    """Makes the calls that stdin orders, until an empty line."""
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
        result = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - begun}
        if observer is not None:
            observer.cancel()
            late.sort()
            result["late_p50_ms"] = late[len(late) // 2] * 1000
            result["late_p99_ms"] = late[int(len(late) * 0.99)] * 1000
        result["rss_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(result), flush=True)


async def _observe(late: list[float]) -> None:
    """Sleeps repeatedly for 1 ms, and records how many seconds too late it was woken."""
    while True:
        asked = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - asked)


def settings() -> dict[str, Any]:
    """The settings of the client, from the first argument: URL, keys, merchant and data."""
    result: dict[str, Any] = json.loads(sys.argv[1])
    return result
