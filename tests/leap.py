"""Time that passes at once: what ends by a timeout needs no waiting, and a slow machine cannot end anything else."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["leap"]


def leap(seconds: float) -> None:
    """The running event loop's clock goes forward: each timer that is due by then runs in the next turn."""
    loop: Any = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds
