"""Operating system threads, and waiting for their results, in processes where gevent has replaced threads by greenlets.

An asyncio loop that runs in a greenlet is the running loop of every other greenlet of its thread, so none of them could
run a loop of its own. The loop therefore runs in a real thread.
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


def _patched_monkey() -> Any:
    """The module ``gevent.monkey`` if it has replaced threads, else None."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def start_thread(function: Callable[[], object], name: str) -> None:
    """Runs ``function`` in a daemon thread of the operating system."""
    monkey = _patched_monkey()
    if monkey is not None:
        # Creating the first hub imports gevent's event loop. Import locks are greenlets' locks after patching: the new
        # thread and this one would wait for each other if both imported it.
        import_module("gevent").get_hub()
        import_module("gevent.event")
        monkey.get_original("_thread", "start_new_thread")(function, ())
    else:
        threading.Thread(target=function, name=name, daemon=True).start()


def wait_for(future: Future[Result]) -> Result:
    """The result of a future that another thread sets. Under gevent the other greenlets run meanwhile."""
    if _patched_monkey() is not None:
        # Imported by name, because type checkers would follow an `import`, and gevent is no dependency.
        done: Any = import_module("gevent.event").Event()
        # An async watcher is the only object of gevent that another thread may use.
        watcher: Any = import_module("gevent").get_hub().loop.async_()
        watcher.start(done.set)  # before the callback is added: a send() before start() is lost
        try:
            future.add_done_callback(lambda _: watcher.send())
            done.wait()
        finally:
            watcher.close()
    return future.result()
