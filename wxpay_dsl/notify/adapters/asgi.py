"""The adapter for ASGI servers: ``app.mount("/wxpay/notify", notifications.asgi)`` in Starlette or FastAPI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from wxpay_dsl.notify.acknowledgements import Acknowledgement, failure
from wxpay_dsl.notify.notification import LIMIT
from wxpay_dsl.notify.receiver import Receiver

from . import merchant_in

__all__ = ["AsgiApp"]

Message = MutableMapping[str, Any]


class AsgiApp:
    """An ASGI application for POST requests. A path may end with the merchant id: ``/wxpay/notify/1900000109``."""

    def __init__(self, notifications: Receiver) -> None:
        self._notifications = notifications

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Handles a request, or the server's lifespan, at whose end running handlers are waited for."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"notifications are sent over HTTP, not {scope['type']}")
        acknowledgement = await self._handle(scope, receive)
        if acknowledgement is None:
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in acknowledgement.headers.items()]
        headers.append((b"content-length", str(len(acknowledgement.body)).encode()))
        if acknowledgement.status == 204:
            headers.pop()  # a 204 has no body and no length
        await send({"type": "http.response.start", "status": acknowledgement.status, "headers": headers})
        await send({"type": "http.response.body", "body": acknowledgement.body})

    async def _handle(self, scope: Message, receive: Callable[[], Awaitable[Message]]) -> Acknowledgement | None:
        if scope["method"] != "POST":
            return failure("v3", 405, "notifications are sent by POST")
        try:
            async with asyncio.timeout(self._notifications.ack_timeout):
                body = await _read_body(receive)
        except TimeoutError:
            return failure("v3", 408, "the body was not received in time")
        except ConnectionError:
            return None
        if body is None:
            return failure("v3", 413, "too large")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return await self._notifications.handle(headers, body, merchant_in(scope["path"]))

    async def _lifespan(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._notifications.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _read_body(receive: Callable[[], Awaitable[Message]]) -> bytes | None:
    """The body, or None if it is larger than :data:`LIMIT`. Raises ConnectionError if the client disconnects."""
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part = message.get("body", b"")
        size += len(part)
        if size > LIMIT:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
