"""Whether the event loop has turns while something else works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["turning"]


@asynccontextmanager
async def turning() -> AsyncIterator[Callable[[], bool]]:
    """Gives what another thread calls at its work: it waits until the loop has had a turn meanwhile, and says whether
    it had one. Called in the loop's own thread it says no, after a minute.
    """
    turned = threading.Event()

    async def turn() -> None:
        while True:
            await asyncio.sleep(0.001)
            turned.set()

    def has_turned() -> bool:
        turned.clear()
        return turned.wait(60)

    task = asyncio.create_task(turn())
    try:
        yield has_turned
    finally:
        task.cancel()
