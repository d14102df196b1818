"""Times as the service writes them, always Beijing's, from and to Unix time in seconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

__all__ = ["beijing_date", "compact", "day_bounds", "plain", "read_compact", "read_rfc3339", "rfc3339"]

_BEIJING: Final = timezone(timedelta(hours=8))


def rfc3339(moment: float) -> str:
    """``2026-01-02T15:04:05+08:00``, as APIv3 has it."""
    return datetime.fromtimestamp(int(moment), _BEIJING).isoformat()


def compact(moment: float) -> str:
    """``20260102150405``, as APIv2 has it."""
    return f"{datetime.fromtimestamp(moment, _BEIJING):%Y%m%d%H%M%S}"


def plain(moment: float) -> str:
    """``2026-01-02 15:04:05``, as bills have it."""
    return f"{datetime.fromtimestamp(moment, _BEIJING):%Y-%m-%d %H:%M:%S}"


def read_rfc3339(text: str) -> float | None:
    """Unix time, or None for what is no time with an offset."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read.timestamp() if read.tzinfo is not None else None


def read_compact(text: str) -> float | None:
    """Unix time of APIv2's form, or None."""
    if len(text) != 14 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=_BEIJING).timestamp()
    except ValueError:
        return None


def beijing_date(moment: float) -> date:
    """The day that a moment belongs to."""
    return datetime.fromtimestamp(moment, _BEIJING).date()


def day_bounds(day: date) -> tuple[float, float]:
    """Unix time of the day's first second, and of the next day's."""
    start = datetime(day.year, day.month, day.day, tzinfo=_BEIJING).astimezone(UTC)
    return start.timestamp(), (start + timedelta(days=1)).timestamp()
