"""The values of bills (账单): texts to times, amounts in fen, rates, counts and ids.

Only the published forms are read: ASCII digits, without spaces, separators, exponents or further decimals. Anything
else raises ValueError with a message that is safe to show: it repeats at most 32 characters, and none that may be
what a customer bought.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Final

__all__ = [
    "BEIJING",
    "read_count",
    "read_fen",
    "read_fraction",
    "read_id",
    "read_optional_time",
    "read_rate",
    "read_time",
]

#: The zone of all times in bills. It has had no daylight saving time since 1991, before the first bill.
BEIJING: Final = timezone(timedelta(hours=8), "Asia/Shanghai")

#: Whole digits are bounded: more are no amount, and a text that is not a number could be long.
_FEN: Final = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9]{1,2}))?")
_FRACTION: Final = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9]{1,10}))?")
_RATE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,10})?)%")
_COUNT: Final = re.compile(r"([0-9]{1,18})(?:\.0{1,2})?")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
#: What an error repeats: a number or time that is written in another way, or a word such as ``NaN``.
_SHOWN: Final = re.compile(r"[0-9.,:_%+/eE -]{0,32}|[ -~]{1,8}")


@lru_cache(maxsize=4096)
def read_time(text: str) -> datetime:
    """``2026-03-18 10:00:00``, aware, in Beijing's time (Asia/Shanghai, UTC+8)."""
    if _TIME.fullmatch(text):
        try:
            read = datetime.fromisoformat(text)
            return datetime.combine(read, read.time(), BEIJING)  # a third of the time that replace() takes
        except ValueError:
            pass  # The 31st of February, say.
    raise _wrong(text, "a time such as 2026-03-18 10:00:00")


def read_optional_time(text: str) -> datetime | None:
    """As :func:`read_time`; None for an empty text or ``0``, where there is no time yet."""
    return read_time(text) if text not in ("", "0") else None


@lru_cache(maxsize=4096)
def read_fen(text: str) -> int:
    """``12.34`` (yuan) as 1234 (fen); an empty text, of an amount that does not apply, is 0."""
    found = _FEN.fullmatch(text)
    if found is not None:
        return int(found[1] + (found[2] or "").ljust(2, "0"))
    if not text:
        return 0
    if _FRACTION.fullmatch(text):
        raise ValueError(f"{_shown(text)} has fractions of a fen; this amount has at most two decimals")
    raise _wrong(text, "an amount in yuan such as 12.34")


@lru_cache(maxsize=4096)
def read_fraction(text: str) -> Decimal:
    """``0.00600`` (yuan) as 0.600 (fen), exact whatever the decimal context; an empty text is 0."""
    found = _FRACTION.fullmatch(text)
    if found is not None:
        # A constructor never rounds; arithmetic rounds to the precision that the caller's context has.
        decimals = found[2] or ""
        return Decimal(f"{text}E2") if len(decimals) > 1 else Decimal(f"{found[1]}{decimals:<02}")
    if not text:
        return Decimal(0)
    raise _wrong(text, "an amount in yuan such as 0.00600")


@lru_cache(maxsize=256)
def read_rate(text: str) -> Decimal | None:
    """``0.60%`` as 0.0060; an empty text as None."""
    found = _RATE.fullmatch(text)
    if found is not None:
        return Decimal(f"{found[1]}E-2")
    if not text:
        return None
    raise _wrong(text, "a rate such as 0.60%")


def read_count(text: str) -> int:
    """``19``, which some bills write as ``19.0``."""
    found = _COUNT.fullmatch(text)
    if found is None:
        raise _wrong(text, "a count such as 19")
    return int(found[1])


def read_id(text: str) -> str:
    """An id that is ``0`` where it does not apply."""
    return "" if text == "0" else text


def _wrong(text: str, wanted: str) -> ValueError:
    return ValueError(f"{_shown(text)} is not {wanted}")


def _shown(text: str) -> str:
    """A value in an error. A row that lost a column has other values here: texts of customers, say."""
    return repr(text) if _SHOWN.fullmatch(text) else f"a text of {len(text)} characters"
