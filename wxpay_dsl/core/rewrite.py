"""Changes chosen fields of some data, at any depth, on a copy: what encryption and embedding do to a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .model import Schema

__all__ = ["any_field", "fewest", "rewrite"]


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


def fewest(schema: Schema, value: Any) -> Any:
    """``value`` with its required fields alone, at every depth."""
    if isinstance(value, dict) and schema.properties:
        return {
            name: fewest(schema.properties[name], item)
            for name, item in value.items()
            if name in schema.required and name in schema.properties
        }
    if isinstance(value, list) and schema.items is not None:
        return [fewest(schema.items, item) for item in value]
    return value
