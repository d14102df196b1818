"""Converts the cells of bills (账单) to times, amounts in fen, rates, counts and ids.

Only the documented formats are accepted: ASCII digits, without spaces, separators, exponents or further decimals.
Anything else raises ValueError. Its message is safe to log: it quotes at most 32 characters, and never free text, which
may be what a customer bought.
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

#: The time zone of all times in bills: UTC+8, without daylight saving time since 1991.
BEIJING: Final = timezone(timedelta(hours=8), "Asia/Shanghai")

#: The number of digits is limited, so that a long text is not converted.
_FEN: Final = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9]{1,2}))?")
_FRACTION: Final = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9]{1,10}))?")
_RATE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,10})?)%")
_COUNT: Final = re.compile(r"([0-9]{1,18})(?:\.0{1,2})?")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
#: Values that an error message may quote: a number or time in another format, or a word such as ``NaN``.
_SHOWN: Final = re.compile(r"[0-9.,:_%+/eE -]{0,32}|[ -~]{1,8}")


@lru_cache(maxsize=4096)
def read_time(text: str) -> datetime:
    """``2026-03-18 10:00:00`` as an aware datetime in Asia/Shanghai (UTC+8)."""
    if _TIME.fullmatch(text):
        try:
            read = datetime.fromisoformat(text)
            return datetime.combine(read, read.time(), BEIJING)  # three times as fast as replace()
        except ValueError:
            pass  # For example the 31st of February.
    raise _wrong(text, "a time such as 2026-03-18 10:00:00")


def read_optional_time(text: str) -> datetime | None:
    """As :func:`read_time`; None for an empty text or ``0``, which mean that there is no time yet."""
    return read_time(text) if text not in ("", "0") else None


@lru_cache(maxsize=4096)
def read_fen(text: str) -> int:
    """``12.34`` (yuan) as 1234 (fen). An empty text, an amount that does not apply, is 0."""
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
    """``0.00600`` (yuan) as Decimal 0.600 (fen), exact in any decimal context. An empty text is 0."""
    found = _FRACTION.fullmatch(text)
    if found is not None:
        # The constructor is exact, while arithmetic rounds to the precision of the caller's decimal context.
        decimals = found[2] or ""
        return Decimal(f"{text}E2") if len(decimals) > 1 else Decimal(f"{found[1]}{decimals:<02}")
    if not text:
        return Decimal(0)
    raise _wrong(text, "an amount in yuan such as 0.00600")


@lru_cache(maxsize=256)
def read_rate(text: str) -> Decimal | None:
    """``0.60%`` as Decimal 0.0060; an empty text as None."""
    found = _RATE.fullmatch(text)
    if found is not None:
        return Decimal(f"{found[1]}E-2")
    if not text:
        return None
    raise _wrong(text, "a rate such as 0.60%")


def read_count(text: str) -> int:
    """``19`` or ``19.0``, which some bills have, as 19."""
    found = _COUNT.fullmatch(text)
    if found is None:
        raise _wrong(text, "a count such as 19")
    return int(found[1])


def read_id(text: str) -> str:
    """An id; empty for ``0``, which means that it does not apply."""
    return "" if text == "0" else text


def _wrong(text: str, wanted: str) -> ValueError:
    return ValueError(f"{_shown(text)} is not {wanted}")


def _shown(text: str) -> str:
    """A value for an error message. In a row that lacks a column it may be free text, so that it is only described."""
    return repr(text) if _SHOWN.fullmatch(text) else f"a text of {len(text)} characters"
