"""Advances the clock of the event loop, so that a test of a timeout does not depend on the speed of the machine."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["leap"]


def leap(seconds: float) -> None:
    """Advances the clock of the running event loop: timers that are due by then run in its next iteration."""
    loop: Any = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds
