"""Decides when platform certificates (平台证书) are downloaded. Pure functions of the time: no I/O, no timer."""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

__all__ = ["Refresh", "RefreshPolicy"]


class Refresh(Enum):
    """What to do about platform certificates now."""

    #: Start a download.
    START = "start"
    #: A download is running: wait for it.
    JOIN = "join"
    #: Go on without: a download is not due, or it is too soon after the last attempt.
    NOT_NOW = "not now"


@frozen
class RefreshPolicy:
    """When to download platform certificates: on schedule and on an unknown serial, one download at a time.

    Immutable: each step returns the next state. Times are seconds of one monotonic clock, which the caller reads.
    """

    #: Seconds between two scheduled downloads; None: no scheduled downloads.
    interval: float | None = 12 * 3600.0
    #: Seconds between the starts of any two downloads, so that forged serials cannot cause many of them.
    minimum_interval: float = 300.0
    running: bool = False
    attempted_at: float | None = None
    failures: int = 0

    def next_due(self) -> float | None:
        """When the next scheduled download starts; None: never. A time in the past means now.

        After failures the pause doubles, from ``minimum_interval`` up to ``interval``.
        """
        if self.interval is None:
            return None
        if self.attempted_at is None:
            return float("-inf")
        if not self.failures:
            return self.attempted_at + self.interval
        return self.attempted_at + min(self.interval, self.minimum_interval * 2.0 ** min(self.failures - 1, 30))

    def on_schedule(self, now: float) -> Refresh:
        """The decision for a scheduled download, which no call waits for: the loaded keys stay in use meanwhile."""
        due = self.next_due()
        return Refresh.NOT_NOW if self.running or due is None or now < due else Refresh.START

    def on_unknown_serial(self, now: float) -> Refresh:
        """The decision for a response or notification whose serial no loaded key has."""
        if self.running:
            return Refresh.JOIN
        too_soon = self.attempted_at is not None and now < self.attempted_at + self.minimum_interval
        return Refresh.NOT_NOW if too_soon else Refresh.START

    def on_need(self, now: float) -> Refresh:
        """The decision for a call that needs a key while none is valid: pauses after failures are short."""
        if self.running:
            return Refresh.JOIN
        pause = min(self.minimum_interval, 2.0 ** min(self.failures, 30)) if self.failures else self.minimum_interval
        too_soon = self.attempted_at is not None and now < self.attempted_at + pause
        return Refresh.NOT_NOW if too_soon else Refresh.START

    def on_demand(self, now: float) -> Refresh:
        """The decision for an explicit request to refresh, which ignores the schedule."""
        return Refresh.JOIN if self.running else Refresh.START

    def started(self, now: float) -> RefreshPolicy:
        """The state while a download runs. Raises :class:`RuntimeError` if one is running already."""
        if self.running:
            raise RuntimeError("a refresh of platform certificates is already running")
        return evolve(self, running=True, attempted_at=now)

    def succeeded(self) -> RefreshPolicy:
        """The state after a download succeeded."""
        return evolve(self, running=False, failures=0)

    def failed(self) -> RefreshPolicy:
        """The state after a download failed or was cancelled."""
        return evolve(self, running=False, failures=self.failures + 1)
