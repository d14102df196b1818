"""The HTTP server of the sandbox, with responses that are delayed, truncated or reset on request."""

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

#: Seconds after which the service closes an idle connection.
_KEEP_ALIVE: Final = 8
#: Seconds for which the rest of a refused body is read and discarded, so that the client can read the response.
#: Stopping waits for it.
_LINGER: Final = 1.0
#: Seconds that responses under way have when serving ends; one delayed by a fault may be due in minutes.
_SHUTDOWN: Final = 1.0
#: Bytes of a request body; the service accepts uploads of up to 5 MB.
_LIMIT: Final = 16 * 1024 * 1024
#: SO_LINGER with a timeout of 0: closing sends RST.
_NO_LINGER: Final = struct.pack("ii", 1, 0)

#: Gives the response to a call; the second argument is the client's IP address.
Respond = Callable[[Call, str | None], RawResponse | Awaitable[RawResponse]]


class Listener:
    """Serves one address. ``respond`` runs in the event loop and must not block."""

    def __init__(self, respond: Respond, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._respond = respond
        self._host = host
        self._port = port
        self._tls = tls
        self._runner: web.ServerRunner | None = None

    async def start(self) -> str:
        """Start serving and return the URL. Raises OSError if the port is taken."""
        server = web.Server(
            self._handle,
            request_factory=_request,
            keepalive_timeout=_KEEP_ALIVE,
            lingering_time=_LINGER,
            access_log=None,
        )
        runner = self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_SHUTDOWN)
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
        """Stop serving and close open connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await request.read() if request.body_exists else b""
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        serial = None
        if self._tls is not None:
            from wxpay_dsl.sandbox.keys.tls import client_serial

            serial = client_serial(request.transport)
        call = Call(request.method, request.raw_path, request.headers, body, self._tls is not None, serial)
        result = self._respond(call, request.remote)
        raw = result if isinstance(result, RawResponse) else await result
        if raw.delay:
            await asyncio.sleep(raw.delay)
        if raw.reset:
            return _reset(request)
        if raw.cut is not None:
            return await _cut(request, raw, raw.cut)
        return web.Response(status=raw.status, headers=raw.headers, body=raw.body or None)


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()


async def _cut(request: web.BaseRequest, raw: RawResponse, length: int) -> web.StreamResponse:
    """Announce the whole body and send only its first ``length`` bytes."""
    response = web.StreamResponse(status=raw.status, headers=raw.headers)
    response.content_length = len(raw.body)
    await response.prepare(request)
    await response.write(raw.body[:length])
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
