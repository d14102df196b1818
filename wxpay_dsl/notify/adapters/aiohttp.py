"""The adapter for aiohttp.web: ``app.router.add_post("/wxpay/notify", notifications.aiohttp)``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from wxpay_dsl.notify.acknowledgements import failure
from wxpay_dsl.notify.notification import LIMIT
from wxpay_dsl.notify.receiver import Receiver

__all__ = ["Handler", "handler"]

Handler = Callable[[web.Request], Awaitable[web.Response]]


def handler(notifications: Receiver) -> Handler:
    """A request handler for a route; the route's ``{merchant}``, if any, is the merchant id."""

    # A function, because aiohttp warns of other callables.
    async def handle(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(notifications.ack_timeout):
                body = await _read_body(request)
        except TimeoutError:
            acknowledgement = failure("v3", 408, "the body was not received in time")
        else:
            if body is None:
                acknowledgement = failure("v3", 413, "too large")
            else:
                merchant = request.match_info.get("merchant", "")
                acknowledgement = await notifications.handle(request.headers, body, merchant)
        return web.Response(status=acknowledgement.status, body=acknowledgement.body, headers=acknowledgement.headers)

    return handle


async def _read_body(request: web.Request) -> bytes | None:
    """The body, or None if it is larger than :data:`LIMIT`."""
    if (request.content_length or 0) > LIMIT:
        return None
    parts = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)
