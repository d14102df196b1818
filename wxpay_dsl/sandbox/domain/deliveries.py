"""The delivery of a notification (通知): its contents, its schedule, and the merchant's responses.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

__all__ = ["SCHEDULE", "Attempt", "Delivery", "record_attempt"]

#: Seconds before each further attempt until the merchant acknowledges: 15 times in 24 hours.
SCHEDULE: Final = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)


@frozen
class Attempt:
    """One attempt to deliver: its Unix time, the HTTP status, and why it failed (empty if it was acknowledged)."""

    at: float
    #: HTTP status of the response; 0 if there was none.
    status: int
    fault: str = ""


def _attempts(values: Iterable[Attempt | Mapping[str, Any]]) -> tuple[Attempt, ...]:
    return tuple(one if isinstance(one, Attempt) else Attempt(**one) for one in values)


@frozen
class Delivery:
    """A notification and the state of its delivery. Times are Unix time in seconds, by the sandbox's clock."""

    #: The merchant that is notified, and the URL that is called.
    mchid: str
    url: str
    event_type: str
    #: The notification id; APIv2 has none, so the sandbox makes one.
    id: str
    #: ``v3`` or ``v2``.
    dialect: str
    #: The message, the same at each attempt: for APIv3 the envelope, for APIv2 the fields without nonce and signature.
    contents: Mapping[str, Any] = field(repr=False)
    #: Time of the next attempt while the delivery is pending.
    due: float
    #: APIv2 only: ``MD5`` or ``HMAC-SHA256``; empty for a message without signature.
    sign_type: str = ""
    attempts: tuple[Attempt, ...] = field(default=(), converter=_attempts)
    #: Failed attempts of the schedule; duplicates are not counted.
    failures: int = 0
    #: ``pending``, ``accepted``, or ``given up``.
    state: str = "pending"


def record_attempt(delivery: Delivery, attempt: Attempt, now: float, speed: float, *, follows: bool) -> Delivery:
    """Returns the delivery after an attempt.

    ``follows``: whether the attempt is one of the schedule, so that a failure leads to the next attempt; duplicates are
    not. ``speed``: how many times faster than the real schedule.
    """
    after = evolve(delivery, attempts=(*delivery.attempts, attempt))
    if not attempt.fault:
        return evolve(after, state="accepted")
    if not follows or delivery.state != "pending":
        return after
    failures = delivery.failures + 1
    if failures > len(SCHEDULE):
        return evolve(after, failures=failures, state="given up")
    return evolve(after, failures=failures, due=now + SCHEDULE[failures - 1] / speed)
