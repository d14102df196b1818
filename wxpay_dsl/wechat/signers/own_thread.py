"""A single worker thread for blocking work that must not run concurrently."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["OwnThread"]

T = TypeVar("T")


class OwnThread:
    """One worker thread, started at the first use and again after a fork, since threads do not survive one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._start()

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Calls ``function`` in the thread and returns its result.

        Raises what the function raises, and RuntimeError after :meth:`close`.
        """
        if self._pid != os.getpid():
            self._start()
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def close(self, *, drop: bool = False) -> None:
        """Ends the thread once its queue is done; with ``drop``, calls that have not started are cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=drop)

    def _start(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        self._pid = os.getpid()
