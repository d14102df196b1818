"""Converters for attrs fields: JSON lists, as loaded from the file, into the tuples that records hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["entries", "strings"]


def entries(values: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """A tuple of JSON objects."""
    return tuple(values)


def strings(values: Iterable[str]) -> tuple[str, ...]:
    """A tuple of strings."""
    return tuple(values)
