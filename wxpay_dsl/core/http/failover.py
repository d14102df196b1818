"""Failover between a primary origin and its backup: decides which of the two a call is sent to first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from yarl import URL

__all__ = ["FailoverHosts"]

#: Seconds for which calls are sent to the backup first after the primary could not be reached.
COOLDOWN: Final = 60.0


class FailoverHosts:
    """Remembers which of two origins can be reached, so that not every call waits for an unreachable one first."""

    def __init__(
        self, primary: str, backup: str = "", *, cooldown: float = COOLDOWN, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``backup``: empty for no backup. ``cooldown``: seconds until the primary is tried again."""
        self.primary: Final = URL(primary).origin()
        self.backup: Final = URL(backup).origin() if backup else None
        self._cooldown = cooldown
        self._clock = clock
        self._avoid_until = 0.0

    def serve(self, origin: URL) -> bool:
        """Whether ``origin`` is the primary of a pair with a backup."""
        return self.backup is not None and origin == self.primary

    def first(self) -> URL:
        """The origin to try first."""
        if self.backup is not None and self._clock() < self._avoid_until:
            return self.backup
        return self.primary

    def other(self, origin: URL) -> URL:
        """The other origin of the two; the primary if there is no backup."""
        return self.primary if self.backup is None or origin != self.primary else self.backup

    def unreachable(self, origin: URL) -> None:
        """Records that ``origin`` could not be reached, so that the other is tried first until the cooldown ends."""
        self._avoid_until = self._clock() + self._cooldown if origin == self.primary else 0.0
