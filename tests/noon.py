"""Noon in a sandbox: what happens in a test then happens on one day, whenever the test is run."""

from __future__ import annotations

from datetime import date

from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.domain.times import beijing_date, day_bounds

__all__ = ["to_noon"]

_DAY = 86_400


def to_noon(sandbox: Sandbox) -> date:
    """Moves the sandbox's clock on to the next noon in Beijing; gives that day, which is not over for twelve hours."""
    now = sandbox.state.now
    first, _ = day_bounds(beijing_date(now))
    sandbox.control.advance_clock((first + _DAY / 2 - now) % _DAY)
    return beijing_date(sandbox.state.now)
