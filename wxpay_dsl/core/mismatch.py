"""In what a value differs from its schema: the kinds, and how each is said."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, NamedTuple

from .derived import derived
from .model import Schema
from .rewrite import any_field

__all__ = ["SHAPES", "SHOWN", "Kind", "Mismatch", "missing", "shown", "unknown", "wrong"]


class Kind(StrEnum):
    """In what way a value differs from its schema."""

    #: A required field is not there.
    MISSING = "missing"
    #: No such field is known.
    UNKNOWN = "unknown"
    #: Another JSON type, one that JSON has.
    TYPE = "type"
    #: A fraction where a whole number belongs: money, which is counted in fen.
    FLOAT = "float"
    #: No JSON type at all.
    UNENCODABLE = "unencodable"
    #: A sensitive value would not be found, and leave unencrypted.
    CLEAR = "clear"
    #: A field of other roles than the one that the rest of the request fits.
    ROLE = "role"
    #: Missing or unknown, by facts that are marked as doubtful.
    DOUBT = "doubt"
    ENUM = "enum"
    LENGTH = "length"
    PATTERN = "pattern"
    LIMIT = "limit"
    ITEMS = "items"


#: The kinds by which a value is not what its schema describes; by the others it is only outside of published limits.
SHAPES: Final = frozenset({Kind.MISSING, Kind.UNKNOWN, Kind.TYPE, Kind.FLOAT, Kind.UNENCODABLE, Kind.CLEAR, Kind.DOUBT})


class Mismatch(NamedTuple):
    """One thing in which a value differs from its schema."""

    #: Where: ``body.amount.total``.
    path: str
    message: str
    kind: Kind


#: How much of a wrong value a message shows.
SHOWN: Final = 60
#: The Python types that JSON has a form for.
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
    """What is said of a name that the schema does not know; a misspelt sensitive field would not be encrypted."""
    close = get_close_matches(str(name)[:SHOWN], schema.properties, n=1)
    if not close:
        return "no such field", Kind.UNKNOWN
    hint = f"no such field; did you mean {close[0]!r}?"
    if close[0] not in value and _is_sensitive(schema.properties[close[0]]) and _is_slip(str(name), close[0]):
        return f"{hint} It is sensitive, and would not be encrypted under this name", Kind.CLEAR
    return hint, Kind.UNKNOWN


def _is_slip(name: str, meant: str) -> bool:
    """Whether a name is another one misspelt: in case or ``_``, in the order of letters, or in one letter."""
    one, two = (word.lower().replace("_", "").replace("-", "") for word in (name[:SHOWN], meant))
    if sorted(one) == sorted(two):
        return True
    start = next((at for at, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return abs(len(one) - len(two)) == 1
    rests = (one[start + 1 :], two[start + 1 :]), (one[start:], two[start + 1 :]), (one[start + 1 :], two[start:])
    return any(left == right for left, right in rests)


def missing(schema: Schema, name: str, role: str) -> tuple[str, Kind]:
    """What is said of a required field that is not there."""
    field = schema.properties[name]
    message = "missing" + (f" ({field.title})" if field.title else "")
    if name not in schema.required:
        message += f", which {role} must give"
    return message, Kind.DOUBT if field.doubt else Kind.MISSING


def wrong(expected: str, value: Any, schema: Schema) -> tuple[str, Kind]:
    """What is said of a value of another type, and how wrong it is."""
    hint, kind = "", Kind.TYPE
    if value is None:
        hint = " (leave an optional field out)"
    elif expected == "string" and type(value) is bytes:
        hint = " (decode it)"
    elif expected == "integer" and isinstance(value, float):
        hint, kind = " (money is whole fen)", Kind.FLOAT
    if value is not None and not isinstance(value, _JSON):
        kind = Kind.UNENCODABLE
    elif value is not None and _is_sensitive(schema):
        # What is encrypted is found by its schema; in a value of another shape it would not be.
        kind = Kind.CLEAR
    return f"expected {expected}, got {shown(value, schema)}{hint}", kind


def shown(value: Any, schema: Schema) -> str:
    """A value as a message shows it: short, and nothing of one that is sensitive."""
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


@derived
def _is_sensitive(schema: Schema) -> bool:
    """Whether it is encrypted, or holds a field that is."""
    return any_field(schema, _is_encrypted)


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted
