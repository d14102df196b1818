"""Replaces or selects fields of data at any depth, by their schemas, on a copy: for encryption, masks and examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .model import Schema

__all__ = ["any_field", "fields_of", "names_of", "rewrite"]


def any_field(schema: Schema | None, wanted: Callable[[Schema], bool]) -> bool:
    """Whether ``wanted`` holds for the schema or any below it."""
    waiting, seen = [schema], set[int]()
    while waiting:
        found = waiting.pop()
        # Definitions are shared, possibly at every level: each is visited once.
        if found is None or id(found) in seen:
            continue
        if wanted(found):
            return True
        seen.add(id(found))
        waiting += [*found.properties.values(), found.items, found.additional]
    return False


def rewrite(
    schema: Schema,
    value: Any,
    wanted: Callable[[Schema], bool],
    change: Callable[[Schema, Any, str], Any],
    path: str,
) -> Any:
    """``value`` with each field whose schema is ``wanted`` replaced by ``change(schema, value, path)``.

    The caller's data is not modified: objects and arrays with a changed field are copied, the others are shared.
    """
    if wanted(schema):
        return change(schema, value, path)
    if isinstance(value, Mapping) and (schema.properties or schema.additional):
        changed: dict[str, Any] = {}
        for name, item in value.items():
            below = schema.properties.get(name, schema.additional)
            if below is not None:
                new = rewrite(below, item, wanted, change, f"{path}.{name}")
                if new is not item:
                    changed[name] = new
        return {**value, **changed} if changed else value
    if isinstance(value, (list, tuple)) and schema.items is not None:
        items = [rewrite(schema.items, item, wanted, change, f"{path}[{i}]") for i, item in enumerate(value)]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def names_of(schema: Schema, role: str, *, whole: bool) -> list[str]:
    """The names of the fields that ``role`` must give; with ``whole`` of all fields that it has.

    ``role`` is empty for an operation without roles; then ``whole`` includes the fields of every role.
    """
    required = schema.required_of(role)
    return [
        name
        for name, below in schema.properties.items()
        if name in required or (whole and (not role or not below.roles or role in below.roles))
    ]


def fields_of(schema: Schema, value: Any, role: str, *, whole: bool) -> Any:
    """A copy of ``value`` with only the fields of :func:`names_of`, at every depth."""
    if isinstance(value, dict) and schema.properties:
        names = names_of(schema, role, whole=whole)
        return {
            name: fields_of(schema.properties[name], value[name], role, whole=whole) for name in value if name in names
        }
    if isinstance(value, list) and schema.items is not None:
        return [fields_of(schema.items, item, role, whole=whole) for item in value]
    return value
