"""Claims in the memory of one process: for tests, and for a process whose handlers may run again after a restart."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from wxpay_dsl.core.forking import ForkSafeLock

from .store import KEEP, Claim, Finished

__all__ = ["MemoryStore"]

#: Finished notifications that are remembered, about 20 MB.
_LIMIT: Final = 100_000


class MemoryStore:
    """Claims in a dictionary. Everything is forgotten when the process ends, and the oldest beyond 100,000 entries."""

    def __init__(self, *, keep: float = KEEP, clock: Callable[[], float] = time.monotonic) -> None:
        """``keep``: seconds for which finished notifications are remembered; ``clock``: a monotonic clock."""
        self.keep = keep
        self._clock = clock
        # Event loops of several threads may share the store; each step takes less than a microsecond.
        self._lock = ForkSafeLock()
        #: ``{key: (token, time at which the lease expires)}``
        self._claims: dict[str, tuple[str, float]] = {}
        #: ``{key: (time until which it is remembered, token, data)}``, in the order of finishing.
        self._finished: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()

    async def claim(self, claim: Claim, lease: float) -> Finished | bool:
        """See :meth:`Store.claim <wxpay_dsl.notify.stores.Store.claim>`."""
        now = self._clock()
        with self._lock:
            finished = self._finished.get(claim.key)
            if finished is not None:
                if finished[0] > now:
                    return Finished(finished[2])
                del self._finished[claim.key]
            return self._take(claim, lease, now)

    async def renew(self, claim: Claim, lease: float) -> bool:
        """See :meth:`Store.renew <wxpay_dsl.notify.stores.Store.renew>`."""
        with self._lock:
            finished = self._finished.get(claim.key)
            return self._take(claim, lease, self._clock()) if finished is None else finished[1] == claim.token

    async def done(self, claim: Claim, data: bytes) -> bool:
        """See :meth:`Store.done <wxpay_dsl.notify.stores.Store.done>`."""
        now = self._clock()
        with self._lock:
            finished = self._finished.get(claim.key)
            if finished is not None:
                return finished[1] == claim.token
            if not self._take(claim, 0.0, now):
                return False
            del self._claims[claim.key]
            self._finished[claim.key] = math.inf if claim.persistent else now + self.keep, claim.token, data
            while len(self._finished) > _LIMIT:
                self._finished.popitem(last=False)
            return True

    async def release(self, claim: Claim) -> None:
        """See :meth:`Store.release <wxpay_dsl.notify.stores.Store.release>`."""
        with self._lock:
            if self._claims.get(claim.key, ("",))[0] == claim.token:
                del self._claims[claim.key]

    async def close(self) -> None:
        """Does nothing: there are no connections."""

    def _take(self, claim: Claim, lease: float, now: float) -> bool:
        held = self._claims.get(claim.key)
        if held is not None and held[0] != claim.token and held[1] > now:
            return False
        self._claims[claim.key] = claim.token, now + lease
        return True
