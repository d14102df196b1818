"""The schema of decoded data, where decoding APIv2's fields yields other types or names than the spec declares.

Numbered fields become lists and embedded JSON becomes any value (see :mod:`.fields`). Type stubs are generated from
these schemas, and drift reports compare data with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from wxpay_dsl.core.specs.memo import memo
from wxpay_dsl.core.specs.model import Event, Operation, Schema

from .fields import numbered

__all__ = [
    "comparable_notification",
    "comparable_response",
    "decoded_schema",
    "notification_schema",
    "response_schema",
]


def response_schema(operation: Operation) -> Schema | None:
    """The schema of a response's data; None if the operation declares none."""
    if operation.returns is None or operation.dialect != "v2":
        return operation.returns
    return decoded_schema(operation.returns)


def notification_schema(event: Event) -> Schema | None:
    """The schema of a notification's resource; None if the event declares none."""
    schema = event.resource or event.body
    return decoded_schema(schema) if event.dialect == "v2" and schema is not None else schema


def comparable_response(operation: Operation, data: Any) -> tuple[Schema, Any] | None:
    """A response's schema, and its data without the numbered fields (``coupon_id_0`` …), which lists repeat."""
    schema = response_schema(operation)
    return None if schema is None else (schema, _without_numbered(operation.returns, data))


def comparable_notification(event: Event, data: Any) -> tuple[Schema, Any] | None:
    """As :func:`comparable_response`, of a notification's resource."""
    schema = notification_schema(event)
    return None if schema is None else (schema, _without_numbered(event.resource or event.body, data))


@memo
def decoded_schema(schema: Schema) -> Schema:
    """The schema of what :func:`~.fields.read` returns: lists for numbered fields, any value for embedded JSON."""
    properties = {name: _decoded_field(name, field) for name, field in schema.properties.items()}
    lists = {each.name for each in numbered(schema)}
    return evolve(schema, properties=properties, required=schema.required | lists)


def _decoded_field(name: str, schema: Schema) -> Schema:
    if schema.media_type == "application/json":
        return evolve(schema, type="any", media_type="")
    decoded = schema
    for depth in range(name.count("$")):
        items = decoded if depth else evolve(decoded, nullable=True)
        decoded = Schema(type="array", title=schema.title, items=items)
    return decoded


def _without_numbered(declared: Schema | None, data: Any) -> Any:
    lists = numbered(declared) if declared is not None else ()
    if not lists or not isinstance(data, Mapping):
        return data
    return {name: value for name, value in data.items() if all(each.position(name) is None for each in lists)}
