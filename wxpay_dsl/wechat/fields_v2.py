"""APIv2's fields: everything is text on the wire, and of the type that the spec says in Python.

Money is integers in fen on both sides; fields that hold JSON are the value that the JSON says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from wxpay_dsl.core.model import Schema

from .numbered import collect, numbered

if TYPE_CHECKING:
    from .xml_nested import Element

__all__ = ["read", "shape", "written"]

#: As many digits as any number of the service has, with room; Python would take thousands, slowly.
_DIGITS: Final = re.compile(r"-?[0-9]{1,30}")
#: float() takes 1_0, 1e999, nan and other scripts' digits too.
_DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")


def written(fields: Mapping[str, Any]) -> dict[str, str]:
    """``fields`` as they travel: numbers and booleans as text, objects and arrays as JSON; None is left out.

    Raises TypeError, which names the field, for a float and for what has no text; ValueError for what JSON cannot say.
    """
    return {str(name): _written(name, value) for name, value in fields.items() if value is not None}


def read(schema: Schema | None, fields: Mapping[str, Element]) -> dict[str, Any]:
    """``fields`` as they came, as the types that ``schema`` gives them; numbered ones also in lists.

    An answer is never refused for what a spec says: text that is no number, or no JSON, stays text.
    """
    if schema is None:
        return dict(fields)
    counted = numbered(schema)
    typed: dict[str, Any] = {}
    for name, value in fields.items():
        field = schema.properties.get(name)
        if field is None and counted:
            field = next((each.schema for each in counted if each.position(name) is not None), None)
        typed[name] = _read(field, value)
    return {**typed, **collect(typed, schema)} if counted else typed


def shape(schema: Schema) -> Schema:
    """The schema of what :func:`read` gives by ``schema``: lists for numbered fields, anything for embedded JSON."""
    properties = {name: _shape(name, field) for name, field in schema.properties.items()}
    counted = {each.name for each in numbered(schema)}
    return evolve(schema, properties=properties, required=schema.required | counted)


def _shape(name: str, schema: Schema) -> Schema:
    if schema.media_type == "application/json":
        return evolve(schema, type="any", media_type="")
    made = schema
    for depth in range(name.count("$")):
        made = Schema(type="array", title=schema.title, items=made if depth else evolve(made, nullable=True))
    return made


def _written(name: str, value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration's member its value, where str() would name the member
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    hint = " (money is whole fen)" if isinstance(value, float) else ""
    raise TypeError(f"{name}: {type(value).__name__} has no text in APIv2{hint}")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _read(schema: Schema | None, value: Element) -> Any:
    if schema is None:
        return value
    if schema.type == "array":
        items = value if isinstance(value, list) else [value] if value else []
        return [_read(schema.items, item) for item in items]
    if schema.type == "object":
        return read(schema, value) if isinstance(value, dict) else value or {}
    reader = _embedded if schema.media_type == "application/json" else _READERS.get(schema.type)
    return reader(value) if reader is not None and isinstance(value, str) else value


def _integer(text: str) -> int | str:
    return int(text) if _DIGITS.fullmatch(text) else text


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


def _number(text: str) -> float | str:
    return float(text) if _DECIMAL.fullmatch(text) else text


def _embedded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {"integer": _integer, "boolean": _boolean, "number": _number}
