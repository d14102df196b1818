"""Makes locks and other state safe across ``os.fork()``.

A fork copies the memory, but of all threads only the one that forks. A lock that another thread holds at that moment is
never released in the child, and a library's state that it was changing stays half changed. Objects with such state
register here; before each fork they wait until it is consistent.
"""

from __future__ import annotations

import os
import threading
from typing import Final, Protocol
from weakref import WeakSet

__all__ = ["ForkAware", "ForkSafeLock", "register"]

#: Seconds that a fork waits for a lock, at most. It goes on then, and the child gets a new lock in any case.
_LOCK_TIMEOUT: Final = 5.0


class ForkAware(Protocol):
    """An object with state that must be consistent at a fork. Neither method may raise."""

    def before_fork(self) -> None:
        """Waits until the state is consistent; called in the thread that is about to fork."""

    def after_fork(self, *, child: bool) -> None:
        """Undoes :meth:`before_fork`; called in both processes, in the new one with ``child`` True."""


_registered: WeakSet[ForkAware] = WeakSet()
#: Objects whose ``before_fork`` was called for the current fork.
_prepared: list[ForkAware] = []
#: One fork at a time: two that wait for each other's locks would deadlock.
_forks: Final = threading.RLock()


def register(thing: ForkAware) -> None:
    """Calls the methods of ``thing`` at each fork from now on, as long as it is alive. It is held weakly."""
    with _forks:
        _registered.add(thing)


class ForkSafeLock:
    """A lock that no other thread holds at a fork, and that is free in the child. For short critical sections that do
    not fork themselves.
    """

    __slots__ = ("__weakref__", "_held", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = False
        register(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Acquires the lock."""
        self._held = self._lock.acquire(timeout=_LOCK_TIMEOUT)

    def after_fork(self, *, child: bool) -> None:
        """Releases the lock, or replaces it in the child."""
        held, self._held = self._held, False
        if child:
            self._lock = threading.Lock()
        elif held:
            self._lock.release()


def _before() -> None:
    _forks.acquire()
    for thing in list(_registered):
        thing.before_fork()
        _prepared.append(thing)


def _after(*, child: bool) -> None:
    try:
        while _prepared:
            _prepared.pop().after_fork(child=child)
    finally:
        _forks.release()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_before, after_in_parent=lambda: _after(child=False), after_in_child=lambda: _after(child=True)
    )
