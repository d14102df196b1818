"""An origin and the one that stands in for it: which of the two a call begins with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from yarl import URL

__all__ = ["FailoverHosts"]

#: Seconds for which calls begin with the stand-in, once the primary could not be reached.
REST: Final = 60.0


class FailoverHosts:
    """Remembers which of two origins answers, so that not every call waits for the dead one first."""

    def __init__(
        self, primary: str, backup: str = "", *, rest: float = REST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``backup`` empty: there is none. After ``rest`` seconds the primary is tried again."""
        self.primary: Final = URL(primary).origin()
        self.backup: Final = URL(backup).origin() if backup else None
        self._rest = rest
        self._clock = clock
        self._avoid_until = 0.0

    def serve(self, origin: URL) -> bool:
        """Whether ``origin`` has a stand-in here."""
        return self.backup is not None and origin == self.primary

    def first(self) -> URL:
        """The origin to begin with."""
        if self.backup is not None and self._clock() < self._avoid_until:
            return self.backup
        return self.primary

    def other(self, origin: URL) -> URL:
        """The one of the two that is not ``origin``."""
        return self.primary if self.backup is None or origin != self.primary else self.backup

    def unreachable(self, origin: URL) -> None:
        """No connection to ``origin``: begin with the other for a while."""
        self._avoid_until = self._clock() + self._rest if origin == self.primary else 0.0
