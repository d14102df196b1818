"""Sends one request through middlewares over aiohttp, and reads the whole answer within bounds.

One session a running event loop, made when first needed. Redirects are not followed, cookies not kept, bodies not
decompressed: the bytes that come are the bytes that are verified.
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

#: Bytes of an answer that are read; what is larger is a file, and comes by download.
MAX_RESPONSE: Final = 8 * 1024 * 1024
#: Seconds an idle connection is kept. Services close theirs after 8; one that is closed under us fails a call.
KEEP_ALIVE: Final = 7.0
#: Seconds to connect, and as many for TLS.
CONNECT: Final = 5.0

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
Middleware = Callable[[aiohttp.ClientRequest, Handler], Awaitable[aiohttp.ClientResponse]]


def user_agent(name: str, version: str) -> str:
    """``name/version (platform) Python/… aiohttp/…``"""
    system = f"{platform.system()} {platform.machine()}"
    return f"{name}/{version} ({system}) Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"


class Transport:
    """The connections. Shared by all clients that are given it; closed by whoever made it."""

    def __init__(
        self,
        agent: str,
        *,
        limit: int = 100,
        max_response: int = MAX_RESPONSE,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``limit`` connections at once, ``max_response`` bytes an answer, ``proxy`` the URL of a forward proxy."""
        self._agent = agent
        self._limit = limit
        self._max_response = max_response
        self._proxy = Proxy.of(proxy)
        self._tls = tls
        self._sessions: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[None, None]]] = {}
        self._closed = False
        #: Held while the sessions change: each thread's loop makes its own.
        self._lock = threading.Lock()

    def session(self) -> aiohttp.ClientSession:
        """The running loop's session. Raises ClosedError after :meth:`close`."""
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
            # The answer is signed as it is without compression; see also auto_decompress.
            headers={"User-Agent": self._agent, "Accept-Encoding": "identity"},
        )
        keeper = _close_with_loop(session)
        with suppress(StopIteration):
            keeper.__anext__().send(None)
        with self._lock:
            if self._closed:
                # Another thread has closed the transport meanwhile. The loop closes the session, as nobody uses it.
                raise ClosedError
            for ended in [other for other in self._sessions if other.is_closed()]:
                del self._sessions[ended]
            self._sessions[loop] = session, keeper
        return session

    def __reduce__(self) -> NoReturn:
        raise TypeError("connections belong to their process and are never pickled: make a client in the other one")

    async def close(self) -> None:
        """Closes every connection; calls that are under way end with an error."""
        with self._lock:
            self._closed = True
            sessions, self._sessions = self._sessions, {}
        running = asyncio.get_running_loop()
        for loop, (session, keeper) in sessions.items():
            if loop is running:
                await keeper.aclose()
            elif not loop.is_closed():
                # Sockets belong to their loop: another one's are closed over there.
                asyncio.run_coroutine_threadsafe(session.close(), loop)

    async def send(
        self,
        exchange: Exchange,
        middlewares: Sequence[Middleware],
        timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Sends the exchange's request within ``timeout`` seconds, retries included, and notes what happens in it.

        ``middlewares`` wrap it, the first outermost; when the last calls its handler the answer is read whole, so
        that no connection is held by an error above. ``tls`` is this request's own, which keeps its connections apart
        from those of others. Raises TransportError, or whatever a middleware raises.
        """
        try:
            await self._begin(exchange, middlewares, timeout, tls)
        except _NotOfTheWire as error:
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
        """As :meth:`send`, but the body of a success is left to be read from the :class:`Stream`; ``exchange.response``
        has an empty one.

        The answer must begin within ``timeout`` seconds, and no part of it may be longer in coming. What is not read
        to its end closes its connection.
        """
        opened: list[aiohttp.ClientResponse] = []
        try:
            try:
                # aiohttp's own timeout would go on with the body, which may take hours.
                async with asyncio.timeout(timeout):
                    response = await self._begin(exchange, middlewares, timeout, tls, opened)
            except _NotOfTheWire as error:
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
        """The request, to be awaited. Successes are left unread where ``opened`` collects them."""
        request = exchange.request
        session = self.session()
        exchange.deadline = asyncio.get_running_loop().time() + timeout
        # aiohttp would quote a URL again that is not marked as encoded: what was signed is what is sent.
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
        """All middlewares as one, for aiohttp would make the chain of several anew with each request.

        Written as one function with one inside, as each function that a call comes through costs it 0.4 µs.
        """
        request, limit = exchange.request, self._max_response

        async def through(wire: aiohttp.ClientRequest, send: Handler) -> aiohttp.ClientResponse:
            async def receive(wire: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
                if self._closed:
                    raise ClosedError
                exchange.attempts += 1
                exchange.response = None
                # A middleware may have sent it elsewhere.
                exchange.method, exchange.url = wire.method, request.url if wire.url is url else str(wire.url)
                # Its own, since nothing changes it but another attempt, of which this tells then.
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
                            # Half-read: the connection cannot serve another call.
                            response.close()
                            raise
                        response.release()
                except (TimeoutError, aiohttp.ClientError, OSError) as error:
                    # Translated here, so that middlewares see our own errors only, and aiohttp, which would send some
                    # methods again by itself, unseen and past the policy, does not.
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
                # What went wrong on the wire is an error of ours already; this is somebody's own.
                raise _NotOfTheWire(error) from error

        return through


@lru_cache(maxsize=256)
def _timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    # Waiting for a free connection is no failure to connect: the whole call's timeout bounds it.
    return aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT, ceil_threshold=math.inf)


def _around(middleware: Middleware, handler: Handler) -> Handler:
    def through(wire: aiohttp.ClientRequest) -> Awaitable[aiohttp.ClientResponse]:
        return middleware(wire, handler)

    return through


class _NotOfTheWire(Exception):  # noqa: N818 (never leaves this module)
    """Carries what a middleware raised past aiohttp, which would take an OSError for one of the connection's."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


#: The exchange that a connection is sought for, in the task that seeks it.
_connecting: Final[ContextVar[Exchange]] = ContextVar("_connecting")


class _Connector(aiohttp.TCPConnector):
    """Notes when an exchange has its connection: until then it cannot have reached anybody."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        exchange = _connecting.get(None)
        if exchange is not None:
            exchange.sent = True
        return connection


async def _close_with_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Closes a session before its event loop ends: ``asyncio.run`` closes the generators that its loop has seen."""
    try:
        yield
    finally:
        await session.close()


async def _read(request: Request, response: aiohttp.ClientResponse, limit: int) -> bytes:
    content = response.content
    if content.is_eof() and content.exception() is None and content.total_bytes <= limit:
        # All of it came with the headers, as short answers do.
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
