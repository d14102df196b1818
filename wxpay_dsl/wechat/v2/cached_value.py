"""A value that takes a call to get: fetched when first needed, kept for a while, by one fetch at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["CachedValue"]

T = TypeVar("T")


class CachedValue(Generic[T]):
    """Keeps what ``fetch`` gave for ``lifetime`` seconds; however many ask at once, one of them fetches.

    An error is raised to whoever asked, and kept for nobody.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], lifetime: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._lifetime = lifetime
        self._clock = clock
        self._kept: tuple[T, float] | None = None
        # A lock belongs to the event loop in which it is first waited for.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def get(self) -> T:
        """The value. Raises whatever fetching it raises."""
        kept = self._fresh()
        if kept is not None:
            return kept[0]
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            kept = self._fresh()
            if kept is None:
                kept = self._kept = await self._fetch(), self._clock() + self._lifetime
            return kept[0]

    def _fresh(self) -> tuple[T, float] | None:
        kept = self._kept
        return kept if kept is not None and self._clock() < kept[1] else None

    def __reduce__(self) -> str:
        raise TypeError("a cached value may be a key and is never pickled")
