"""The fields of an upload before they are encoded: files opened and measured, and what follows from them filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.specs.model import Operation, Schema

from .files import File, Upload, prepare

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import Dialect

__all__ = ["complete", "file_fields", "has_files", "file_size_errors"]


def file_fields(operation: Operation | None) -> tuple[str, ...]:
    """The names of the form's fields that are files."""
    form = operation.form if operation is not None else None
    return tuple(name for name, schema in form.properties.items() if _is_file(schema)) if form is not None else ()


def has_files(fields: Any) -> bool:
    """Whether fields that no spec knows hold a file."""
    return isinstance(fields, Mapping) and any(isinstance(value, (File, Upload)) for value in fields.values())


async def complete(
    operation: Operation | None, fields: Mapping[str, Any], dialect: Dialect, field_errors: list[FieldError]
) -> dict[str, Any]:
    """``fields`` with an :class:`Upload` for each file, and what the dialect adds; the ``field_errors`` of files are added."""
    completed = dict(fields)
    names = file_fields(operation)
    for name, value in fields.items():
        if name in names or isinstance(value, (File, Upload)):
            # An empty text stands for a file with a fault, so that it is not called missing as well.
            completed[name] = await prepare(value, field_errors, f"form.{name}") or ""
    if dialect.prepare_files is not None:
        completed = await dialect.prepare_files(operation, completed, field_errors)
    return completed


def file_size_errors(form: Schema, fields: Mapping[str, Any]) -> list[FieldError]:
    """The files that are larger than their field's ``maxLength``, which is in bytes."""
    found = []
    for name, value in fields.items():
        schema = form.properties.get(name)
        limit = schema.max_length if schema is not None else None
        if isinstance(value, Upload) and limit is not None and value.size > limit:
            message = f"{value.name} is {value.size} bytes; the service takes at most {limit} (文件过大)"
            found.append(FieldError(f"form.{name}", message))
    return found


def _is_file(schema: Schema) -> bool:
    return schema.type == "string" and schema.format == "binary"
