"""Checks whether the event loop keeps running while another thread works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["turning"]


@asynccontextmanager
async def turning() -> AsyncIterator[Callable[[], bool]]:
    """Yields a function that waits for the next iteration of the event loop and returns whether there was one.

    To be called in another thread; in the thread of the event loop it returns False after a minute.
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
