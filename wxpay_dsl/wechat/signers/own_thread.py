"""A thread for what must not be done in two at once, or holds up an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["OwnThread"]

T = TypeVar("T")


class OwnThread:
    """One thread, begun when first needed, and again in a process that was forked: no thread lives on in that."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begin()

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """What the function gives. Raises what it raises, and RuntimeError after :meth:`close`."""
        if self._pid != os.getpid():
            self._begin()
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def close(self, *, drop: bool = False) -> None:
        """Ends it after what it has to do; with ``drop`` what has not begun is left out."""
        self._executor.shutdown(wait=False, cancel_futures=drop)

    def _begin(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        self._pid = os.getpid()
