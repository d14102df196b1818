"""Waiting for what must come true, on however busy a machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until", "wait_until"]

T = TypeVar("T")

#: Seconds; nothing here takes one on an idle machine.
PATIENCE = 90.0


def wait_until(holds: Callable[[], T], what: str = "it") -> T:
    """What ``holds()`` gives, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(0.005)


async def until(holds: Callable[[], T], what: str = "it") -> T:
    """The same, in an event loop."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} never came true"
        await asyncio.sleep(0.001)
