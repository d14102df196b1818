"""Converts APIv2's fields between text, which they all are on the wire, and the Python types that specs declare.

Money is an integer in fen on both sides. Fields that hold JSON are decoded. Numbered fields (``coupon_id_0``,
``coupon_id_1`` …), which a spec declares by the documentation's name, ``coupon_id_$n``, are collected into lists;
``coupon_refund_fee_$n_$m`` is a list of lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from wxpay_dsl.core.specs.memo import memo
from wxpay_dsl.core.specs.model import Schema

if TYPE_CHECKING:
    from .xml_nested import Element

__all__ = ["NumberedField", "collect", "numbered", "read", "written"]

#: More digits than any number of the service has; converting thousands of digits would be slow.
_DIGITS: Final = re.compile(r"-?[0-9]{1,30}")
#: Stricter than float(), which also accepts 1_0, 1e999, nan and the digits of other scripts.
_DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_PLACEHOLDER: Final = re.compile(r"\\\$[a-z]")
#: Numbers start at 0 and have no leading zeros; real responses have at most some hundreds.
_NUMBER: Final = "(0|[1-9][0-9]{0,4})"


def written(fields: Mapping[str, Any]) -> dict[str, str]:
    """``fields`` as text for the wire: numbers and booleans as text, objects and arrays as JSON. None is left out.

    Raises TypeError, naming the field, for a float or a type without a text form; ValueError for what JSON cannot
    represent.
    """
    return {str(name): _written(name, value) for name, value in fields.items() if value is not None}


def read(schema: Schema | None, fields: Mapping[str, Element]) -> dict[str, Any]:
    """``fields`` from the wire, converted to the types that ``schema`` declares; numbered ones also as lists.

    Data that contradicts the spec is not an error: text that is not a number, or not JSON, stays text.
    """
    if schema is None:
        return dict(fields)
    lists = numbered(schema)
    typed: dict[str, Any] = {}
    for name, value in fields.items():
        declared = schema.properties.get(name)
        if declared is None and lists:
            declared = next((each.schema for each in lists if each.position(name) is not None), None)
        typed[name] = _read(declared, value)
    return {**typed, **collect(typed, schema)} if lists else typed


@frozen
class NumberedField:
    """A declared field whose name on the wire ends in one or more numbers."""

    #: As declared: ``coupon_id_$n``.
    name: str
    schema: Schema
    pattern: re.Pattern[str] = field(repr=False)

    def position(self, name: str) -> tuple[int, ...] | None:
        """The numbers in a field's name, ``(0, 2)`` for ``coupon_refund_fee_0_2``; None if it is another field."""
        match = self.pattern.fullmatch(name)
        return tuple(map(int, match.groups())) if match else None


@memo
def numbered(schema: Schema) -> tuple[NumberedField, ...]:
    """The numbered fields that an object declares."""
    return tuple(
        NumberedField(name, below, re.compile(_PLACEHOLDER.sub(_NUMBER, re.escape(name))))
        for name, below in schema.properties.items()
        if "$" in name
    )


def collect(fields: Mapping[str, Any], schema: Schema) -> dict[str, list[Any]]:
    """``{"coupon_id_$n": […], …}`` for all numbered fields that ``schema`` declares; empty lists where none came.

    All lists have the same length, one item for each number that occurs in any of them, so that items at the same
    index belong together; a value that is missing is None.
    """
    declared = numbered(schema)
    values: dict[str, dict[tuple[int, ...], Any]] = {each.name: {} for each in declared}
    for name, value in fields.items():
        for each in declared:
            position = each.position(name)
            if position is not None:
                values[each.name][position] = value
                break
    #: The last numbers that occur, by the numbers before them.
    occurring: dict[tuple[int, ...], set[int]] = {}
    for by_position in values.values():
        for position in by_position:
            for depth, number in enumerate(position):
                occurring.setdefault(position[:depth], set()).add(number)

    def nested(by_position: Mapping[tuple[int, ...], Any], depth: int, prefix: tuple[int, ...] = ()) -> list[Any]:
        numbers = sorted(occurring.get(prefix, ()))
        if len(prefix) + 1 == depth:
            return [by_position.get((*prefix, number)) for number in numbers]
        return [nested(by_position, depth, (*prefix, number)) for number in numbers]

    return {each.name: nested(values[each.name], each.pattern.groups) for each in declared}


def _written(name: str, value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # of an enum member its value, where str() would give the member's name
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    hint = " (money is whole fen)" if isinstance(value, float) else ""
    raise TypeError(f"{name}: APIv2 has no text form for {type(value).__name__}{hint}")


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
