"""Polls for a condition, with a timeout that a busy machine does not reach."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until", "wait_until"]

T = TypeVar("T")

#: Timeout in seconds. On an idle machine, every condition comes true within one.
PATIENCE = 90.0


def wait_until(condition: Callable[[], T], what: str = "it") -> T:
    """Polls ``condition`` until its result is true, and returns that. Fails after :data:`PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(0.005)


async def until(condition: Callable[[], T], what: str = "it") -> T:
    """:func:`wait_until` for coroutines."""
    deadline = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what} never came true"
        await asyncio.sleep(0.001)
