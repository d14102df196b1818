"""A form as a payload of aiohttp: streamed with a known length, and from its beginning for each attempt."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from wxpay_dsl.core.messages import StreamedBody

__all__ = ["FormPayload"]


class FormPayload(Payload):
    """The body of an upload."""

    _value: StreamedBody
    #: No file handle is kept open between two attempts.
    _autoclose = True

    def __init__(self, form: StreamedBody) -> None:
        super().__init__(form, content_type=form.content_type)
        self._size = form.size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The text of the body for logs."""
        return self._value.outline().decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self._value.chunks()])

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Writes the body to the connection."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Writes the body to the connection. ``content_length`` is its length or None."""
        async with aclosing(self._value.chunks()) as chunks:
            async for chunk in chunks:
                await writer.write(chunk)
