"""A notification (通知) on its way: what it says, when it is sent next, and what the merchant answered.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

__all__ = ["SCHEDULE", "Attempt", "Delivery", "attempted"]

#: Seconds between one delivery and the next, until the merchant says yes: 15 times in 24 hours.
SCHEDULE: Final = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)


@frozen
class Attempt:
    """One delivery: when (Unix time), what the merchant answered, and why that counts for nothing, if so."""

    at: float
    #: 0 where there was no answer.
    status: int
    fault: str = ""


def _attempts(given: Iterable[Attempt | Mapping[str, Any]]) -> tuple[Attempt, ...]:
    return tuple(one if isinstance(one, Attempt) else Attempt(**one) for one in given)


@frozen
class Delivery:
    """A notification and what became of it. Times are Unix time, by the sandbox's clock."""

    #: Who is told, and where.
    mchid: str
    url: str
    event_type: str
    #: Its own id; of APIv2's, which have none, one of the sandbox's.
    id: str
    #: ``v3`` or ``v2``.
    dialect: str
    #: What it says, the same at each attempt: of APIv3 the envelope, of APIv2 the fields but nonce and signature.
    contents: Mapping[str, Any] = field(repr=False)
    #: When it is sent next, while it is pending.
    due: float
    #: Of APIv2: ``MD5`` or ``HMAC-SHA256``; empty for a message that has no signature.
    sign_type: str = ""
    attempts: tuple[Attempt, ...] = field(default=(), converter=_attempts)
    #: Attempts of the schedule that were no use; duplicates are not counted.
    failures: int = 0
    #: ``pending``, ``accepted``, or ``given up``.
    state: str = "pending"


def attempted(delivery: Delivery, attempt: Attempt, now: float, speed: float, *, follows: bool) -> Delivery:
    """The delivery after an attempt; one that ``follows`` the schedule, ``speed`` times as fast as the real one, has
    the next attempt follow it where it was no use.
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
