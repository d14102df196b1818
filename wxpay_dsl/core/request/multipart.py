"""Encodes the bodies of uploads as ``multipart/form-data``, in which files are streamed.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any

from attrs import field, frozen

from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.specs.model import Schema

from .files import Upload

__all__ = ["Form", "encode"]


@frozen
class Form:
    """A request body whose files are streamed. It can be read any number of times, once for each attempt."""

    boundary: str
    #: The files and the bytes between them, in the order of the body.
    parts: tuple[bytes | Upload, ...] = field(repr=False)
    #: The bytes that a signature covers instead of the body.
    signed: bytes = field(default=b"", repr=False)

    @property
    def content_type(self) -> str:
        """``multipart/form-data; boundary=…``"""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def size(self) -> int:
        """The length of the body in bytes."""
        return sum(part.size if isinstance(part, Upload) else len(part) for part in self.parts)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Iterates over the body from its beginning. Raises OSError if a file cannot be read or has changed."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            # It holds an open file, so it is closed at once rather than by the garbage collector.
            async with aclosing(part.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk

    def outline(self) -> bytes:
        """The body with each file replaced by one line that gives its size and digest, for logs and support tickets."""
        return b"".join(
            f"<{part.size} bytes, SHA-256 {part.sha256}>".encode() if isinstance(part, Upload) else part
            for part in self.parts
        )


def encode(
    schema: Schema | None,
    fields: Mapping[str, Any],
    signed: bytes,
    field_errors: list[FieldError],
    *,
    boundary: str = "",
) -> Form | None:
    """Encodes ``fields`` as a form, in the order of the spec with files last.

    Returns None and adds to ``field_errors`` if a field cannot be encoded. A field that holds JSON as text is sent as
    exactly that text, since it may be signed. ``boundary`` is random by default.
    """
    errors_before = len(field_errors)
    boundary = boundary or secrets.token_hex(16)
    pending, parts = bytearray(), list[bytes | Upload]()
    for name in _in_order(schema, fields):
        value = fields[name]
        pending += _part_header(boundary, name, field_errors)
        if isinstance(value, Upload):
            pending += f'; filename="{_quoted(value.name)}"\r\nContent-Type: {value.content_type}\r\n\r\n'.encode()
            parts += [bytes(pending), value]
            pending = bytearray(b"\r\n")
            continue
        below = schema.properties.get(name) if schema is not None else None
        kind = below.media_type if below is not None else ""
        pending += f"\r\nContent-Type: {kind}\r\n\r\n".encode() if kind else b"\r\n\r\n"
        pending += _text(value, f"form.{name}", field_errors) + b"\r\n"
    pending += f"--{boundary}--\r\n".encode()
    return Form(boundary, (*parts, bytes(pending)), signed) if len(field_errors) == errors_before else None


def _in_order(schema: Schema | None, fields: Mapping[str, Any]) -> Iterable[str]:
    declared = list(schema.properties) if schema is not None else []
    names = sorted(fields, key=lambda name: declared.index(name) if name in declared else len(declared))
    return sorted(names, key=lambda name: isinstance(fields[name], Upload))


def _part_header(boundary: str, name: str, field_errors: list[FieldError]) -> bytes:
    if not str(name).isprintable():
        field_errors.append(FieldError(f"form.{name!r:.80}", "is not a valid name of a form field"))
        return b""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'.encode()


def _quoted(name: str) -> str:
    # As browsers encode it. Names with line breaks were refused before.
    return name.replace('"', "%22")


def _text(value: Any, path: str, field_errors: list[FieldError]) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (int, float)):
        return str(value).encode()
    if isinstance(value, (Mapping, list, tuple)):
        value = _json(value, path, field_errors)
    if not isinstance(value, str):
        field_errors.append(FieldError(path, f"expected text, got {type(value).__name__}"))
        return b""
    try:
        return value.encode()
    except UnicodeEncodeError:
        field_errors.append(FieldError(path, "holds a lone surrogate, which is not a character"))
        return b""


def _json(value: Any, path: str, field_errors: list[FieldError]) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        field_errors.append(FieldError(path, f"cannot be encoded as JSON: {error}"))
        return ""
