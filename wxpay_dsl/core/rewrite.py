"""Changes chosen fields of some data, at any depth, on a copy: what encryption and embedding do to a request."""

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
        # Definitions are shared, and may be so at every level: each is looked at once.
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
    """``value`` with ``change(schema, value, path)`` in the place of each field whose schema is ``wanted``.

    The caller's data is never touched: whatever holds a changed field is copied, the rest is shared.
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
    """The fields of an object that a role has; unless ``whole`` those that it must give.

    ``role`` is empty where an operation says nothing of roles: then every role's optional fields count.
    """
    required = schema.required_of(role)
    return [
        name
        for name, below in schema.properties.items()
        if name in required or (whole and (not role or not below.roles or role in below.roles))
    ]


def fields_of(schema: Schema, value: Any, role: str, *, whole: bool) -> Any:
    """``value`` with the fields alone, at every depth, that :func:`names_of` gives."""
    if isinstance(value, dict) and schema.properties:
        names = names_of(schema, role, whole=whole)
        return {
            name: fields_of(schema.properties[name], value[name], role, whole=whole) for name in value if name in names
        }
    if isinstance(value, list) and schema.items is not None:
        return [fields_of(schema.items, item, role, whole=whole) for item in value]
    return value
