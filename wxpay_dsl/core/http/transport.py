"""Sends a request through middlewares over aiohttp, and reads the whole response up to a size limit.

Each running event loop has one session, created on first use. Redirects are not followed, cookies are not kept, and
bodies are not decompressed: the bytes that are verified are the bytes that were received.
"""

from __future__ import annotations

import asyncio
import math
import platform
import ssl
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, NoReturn

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from wxpay_dsl.core.errors import ClosedError, ResponseTooLargeError, ResponseTruncatedError, SdkError
from wxpay_dsl.core.messages import Exchange, RawResponse, Request

from .errors import transport_error
from .payload import FormPayload
from .proxy import Proxy
from .stream import Stream

__all__ = ["MAX_RESPONSE", "Handler", "Middleware", "Transport", "user_agent"]

#: The most bytes of a response that are read; larger content is a file, which is downloaded.
MAX_RESPONSE: Final = 8 * 1024 * 1024
#: Seconds that an idle connection is kept. Services close idle connections after 8 s, and using one that is just being
#: closed fails the call.
KEEP_ALIVE: Final = 7.0
#: Seconds to connect, and again for the TLS handshake.
CONNECT: Final = 5.0

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
Middleware = Callable[[aiohttp.ClientRequest, Handler], Awaitable[aiohttp.ClientResponse]]


def user_agent(name: str, version: str) -> str:
    """``name/version (platform) Python/… aiohttp/…``"""
    system = f"{platform.system()} {platform.machine()}"
    return f"{name}/{version} ({system}) Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"


class Transport:
    """A pool of connections. Several clients can share it; it is closed by its owner."""

    def __init__(
        self,
        agent: str,
        *,
        limit: int = 100,
        max_response: int = MAX_RESPONSE,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``limit``: connections at once. ``max_response``: bytes of a response. ``proxy``: URL of a forward proxy."""
        self._agent = agent
        self._limit = limit
        self._max_response = max_response
        self._proxy = Proxy.of(proxy)
        self._tls = tls
        self._sessions: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[None, None]]] = {}
        self._closed = False
        #: Guards the sessions, since several threads may each run an event loop.
        self._lock = threading.Lock()

    def session(self) -> aiohttp.ClientSession:
        """The session of the running event loop. Raises ClosedError after :meth:`close`."""
        if self._closed:
            raise ClosedError
        loop = asyncio.get_running_loop()
        session, _ = self._sessions.get(loop, (None, None))
        if session is None or session.closed:
            session = self._new_session(loop)
        return session

    def _new_session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=_Connector(limit=self._limit, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            # The signature covers the uncompressed body; see also auto_decompress.
            headers={"User-Agent": self._agent, "Accept-Encoding": "identity"},
        )
        keeper = _close_with_loop(session)
        with suppress(StopIteration):
            keeper.__anext__().send(None)
        with self._lock:
            if self._closed:
                # Another thread closed the transport in the meantime. The unused session is closed with its loop.
                raise ClosedError
            for ended in [other for other in self._sessions if other.is_closed()]:
                del self._sessions[ended]
            self._sessions[loop] = session, keeper
        return session

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "connections belong to their process and are never pickled: create a client in the other process"
        )

    async def close(self) -> None:
        """Closes every connection; calls in progress end with an error."""
        with self._lock:
            self._closed = True
            sessions, self._sessions = self._sessions, {}
        running = asyncio.get_running_loop()
        for loop, (session, keeper) in sessions.items():
            if loop is running:
                await keeper.aclose()
            elif not loop.is_closed():
                # Sockets belong to their event loop, so another loop's session is closed there.
                asyncio.run_coroutine_threadsafe(session.close(), loop)

    async def send(
        self,
        exchange: Exchange,
        middlewares: Sequence[Middleware],
        timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Sends the request of an exchange within ``timeout`` seconds, retries included, and records the result in it.

        ``middlewares`` wrap the request, the first outermost. The innermost handler reads the whole response, so that
        an error in a middleware does not keep a connection occupied. ``tls``: settings for this request alone; its
        connections are not shared with requests of other settings. Raises TransportError, or what a middleware raises.
        """
        try:
            await self._begin(exchange, middlewares, timeout, tls)
        except _MiddlewareError as error:
            raise error.cause from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise transport_error(exchange, timeout, error) from error

    @asynccontextmanager
    async def stream(
        self,
        exchange: Exchange,
        middlewares: Sequence[Middleware],
        timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncGenerator[Stream, None]:
        """Like :meth:`send`, but yields the body of a success as a :class:`Stream`; ``exchange.response`` has no body.

        The response must begin within ``timeout`` seconds, and each part of the body must follow within the same time.
        The connection is closed unless the body is read to its end.
        """
        opened: list[aiohttp.ClientResponse] = []
        try:
            try:
                # The timeout of aiohttp would include the body, which may take hours.
                async with asyncio.timeout(timeout):
                    response = await self._begin(exchange, middlewares, timeout, tls, opened)
            except _MiddlewareError as error:
                raise error.cause from None
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise transport_error(exchange, timeout, error) from error
            yield Stream(exchange.request, response, timeout)
        finally:
            for each in opened:
                each.close()

    def _begin(
        self,
        exchange: Exchange,
        middlewares: Sequence[Middleware],
        timeout: float,
        tls: ssl.SSLContext | None,
        opened: list[aiohttp.ClientResponse] | None = None,
    ) -> Awaitable[aiohttp.ClientResponse]:
        """The request, to be awaited. With ``opened``, successful responses are added to that list unread."""
        request = exchange.request
        session = self.session()
        exchange.deadline = asyncio.get_running_loop().time() + timeout
        # Marked as encoded, since aiohttp would otherwise quote the URL again, and send another URL than was signed.
        url = URL(request.url, encoded=True)
        return session.request(
            request.method,
            url,
            data=FormPayload(request.form) if request.form is not None else request.body or None,
            headers=request.headers,
            allow_redirects=False,
            proxy=self._proxy.url_for(url),
            proxy_headers=self._proxy.headers,
            ssl=tls or self._tls or True,
            timeout=_timeout(timeout if opened is None else None),
            middlewares=(self._through(exchange, url, middlewares, timeout, opened),),
            max_line_size=16384,
            max_field_size=16384,
        )

    def _through(
        self,
        exchange: Exchange,
        url: URL,
        middlewares: Sequence[Middleware],
        timeout: float,
        opened: list[aiohttp.ClientResponse] | None,
    ) -> Middleware:
        """All middlewares as one, since aiohttp would build the chain of several again for each request.

        It is one function with one nested function, since each function in the path of a call costs 0.4 µs.
        """
        request, limit = exchange.request, self._max_response

        async def through(wire: aiohttp.ClientRequest, send: Handler) -> aiohttp.ClientResponse:
            async def receive(wire: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
                if self._closed:
                    raise ClosedError
                exchange.attempts += 1
                exchange.response = None
                # A middleware may have changed the URL.
                exchange.method, exchange.url = wire.method, request.url if wire.url is url else str(wire.url)
                # Not copied: only another attempt changes the headers, and that attempt is then recorded here.
                exchange.request_headers = wire.headers
                exchange.request_body = request.body if request.form is None else request.form.outline()
                body = b""
                token = _connecting.set(exchange)
                try:
                    response = await send(wire)
                    if opened is not None and 200 <= response.status < 300:
                        opened.append(response)
                    else:
                        try:
                            body = await _read(request, response, limit)
                        except BaseException:
                            # The body was not read to its end, so the connection cannot be reused.
                            response.close()
                            raise
                        response.release()
                except (TimeoutError, aiohttp.ClientError, OSError) as error:
                    # Translated here, so that middlewares only see errors of this package, and aiohttp does not retry
                    # some methods by itself, regardless of the retry policy.
                    raise transport_error(exchange, timeout, error) from error
                finally:
                    _connecting.reset(token)
                exchange.response = RawResponse(
                    request.name, response.status, response.headers.copy(), body, request.safe
                )
                return response

            handler: Handler = receive
            for middleware in reversed(middlewares[1:]):
                handler = _around(middleware, handler)
            try:
                return await (middlewares[0](wire, handler) if middlewares else handler(wire))
            except SdkError:
                raise
            except Exception as error:
                # Errors of the connection were translated above; this one is from a middleware.
                raise _MiddlewareError(error) from error

        return through


@lru_cache(maxsize=256)
def _timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    # Waiting for a free connection is limited by the timeout of the whole call, not by that of connecting.
    return aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT, ceil_threshold=math.inf)


def _around(middleware: Middleware, handler: Handler) -> Handler:
    def through(wire: aiohttp.ClientRequest) -> Awaitable[aiohttp.ClientResponse]:
        return middleware(wire, handler)

    return through


class _MiddlewareError(Exception):
    """Carries an exception of a middleware through aiohttp, which would treat an OSError as one of the connection."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


#: The exchange that the current task acquires a connection for.
_connecting: Final[ContextVar[Exchange]] = ContextVar("_connecting")


class _Connector(aiohttp.TCPConnector):
    """Records when an exchange has its connection: before that, the request cannot have reached the service."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        exchange = _connecting.get(None)
        if exchange is not None:
            exchange.sent = True
        return connection


async def _close_with_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Closes a session before its event loop ends, since ``asyncio.run`` closes the async generators of its loop."""
    try:
        yield
    finally:
        await session.close()


async def _read(request: Request, response: aiohttp.ClientResponse, limit: int) -> bytes:
    content = response.content
    if content.is_eof() and content.exception() is None and content.total_bytes <= limit:
        # Fast path: the whole body arrived with the headers.
        return content.read_nowait()
    announced = response.content_length or 0
    chunks: list[bytes] = []
    size = 0
    try:
        if announced <= limit:
            while chunk := await content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    break
    except aiohttp.ClientPayloadError as error:
        message = f"the response ended early, after {size} bytes"
        if announced:
            message += f" of {announced}"
        unknown = not request.safe
        raise ResponseTruncatedError(request.name, message, unknown, response.status, b"".join(chunks)) from error
    if max(size, announced) > limit:
        message = f"the response is larger than {limit} bytes"
        raise ResponseTooLargeError(request.name, message, not request.safe, response.status, limit)
    return b"".join(chunks)
