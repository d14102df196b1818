"""The values of bills (账单): texts to times, amounts in fen, rates and ids. All raise ValueError for other texts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

__all__ = ["read_count", "read_fen", "read_fraction", "read_id", "read_rate", "read_time"]


def read_time(text: str) -> datetime | None:
    """``2026-03-18 10:00:00``, Beijing's time; None where there is none."""
    return datetime.fromisoformat(text + "+08:00") if len(text) > 1 else None


@lru_cache(maxsize=4096)
def read_fen(text: str) -> int:
    """``12.34`` (yuan) as 1234; ``0`` and nothing are 0. Raises ValueError for fractions of a fen."""
    whole, point, rest = text.partition(".")
    if len(rest) == 2:
        return int(whole + rest)
    if not point:
        return int(text) * 100 if text else 0
    if rest[2:].strip("0"):
        raise ValueError(f"{text!r} has fractions of a fen")
    return int(whole + (rest + "00")[:2])


@lru_cache(maxsize=4096)
def read_fraction(text: str) -> Decimal:
    """``0.00600`` (yuan) as 0.60000, in fen."""
    try:
        return Decimal(text) * 100 if text else Decimal(0)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount") from None


@lru_cache(maxsize=256)
def read_rate(text: str) -> Decimal | None:
    """``0.60%`` as 0.0060."""
    try:
        return Decimal(text.removesuffix("%")).scaleb(-2) if text else None
    except InvalidOperation:
        raise ValueError(f"{text!r} is no rate") from None


def read_count(text: str) -> int:
    """``19``, which some bills write as ``19.0``."""
    return int(text.partition(".")[0])


def read_id(text: str) -> str:
    """An id that is ``0`` where it does not apply."""
    return "" if text == "0" else text
