"""Checks the facts of a spec: examples that cannot be values of their fields, and roles that an operation lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from wxpay_dsl.core.specs.model import Operation, Schema

__all__ = ["example_error", "unknown_roles"]

#: A path in a file's data, and what is wrong there.
_Problem = tuple[tuple[str | int, ...], str]
#: RFC 3339, as JSON Schema's `date-time`: seconds and an offset are part of it.
_DATE_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})\Z")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_WORD: Final = r"[A-Z][A-Z0-9_]+"
#: Two values of an enumeration in one string, joined by a word or sign (one or two letters of another script, too).
_EITHER: Final = re.compile(rf"{_WORD}\s*(?:[^\x00-\x7f]{{1,2}}|\||/|\bor\b)\s*{_WORD}\Z")


def example_error(schema: Schema, value: Any) -> str:
    """Why ``value`` cannot be a value of a field, by its format or because it names two values; empty if it can.

    Values in lists and objects are checked too.
    """
    if isinstance(value, Mapping):
        below = ((schema.properties.get(name, schema.additional), item) for name, item in value.items())
        return next((said for field, item in below if field is not None and (said := example_error(field, item))), "")
    if isinstance(value, (list, tuple)):
        return next((said for item in value if schema.items and (said := example_error(schema.items, item))), "")
    if not isinstance(value, str) or schema.type != "string" or schema.encrypted:
        return ""
    if _EITHER.match(value):
        return f"{value!r:.60} is several values in one string"
    form = _FORMATS.get(schema.format)
    return "" if form is None or form(value) else f"{value!r:.60} is not a {schema.format}"


def _is_date(value: str) -> bool:
    try:
        return _DATE.match(value) is not None and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_date_time(value: str) -> bool:
    try:
        return _DATE_TIME.match(value) is not None and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_uri(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and not any(c.isspace() for c in value)


_FORMATS: Final = {"date": _is_date, "date-time": _is_date_time, "uri": _is_uri}


def unknown_roles(operation: Operation, raw: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[_Problem]:
    """Roles of fields that the operation does not have, with their paths.

    Only fields written in the operation itself are checked: the roles of a shared definition are for all its users.
    """
    for section in ("path", "query", "header", "body", "form"):
        if isinstance(raw.get(section), dict):
            yield from _below(operation.roles, raw[section], (*place, section))


def _below(roles: tuple[str, ...], raw: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[_Problem]:
    """The same for fields by name."""
    for name, words in raw.items():
        if isinstance(words, dict):
            yield from _field(roles, words, (*place, name))


def _field(roles: tuple[str, ...], words: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[_Problem]:
    for word in ("roles", "required_by"):
        said = words.get(word)
        for role in said if isinstance(said, list) else ():
            if role not in roles:
                have = ", ".join(roles) or "none"
                yield (*place, word), f"{role!r} is not a role of the operation (its roles: {have})"
    if isinstance(words.get("properties"), dict):
        yield from _below(roles, words["properties"], (*place, "properties"))
    for word in ("items", "additionalProperties"):
        if isinstance(words.get(word), dict):
            yield from _field(roles, words[word], (*place, word))
