"""What a fork must not find in use: locks, and connections with state of their process.

A fork copies the memory and, of all threads, only the one that forks. What another thread was in the middle of stays so
in the child for ever: a lock is never let go, a library's own state never put in order. Whoever holds such a thing
registers it here, and brings it to rest before each fork.
"""

from __future__ import annotations

import os
import threading
from typing import Final, Protocol
from weakref import WeakSet

__all__ = ["ForkAware", "ForkSafeLock", "register"]

#: Seconds that a fork waits for a lock. Longer ones are held by what never lets go; the child gets a new lock anyway.
_PATIENCE: Final = 5.0


class ForkAware(Protocol):
    """Something that is brought to rest before a fork. Neither method raises."""

    def before_fork(self) -> None:
        """Called in the thread that is about to fork."""

    def after_fork(self, *, child: bool) -> None:
        """Called after the fork, in both processes; ``child`` says in which."""


_registered: WeakSet[ForkAware] = WeakSet()
#: What was brought to rest for the fork that is under way.
_resting: list[ForkAware] = []
#: One fork at a time: two that wait for each other's locks would wait for ever.
_forks: Final = threading.RLock()


def register(thing: ForkAware) -> None:
    """Brings ``thing`` to rest before each fork from now on, as long as it lives."""
    with _forks:
        _registered.add(thing)


class ForkSafeLock:
    """A lock that nobody else holds at the moment of a fork, and that is free in the child. For steps that are short
    and never fork.
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
        """Waits until nobody holds it."""
        self._held = self._lock.acquire(timeout=_PATIENCE)

    def after_fork(self, *, child: bool) -> None:
        """Lets it go."""
        held, self._held = self._held, False
        if child:
            self._lock = threading.Lock()
        elif held:
            self._lock.release()


def _before() -> None:
    _forks.acquire()
    for thing in list(_registered):
        thing.before_fork()
        _resting.append(thing)


def _after(*, child: bool) -> None:
    try:
        while _resting:
            _resting.pop().after_fork(child=child)
    finally:
        _forks.release()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        before=_before, after_in_parent=lambda: _after(child=False), after_in_child=lambda: _after(child=True)
    )
