"""Formats and parses the service's times, always in Beijing's zone, from and to Unix time in seconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

__all__ = ["beijing_date", "compact", "day_bounds", "plain", "read_compact", "read_rfc3339", "rfc3339"]

_BEIJING: Final = timezone(timedelta(hours=8))


def rfc3339(moment: float) -> str:
    """Formats as ``2026-01-02T15:04:05+08:00``, the format of APIv3."""
    return datetime.fromtimestamp(int(moment), _BEIJING).isoformat()


def compact(moment: float) -> str:
    """Formats as ``20260102150405``, the format of APIv2."""
    return f"{datetime.fromtimestamp(moment, _BEIJING):%Y%m%d%H%M%S}"


def plain(moment: float) -> str:
    """Formats as ``2026-01-02 15:04:05``, the format of bills."""
    return f"{datetime.fromtimestamp(moment, _BEIJING):%Y-%m-%d %H:%M:%S}"


def read_rfc3339(text: str) -> float | None:
    """Parses RFC 3339; None if the text is not a time with an offset."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read.timestamp() if read.tzinfo is not None else None


def read_compact(text: str) -> float | None:
    """Parses ``20260102150405``; None if the text is not of that format."""
    if len(text) != 14 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=_BEIJING).timestamp()
    except ValueError:
        return None


def beijing_date(moment: float) -> date:
    """Returns the date in Beijing at a Unix time."""
    return datetime.fromtimestamp(moment, _BEIJING).date()


def day_bounds(day: date) -> tuple[float, float]:
    """Returns the Unix times at which a day in Beijing begins and the next day begins."""
    start = datetime(day.year, day.month, day.day, tzinfo=_BEIJING).astimezone(UTC)
    return start.timestamp(), (start + timedelta(days=1)).timestamp()
