"""What a linter says of facts: examples that no service could send or take, and roles that an operation has not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from .model import Operation, Schema

__all__ = ["impossible", "roles_of_fields"]

#: The way to a thing in a file, as YAML nests it, and what is wrong there.
_Fault = tuple[tuple[str | int, ...], str]
#: RFC 3339, as JSON Schema's `date-time`: seconds and an offset are part of it.
_DATE_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})\Z")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_WORD: Final = r"[A-Z][A-Z0-9_]+"
#: Two values of an enumeration in one text.
_EITHER: Final = re.compile(rf"{_WORD}\s*(?:或者?|、|，|\||/|\bor\b)\s*{_WORD}\Z")


def impossible(schema: Schema, value: Any) -> str:
    """Why ``value`` cannot be a value of a field, by its format or as the text that it is; empty where it can.

    Examples in lists and objects are looked at too.
    """
    if isinstance(value, Mapping):
        below = ((schema.properties.get(name, schema.additional), item) for name, item in value.items())
        return next((said for field, item in below if field is not None and (said := impossible(field, item))), "")
    if isinstance(value, (list, tuple)):
        return next((said for item in value if schema.items and (said := impossible(schema.items, item))), "")
    if not isinstance(value, str) or schema.type != "string" or schema.encrypted:
        return ""
    if _EITHER.match(value):
        return f"{value!r:.60} is several values in one text"
    form = _FORMATS.get(schema.format)
    return "" if form is None or form(value) else f"{value!r:.60} is no {schema.format}"


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


def roles_of_fields(operation: Operation, raw: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[_Fault]:
    """Fields, written in the operation itself, of roles that the operation does not have.

    What a shared definition says of roles is for every operation that refers to it.
    """
    for section in ("path", "query", "header", "body", "form"):
        if isinstance(raw.get(section), dict):
            yield from _below(operation.roles, raw[section], (*place, section))


def _below(roles: tuple[str, ...], raw: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[_Fault]:
    """The same of fields by name."""
    for name, words in raw.items():
        if isinstance(words, dict):
            yield from _field(roles, words, (*place, name))


def _field(roles: tuple[str, ...], words: Mapping[str, Any], place: tuple[str | int, ...]) -> Iterator[_Fault]:
    for word in ("roles", "required_by"):
        said = words.get(word)
        for role in said if isinstance(said, list) else ():
            if role not in roles:
                have = ", ".join(roles) or "none"
                yield (*place, word), f"{role!r} is no role of the operation (its roles: {have})"
    if isinstance(words.get("properties"), dict):
        yield from _below(roles, words["properties"], (*place, "properties"))
    for word in ("items", "additionalProperties"):
        if isinstance(words.get(word), dict):
            yield from _field(roles, words[word], (*place, word))
