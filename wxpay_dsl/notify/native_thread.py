"""Threads of the operating system, and waiting for what they do, where gevent has put greenlets in their place.

An asyncio loop in a greenlet is the running loop of every other greenlet of its thread: none of them could run a loop
of its own any more.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from typing import Any, TypeVar

__all__ = ["start_thread", "wait_for"]

Result = TypeVar("Result")


def _gevent() -> Any:
    """gevent's monkey, where it has replaced threads; None elsewhere."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def start_thread(function: Callable[[], object], name: str) -> None:
    """Runs ``function`` in a daemon thread of the operating system."""
    monkey = _gevent()
    if monkey is not None:
        monkey.get_original("_thread", "start_new_thread")(function, ())
    else:
        threading.Thread(target=function, name=name, daemon=True).start()


def wait_for(future: Future[Result]) -> Result:
    """The result of a future that another thread sets. Under gevent the other greenlets go on meanwhile."""
    if _gevent() is not None:
        # Not by `import`, which type checkers would follow: only who uses gevent has it.
        done: Any = import_module("gevent.event").Event()
        watcher: Any = (
            import_module("gevent").get_hub().loop.async_()
        )  # the one thing of gevent's that another thread may wake
        watcher.start(done.set)  # first: what wakes it before it has begun is lost
        try:
            future.add_done_callback(lambda _: watcher.send())
            done.wait()
        finally:
            watcher.close()
    return future.result()
