"""Parses the keyword ``checked``: what the facts of an operation or event were compared with, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from .grammar import Mistake, check_keywords, expect, nearest
from .model import SOURCES, Checked

__all__ = ["is_official", "parse_checked"]

_WORDS: Final[Mapping[str, tuple[type, ...]]] = {"source": (str,), "date": (str,)}


def parse_checked(raw: Mapping[str, Any]) -> Checked:
    """Parses ``{source: official, date: 2026-08-08}``. Raises Mistake."""
    try:
        check_keywords(raw, _WORDS, "`checked`")
        for word, types in _WORDS.items():
            if word not in raw:
                raise Mistake(f"{word!r} is missing: `checked: {{source: official, date: 2026-08-08}}`")
            expect(raw[word], types, word)
        source, day = raw["source"], raw["date"]
        if source not in SOURCES:
            raise Mistake(
                f"{source!r} is not a source{nearest(source, SOURCES)}: one of {', '.join(SOURCES)}", "source"
            )
        try:
            parsed = date.fromisoformat(day)
        except ValueError:
            parsed = None
        if parsed is None or parsed.isoformat() != day:
            raise Mistake(f"{day!r:.40} is not a date: YYYY-MM-DD", "date")
    except Mistake as mistake:
        raise mistake.within("checked") from None
    return Checked(source, day)


def is_official(checked: Checked | None) -> bool:
    """Whether facts were compared with the official pages; only those make a request be refused."""
    return checked is not None and checked.source == "official"
