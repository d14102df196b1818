"""The ways in which a value differs from its schema, and their messages."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, NamedTuple

from wxpay_dsl.core.specs.memo import memo
from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.core.specs.transform import any_field

__all__ = ["SHAPES", "SHOWN", "Kind", "Mismatch", "missing", "shown", "unknown", "wrong"]


class Kind(StrEnum):
    """How a value differs from its schema."""

    #: A required field is absent.
    MISSING = "missing"
    #: The schema has no such field.
    UNKNOWN = "unknown"
    #: A value of another JSON type.
    TYPE = "type"
    #: A float where an integer belongs, as in amounts of money.
    FLOAT = "float"
    #: A value of no JSON type.
    UNENCODABLE = "unencodable"
    #: A sensitive value that would not be encrypted, since it is not where the schema expects it.
    CLEAR = "clear"
    #: A field that belongs to other roles than the rest of the request.
    ROLE = "role"
    #: A missing or unknown field, by facts that are marked as doubtful.
    DOUBT = "doubt"
    ENUM = "enum"
    LENGTH = "length"
    PATTERN = "pattern"
    LIMIT = "limit"
    ITEMS = "items"


#: The kinds where a value has another structure than its schema; the other kinds are violations of published limits.
SHAPES: Final = frozenset({Kind.MISSING, Kind.UNKNOWN, Kind.TYPE, Kind.FLOAT, Kind.UNENCODABLE, Kind.CLEAR, Kind.DOUBT})


class Mismatch(NamedTuple):
    """One difference between a value and its schema."""

    #: The path of the value: ``body.amount.total``.
    path: str
    message: str
    kind: Kind


#: The most characters of a wrong value that a message shows.
SHOWN: Final = 60
#: The Python types that JSON can represent.
_JSON: Final = (str, int, float, Mapping, list, tuple)
_NAMES: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    bytes: "bytes",
}


def unknown(schema: Schema, name: Any, value: Mapping[str, Any]) -> tuple[str, Kind]:
    """The message and kind for a field that the schema does not have.

    The kind is CLEAR for a misspelt name of a sensitive field, which would not be encrypted.
    """
    close = get_close_matches(str(name)[:SHOWN], schema.properties, n=1)
    if not close:
        return "no such field", Kind.UNKNOWN
    hint = f"no such field; did you mean {close[0]!r}?"
    if close[0] not in value and _is_sensitive(schema.properties[close[0]]) and _is_misspelling(str(name), close[0]):
        return f"{hint} It is sensitive, and would not be encrypted under this name", Kind.CLEAR
    return hint, Kind.UNKNOWN


def _is_misspelling(name: str, meant: str) -> bool:
    """Whether ``name`` differs from ``meant`` only in case, ``_``, the order of letters, or one letter."""
    one, two = (word.lower().replace("_", "").replace("-", "") for word in (name[:SHOWN], meant))
    if sorted(one) == sorted(two):
        return True
    start = next((at for at, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return abs(len(one) - len(two)) == 1
    rests = (one[start + 1 :], two[start + 1 :]), (one[start:], two[start + 1 :]), (one[start + 1 :], two[start:])
    return any(left == right for left, right in rests)


def missing(schema: Schema, name: str, role: str) -> tuple[str, Kind]:
    """The message and kind for a required field that is absent."""
    field = schema.properties[name]
    message = "missing" + (f" ({field.title})" if field.title else "")
    if name not in schema.required:
        message += f", required for {role}"
    return message, Kind.DOUBT if field.doubt else Kind.MISSING


def wrong(expected: str, value: Any, schema: Schema) -> tuple[str, Kind]:
    """The message and kind for a value of another type."""
    hint, kind = "", Kind.TYPE
    if value is None:
        hint = " (omit an optional field instead)"
    elif expected == "string" and type(value) is bytes:
        hint = " (decode it)"
    elif expected == "integer" and isinstance(value, float):
        hint, kind = " (amounts are integers in the smallest currency unit)", Kind.FLOAT
    if value is not None and not isinstance(value, _JSON):
        kind = Kind.UNENCODABLE
    elif value is not None and _is_sensitive(schema):
        # Sensitive values are found by their schema; in a value of another shape they would not be found.
        kind = Kind.CLEAR
    return f"expected {expected}, got {shown(value, schema)}{hint}", kind


def shown(value: Any, schema: Schema) -> str:
    """A value as a message shows it: shortened, and masked if it is sensitive."""
    if value is None:
        return "null"
    name = _NAMES.get(type(value), type(value).__name__)
    if schema.encrypted:
        return f"{name} (a sensitive value, not shown)"
    if isinstance(value, (Mapping, list, tuple)):
        return "object" if isinstance(value, Mapping) else f"array of {len(value)}"
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return f"{name} out of range"
    if len(text) > SHOWN:
        text = f"{text[:SHOWN]}… ({len(value)} long)" if isinstance(value, (str, bytes)) else text[:SHOWN] + "…"
    return text if isinstance(value, (str, int, float)) else f"{name} {text}"


@memo
def _is_sensitive(schema: Schema) -> bool:
    """Whether the value is encrypted or holds a field that is."""
    return any_field(schema, _is_encrypted)


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted
