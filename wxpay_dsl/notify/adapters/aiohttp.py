"""For aiohttp.web: ``app.router.add_post("/wxpay/notify", notifications.aiohttp)``."""

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
    """A handler of requests; ``{merchant}`` in the route, where it has one, names the merchant."""

    # A function, since aiohttp warns of anything else that is called.
    async def handle(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(notifications.ack_timeout):
                body = await _bounded(request)
        except TimeoutError:
            answer = failure("v3", 408, "the body did not come in time")
        else:
            if body is None:
                answer = failure("v3", 413, "too large")
            else:
                answer = await notifications.handle(request.headers, body, request.match_info.get("merchant", ""))
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    return handle


async def _bounded(request: web.Request) -> bytes | None:
    """The body; None for one that is larger than is read."""
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
