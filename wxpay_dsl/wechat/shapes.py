"""The schema of the data that a call or a notification gives, where APIv2 makes more of it than its spec says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxpay_dsl.core.derived import derived
from wxpay_dsl.core.model import Event, Operation, Schema

from . import fields_v2
from .numbered import numbered

__all__ = ["answer_shape", "carried_by", "notification_shape", "returned_by"]


def returned_by(operation: Operation) -> Schema | None:
    """The schema of a reply's data."""
    if operation.returns is None or operation.family != "v2":
        return operation.returns
    return _shape_v2(operation.returns)


def carried_by(event: Event) -> Schema | None:
    """The schema of a notification's resource."""
    schema = event.resource or event.body
    return _shape_v2(schema) if event.family == "v2" and schema is not None else schema


def answer_shape(operation: Operation, data: Any) -> tuple[Schema, Any] | None:
    """The schema and the data to compare of an answer: of numbered fields (``coupon_id_0`` …) their lists alone."""
    schema = returned_by(operation)
    return None if schema is None else (schema, _without_numbered(operation.returns, data))


def notification_shape(event: Event, data: Any) -> tuple[Schema, Any] | None:
    """The same of what a notification carries."""
    schema = carried_by(event)
    return None if schema is None else (schema, _without_numbered(event.resource or event.body, data))


def _without_numbered(declared: Schema | None, data: Any) -> Any:
    lists = numbered(declared) if declared is not None else ()
    if not lists or not isinstance(data, Mapping):
        return data
    return {name: value for name, value in data.items() if all(each.position(name) is None for each in lists)}


@derived
def _shape_v2(schema: Schema) -> Schema:
    return fields_v2.shape(schema)
