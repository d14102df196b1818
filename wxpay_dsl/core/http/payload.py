"""A form as aiohttp sends it: streamed, with its length announced, and again from its beginning for each attempt."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from wxpay_dsl.core.messages import StreamedBody

__all__ = ["FormPayload"]


class FormPayload(Payload):
    """The body of an upload."""

    _value: StreamedBody
    #: No handle is kept between two attempts.
    _autoclose = True

    def __init__(self, form: StreamedBody) -> None:
        super().__init__(form, content_type=form.content_type)
        self._size = form.size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """What logs show of it."""
        return self._value.outline().decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """All of it, read now."""
        return b"".join([chunk async for chunk in self._value.chunks()])

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Sends it."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Sends it; its length is known, so ``content_length`` is that length or None."""
        async with aclosing(self._value.chunks()) as chunks:
            async for chunk in chunks:
                await writer.write(chunk)
