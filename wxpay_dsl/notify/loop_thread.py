"""An event loop in a background thread, for servers without one (WSGI)."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar

from wxpay_dsl.core.forking import ForkSafeLock

from .native_thread import start_thread, wait_for

__all__ = ["LoopThread"]

Result = TypeVar("Result")


class LoopThread:
    """Runs coroutines for other threads. Its thread starts with the first one, and again in a forked process."""

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        """``close`` is awaited in the loop before the process exits."""
        self._close = close
        self._lock = ForkSafeLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """The result of the coroutine, run with the caller's context variables (such as a Flask application's)."""
        future: Future[Result] = Future()

        async def main() -> None:
            try:
                future.set_result(await coroutine)
            except BaseException as error:  # noqa: BLE001 - it is raised in the waiting thread
                future.set_exception(error)

        tasks: list[asyncio.Task[None]] = []
        loop = self._running()
        loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(main())), context=copy_context())
        return wait_for(future)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = _running_loop(), os.getpid()
                # Registered in the process that has the thread; a forked process registers its own.
                atexit.register(self._stop, self._loop, self._pid)
            return self._loop

    def _stop(self, loop: asyncio.AbstractEventLoop, pid: int) -> None:
        if pid != os.getpid():
            return

        async def close() -> None:
            await self._close()

        wait_for(asyncio.run_coroutine_threadsafe(close(), loop))
        loop.call_soon_threadsafe(loop.stop)


def _running_loop() -> asyncio.AbstractEventLoop:
    """Starts an event loop in a new thread."""
    created: Future[asyncio.AbstractEventLoop] = Future()

    def run() -> None:
        # Created in its thread: gevent's replacement of the selector belongs to the thread that creates it.
        loop = asyncio.new_event_loop()
        created.set_result(loop)
        loop.run_forever()

    start_thread(run, "wxpay-notify-loop")
    return wait_for(created)
