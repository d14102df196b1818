"""Prepares the fields of an upload: measures its files, and fills in the fields that depend on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.specs.model import Operation, Schema

from .files import File, Upload, prepare

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import Dialect

__all__ = ["complete", "file_fields", "file_size_errors", "has_files"]


def file_fields(operation: Operation | None) -> tuple[str, ...]:
    """The names of the fields of an operation's form that are files."""
    form = operation.form if operation is not None else None
    return tuple(name for name, schema in form.properties.items() if _is_file(schema)) if form is not None else ()


def has_files(fields: Any) -> bool:
    """Whether any value of undeclared fields is a file."""
    return isinstance(fields, Mapping) and any(isinstance(value, (File, Upload)) for value in fields.values())


async def complete(
    operation: Operation | None, fields: Mapping[str, Any], dialect: Dialect, field_errors: list[FieldError]
) -> dict[str, Any]:
    """A copy of ``fields`` with an :class:`Upload` for each file, and the fields that the dialect adds.

    What is wrong with the files is added to ``field_errors``.
    """
    completed = dict(fields)
    names = file_fields(operation)
    for name, value in fields.items():
        if name in names or isinstance(value, (File, Upload)):
            # An empty string replaces an unsuitable file, so that it is not reported as missing as well.
            completed[name] = await prepare(value, field_errors, f"form.{name}") or ""
    if dialect.prepare_files is not None:
        completed = await dialect.prepare_files(operation, completed, field_errors)
    return completed


def file_size_errors(form: Schema, fields: Mapping[str, Any]) -> list[FieldError]:
    """An error for each file that is larger than its field's ``maxLength``, in bytes."""
    found = []
    for name, value in fields.items():
        schema = form.properties.get(name)
        limit = schema.max_length if schema is not None else None
        if isinstance(value, Upload) and limit is not None and value.size > limit:
            message = f"{value.name} is too large: {value.size} bytes; the service accepts at most {limit}"
            found.append(FieldError(f"form.{name}", message))
    return found


def _is_file(schema: Schema) -> bool:
    return schema.type == "string" and schema.format == "binary"
