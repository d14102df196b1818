"""What comes back from JSON as lists, as the tuples that records hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["entries", "numbers"]


def entries(given: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Parts of a record."""
    return tuple(given)


def numbers(given: Iterable[str]) -> tuple[str, ...]:
    """The parts of a key."""
    return tuple(given)
