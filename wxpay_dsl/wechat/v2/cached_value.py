"""A cached value that is fetched asynchronously: at the first use and after it expires, by one fetch at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["CachedValue"]

T = TypeVar("T")


class CachedValue(Generic[T]):
    """Keeps the result of ``fetch`` for ``lifetime`` seconds. Concurrent callers wait for one fetch.

    An error is raised to the caller whose fetch failed, and is not cached.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], lifetime: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._lifetime = lifetime
        self._clock = clock
        self._cached: tuple[T, float] | None = None
        # One lock for each event loop, since a lock works in one event loop only.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def get(self) -> T:
        """The value. Raises what ``fetch`` raises."""
        cached = self._fresh()
        if cached is not None:
            return cached[0]
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            cached = self._fresh()
            if cached is None:
                cached = self._cached = await self._fetch(), self._clock() + self._lifetime
            return cached[0]

    def _fresh(self) -> tuple[T, float] | None:
        cached = self._cached
        return cached if cached is not None and self._clock() < cached[1] else None

    def __reduce__(self) -> str:
        raise TypeError("a cached value may be a key and is never pickled")
