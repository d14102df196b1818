"""Bodies of uploads: ``multipart/form-data``, byte for byte, with the files streamed in between.

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
    """A body that is never whole in memory. It can be read any number of times, once for each attempt."""

    boundary: str
    #: What is between the files, and the files, in the order they are sent in.
    parts: tuple[bytes | Upload, ...] = field(repr=False)
    #: The bytes that a signature covers in the body's place.
    signed: bytes = field(default=b"", repr=False)

    @property
    def content_type(self) -> str:
        """``multipart/form-data; boundary=…``"""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(part.size if isinstance(part, Upload) else len(part) for part in self.parts)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body from its beginning. Raises OSError where a file cannot be read, or has changed."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            # Closed with its reader, not whenever the collector comes by: a file is open in it.
            async with aclosing(part.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk

    def outline(self) -> bytes:
        """The body with a line in the place of each file: for logs and support tickets."""
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
    """``fields`` as a form, in the order of the spec and files last; None with the ``field_errors`` found.

    A field that holds JSON text is sent as that text, byte for byte: what was signed. ``boundary`` is random unless
    given.
    """
    found = len(field_errors)
    boundary = boundary or secrets.token_hex(16)
    head, parts = bytearray(), list[bytes | Upload]()
    for name in _in_order(schema, fields):
        value = fields[name]
        head += _opening(boundary, name, field_errors)
        if isinstance(value, Upload):
            head += f'; filename="{_quoted(value.name)}"\r\nContent-Type: {value.content_type}\r\n\r\n'.encode()
            parts += [bytes(head), value]
            head = bytearray(b"\r\n")
            continue
        below = schema.properties.get(name) if schema is not None else None
        kind = below.media_type if below is not None else ""
        head += f"\r\nContent-Type: {kind}\r\n\r\n".encode() if kind else b"\r\n\r\n"
        head += _text(value, f"form.{name}", field_errors) + b"\r\n"
    head += f"--{boundary}--\r\n".encode()
    return Form(boundary, (*parts, bytes(head)), signed) if len(field_errors) == found else None


def _in_order(schema: Schema | None, fields: Mapping[str, Any]) -> Iterable[str]:
    known = list(schema.properties) if schema is not None else []
    names = sorted(fields, key=lambda name: known.index(name) if name in known else len(known))
    return sorted(names, key=lambda name: isinstance(fields[name], Upload))


def _opening(boundary: str, name: str, field_errors: list[FieldError]) -> bytes:
    if not str(name).isprintable():
        field_errors.append(FieldError(f"form.{name!r:.80}", "is no name of a form's field"))
        return b""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'.encode()


def _quoted(name: str) -> str:
    # As browsers write it. There is no line break in it: whoever made the name has seen to that.
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
        field_errors.append(FieldError(path, "holds half a character (a lone surrogate)"))
        return b""


def _json(value: Any, path: str, field_errors: list[FieldError]) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        field_errors.append(FieldError(path, f"cannot be written as JSON: {error}"))
        return ""
