"""The sandbox's sockets: bytes of requests in, bytes of answers out, and the ways in which a connection can fail."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from .messages import Call, RawResponse

__all__ = ["Listener"]

#: The service closes an idle connection after so many seconds.
_KEEP_ALIVE: Final = 8
#: Seconds that the rest of a refused body is read and thrown away, so that its sender can read why; stopping waits.
_LINGER: Final = 1.0
#: Seconds that answers under way have when serving ends: one that is held back by a fault may be due in minutes.
_LAST: Final = 1.0
#: Bytes of a request; uploads of the service go up to 5 MB.
_LIMIT: Final = 16 * 1024 * 1024
#: Close at once, and let the other side know by RST.
_NO_LINGER: Final = struct.pack("ii", 1, 0)

#: Gives the answer to a call; the second argument is the caller's address.
Respond = Callable[[Call, str | None], RawResponse | Awaitable[RawResponse]]


class Listener:
    """Serves on one address. ``respond`` must not wait for anything."""

    def __init__(self, respond: Respond, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._respond = respond
        self._host = host
        self._port = port
        self._tls = tls
        self._runner: web.ServerRunner | None = None

    async def start(self) -> str:
        """Begins to serve; gives the URL. Raises OSError where the port is taken."""
        server = web.Server(
            self._handle,
            request_factory=_request,
            keepalive_timeout=_KEEP_ALIVE,
            lingering_time=_LINGER,
            access_log=None,
        )
        runner = self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_LAST)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._tls).start()
        except OSError:
            await self.stop()
            raise
        address = runner.addresses[0]
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{'http' if self._tls is None else 'https'}://{host}:{address[1]}"

    async def stop(self) -> None:
        """Ends serving; open connections are closed."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await request.read() if request.body_exists else b""
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        shown = None
        if self._tls is not None:
            from wxpay_dsl.sandbox.keys.tls import client_serial

            shown = client_serial(request.transport)
        call = Call(request.method, request.raw_path, request.headers, body, self._tls is not None, shown)
        answer = self._respond(call, request.remote)
        wire = answer if isinstance(answer, RawResponse) else await answer
        if wire.delay:
            await asyncio.sleep(wire.delay)
        if wire.reset:
            return _reset(request)
        if wire.cut is not None:
            return await _cut(request, wire, wire.cut)
        return web.Response(status=wire.status, headers=wire.headers, body=wire.body or None)


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()


async def _cut(request: web.BaseRequest, wire: RawResponse, length: int) -> web.StreamResponse:
    """Announces the whole body, and sends a part of it."""
    response = web.StreamResponse(status=wire.status, headers=wire.headers)
    response.content_length = len(wire.body)
    await response.prepare(request)
    await response.write(wire.body[:length])
    if request.transport is not None:
        request.transport.close()
    return response


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop: Any = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LIMIT)
