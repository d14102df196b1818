"""Sets a sandbox's clock to noon, so that all events of a test are on one day, whenever it runs."""

from __future__ import annotations

from datetime import date

from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.domain.times import beijing_date, day_bounds

__all__ = ["to_noon"]

_DAY = 86_400


def to_noon(sandbox: Sandbox) -> date:
    """Advances the sandbox's clock to the next noon in Beijing, and returns the date, which lasts for 12 more hours."""
    now = sandbox.state.now
    first, _ = day_bounds(beijing_date(now))
    sandbox.control.advance_clock((first + _DAY / 2 - now) % _DAY)
    return beijing_date(sandbox.state.now)
