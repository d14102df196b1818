"""A client of one API: the chain, the call from validation to response, and the connections below it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic, perf_counter
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from attrs import evolve

from .chain.near_miss import refuse_near_miss
from .chain.node import Node, Target
from .chain.tree import Tree
from .dialect import Dialect
from .errors import (
    ClosedError,
    FieldError,
    RequestTimeoutError,
    SdkError,
    ServiceError,
    UndeclaredPathError,
    ValidationError,
)
from .http.stream import Stream
from .http.transport import Middleware, Transport
from .messages import Exchange, Options, RawResponse, Request, Validate
from .observe.call_log import log_calls, log_failure
from .observe.hooks import Hook, observed
from .origins import Origins
from .request.build import Warned, build, collect
from .request.forms import complete
from .request.plan import plan_of
from .response import Response
from .specs.model import Operation

__all__ = ["TIMEOUT", "Client", "Middlewares"]

#: Seconds for a whole call where nobody says otherwise.
TIMEOUT: Final = 30.0
#: Seconds of preparation that are taken off a call's time.
_NOTICED: Final = 0.001

#: The middlewares of one exchange, outermost first; once a handler returns, the exchange holds the answer whole.
Middlewares = Callable[[Exchange], Sequence[Middleware]]
#: The TLS of one request, where it is not the transport's; raises for a request that lacks what it needs.
Tls = Callable[[Request], ssl.SSLContext | None]


class Client:
    """Calls what a :class:`Tree` declares, and what it does not."""

    def __init__(
        self,
        tree: Tree,
        dialects: Mapping[str, Dialect],
        base_url: str,
        transport: Transport,
        *,
        middlewares: Middlewares | None = None,
        tls: Tls | None = None,
        use_spec_hosts: bool = True,
        origins: Origins | None = None,
        strict: bool = False,
        undeclared: bool = False,
        validate: Validate = True,
        timeout: float = TIMEOUT,
        owns_transport: bool = True,
        hooks: Sequence[Hook] = (),
        log: logging.Logger | None = None,
    ) -> None:
        """``use_spec_hosts`` False sends everything to ``base_url``, whatever host a spec names; ``origins`` is where calls
        may go, ``base_url`` alone by default, and a call to anywhere else is refused; ``strict`` refuses undeclared
        paths, ``undeclared`` sends even to those that are nearly a declared one whose fields are encrypted;
        ``owns_transport`` False leaves the connections open for others when this client is closed; ``hooks`` run around
        each call, and ``log`` has a line of each: those that fail at WARNING, all at INFO.
        """
        self._tree = tree
        self._dialects = dialects
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._middlewares = middlewares
        self._tls = tls
        self._use_spec_hosts = use_spec_hosts
        self._origins = origins if origins is not None else _origin_of(self._base_url)
        self._strict = strict
        self._undeclared = undeclared
        self._validate: Validate = validate
        self._timeout = timeout
        self._owns_transport = owns_transport
        self._closed = False
        self._warned: Warned = set()
        self._log = log
        self._hooks = tuple(hooks) if log is None else (log_calls(log), *hooks)
        self._watched = bool(hooks)
        self._root = Node(self)

    @property
    def tree(self) -> Tree:
        """The declared operations."""
        return self._tree

    @property
    def chain(self) -> Node:
        """The root of the chain."""
        return self._root

    async def call(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Response[Any]:
        """Checks, sends and reads one call.

        Raises ValidationError before anything is sent, TransportError, ServiceError, or what a middleware raises.
        """
        request = await self.prepare(target, data, fields)
        log = self._log
        if not self._watched and log is not None and not log.isEnabledFor(logging.INFO):
            # Nobody looks on: what is left to do for one that fails.
            begun = perf_counter()
            try:
                exchange = Exchange(request)
                await self._transport.send(exchange, *self._send_arguments(exchange))
                return await self._read(exchange)
            except BaseException as error:
                log_failure(log, request.name, perf_counter() - begun, error)
                raise
        with observed(self._hooks, request) as call:
            call.exchange = exchange = Exchange(request)
            await self._exchange(exchange)
            call.response = await self._read(exchange)
        return call.response

    async def _read(self, exchange: Exchange) -> Response[Any]:
        """The response that an answer is, or the error."""
        request = exchange.request
        dialect = self._dialects[request.dialect]
        response, operation = exchange.received, request.operation
        if response.status != 200:
            self._check(exchange)
        try:
            result = dialect.decode(operation, response)
        except ServiceError as error:
            raise _with_doubt(exchange, error) from None
        if operation is not None and dialect.decrypt is not None and plan_of(operation).decrypts:
            result = await dialect.decrypt(operation, result)
        request_id = response.headers.get("Request-ID", "")
        return Response(result, response.status, response.headers, request_id, exchange)

    def _check(self, exchange: Exchange) -> None:
        """Raises what the dialect makes of an answer that is no success."""
        request, response = exchange.request, exchange.received
        dialect, operation = self._dialects[request.dialect], request.operation
        if not (200 <= response.status < 300 or (operation is not None and response.status == operation.status)):
            error = dialect.parse_error(operation, response)
            if dialect.explain is not None:
                error = dialect.explain(exchange, error)
            if operation is None and response.status == 404 and isinstance(error, ServiceError):
                nearest = self._tree.nearest(request.name.partition(" ")[2])
                hint = f"; the nearest declared one is {nearest}" if nearest else ""
                error = evolve(error, hint=f"no spec declares this path{hint}")
            if 300 <= response.status < 400 and isinstance(error, ServiceError):
                location = response.headers.get("Location", "nowhere")[:200]
                error = evolve(error, hint=f"it redirects to {location}, and redirects are not followed")
            raise _with_doubt(exchange, error)

    async def prepare(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Request:
        """The request that a call would send; signed where the signature is one of its fields, but not in its headers.

        Raises ValidationError, SpecError or UndeclaredPathError, and what the dialect's hooks raise.
        """
        operation = target.operation
        dialect_name = operation.dialect if operation is not None else self._tree.dialect_of(target.segments)
        dialect = self._dialects[dialect_name]
        if target.below or (operation is None and len(target.segments) <= len(dialect.chain)):
            raise _incomplete_path(target)
        if operation is None and self._strict:
            path = "/" + "/".join(target.segments)
            raise UndeclaredPathError(f"{target.verb.upper()} {path}", self._tree.nearest(path))
        base = self._base_url if not self._use_spec_hosts else self._base(target, operation)
        plan = plan_of(operation) if operation is not None else None
        collected = collect(target, plan, data, fields)
        sections, options, field_errors, _ = collected
        if operation is None and not (self._undeclared or options.undeclared):
            refuse_near_miss(self._tree, target, sections)
        validate = self._validate if options.validate is None else options.validate
        encrypt = dialect.encrypt if plan is not None and plan.encrypts else None
        if "form" not in sections and encrypt is None and dialect.sign_fields is None:
            # Nothing to wait for.
            return build(target, plan, collected, dialect, base, validate, self._warned)

        async def finished() -> Request:
            if "form" in sections and isinstance(sections["form"], Mapping):
                sections["form"] = await complete(operation, sections["form"], dialect, field_errors)
            request = build(target, plan, collected, dialect, base, validate, self._warned)
            if encrypt is not None and plan is not None:
                changed = await encrypt(plan.operation, request.sections)
                if changed is not request.sections:
                    request = build(target, plan, (changed, options, [], ()), dialect, base, None, self._warned)
            return request if dialect.sign_fields is None else await dialect.sign_fields(request)

        return await self._in_time(finished(), options, operation, target)

    async def _in_time(
        self, preparing: Coroutine[Any, Any, Request], options: Options, operation: Operation | None, target: Target
    ) -> Request:
        """The request, prepared within the call's time: a key may have to be fetched for it. Raises
        RequestTimeoutError.
        """
        timeout = self._timeout if options.timeout is None else options.timeout
        begun = monotonic()
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                request = await preparing
        except TimeoutError as error:
            if not limit.expired():
                raise
            name = operation.name if operation is not None else f"{target.verb.upper()} /{'/'.join(target.segments)}"
            message = f"not ready to be sent within {timeout:g} s (a key that it needs was not fetched in time)"
            raise RequestTimeoutError(name, message, outcome_unknown=False) from error
        preparation_time = monotonic() - begun
        return request if preparation_time < _NOTICED else evolve(request, preparation_time=preparation_time)

    async def send(self, request: Request) -> Exchange:
        """Sends a prepared request through the middlewares; every answer is whole, whatever its status."""
        exchange = Exchange(request)
        await self._exchange(exchange)
        return exchange

    async def _exchange(self, exchange: Exchange) -> None:
        middlewares, timeout, tls = self._send_arguments(exchange)
        await self._transport.send(exchange, middlewares, timeout, tls)

    def _send_arguments(self, exchange: Exchange) -> tuple[Sequence[Middleware], float, ssl.SSLContext | None]:
        """How a request is sent: through what, within how many seconds, over which TLS."""
        if self._closed:
            raise ClosedError
        request = exchange.request
        url, base = request.url, self._base_url
        if not url.startswith(base) or url[len(base) : len(base) + 1] != "/":
            # A link of an answer, or a request that somebody made: its host was not looked at yet.
            self._origins.check(url, request.name)
        middlewares = self._middlewares(exchange) if self._middlewares is not None else ()
        timeout = self._timeout if request.options.timeout is None else request.options.timeout
        if request.preparation_time:
            timeout = max(timeout - request.preparation_time, _NOTICED)
        return middlewares, timeout, self._tls(request) if self._tls is not None else None

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncGenerator[Stream, None]:
        """Sends a prepared request; the body of a success is left to be read, unverified. Raises as :meth:`call`."""
        with observed(self._hooks, request) as call:
            call.exchange = exchange = Exchange(request)
            async with self._transport.stream(exchange, *self._send_arguments(exchange)) as stream:
                self._check(exchange)
                yield stream

    def error_in_body(self, request: Request, response: RawResponse) -> SdkError | None:
        """The error that an answer of status 200 says in its body, if it says one."""
        try:
            self._dialects[request.dialect].decode(request.operation, response)
        except SdkError as error:
            return error
        return None

    @property
    def origins(self) -> Origins:
        """Where calls may go."""
        return self._origins

    @property
    def only_origin(self) -> str | None:
        """Where everything goes, whatever host a spec or a link names; None where they count."""
        return None if self._use_spec_hosts else self._base_url

    def _base(self, target: Target, operation: Operation | None) -> str:
        """Where a call goes. Raises ConfigurationError, before anything is signed, for an origin it may not go to."""
        host = operation.host if operation is not None else self._tree.host_of(target.segments)
        if not host:
            return self._base_url
        name = operation.name if operation is not None else f"{target.verb.upper()} /{'/'.join(target.segments)}"
        self._origins.check(host, name, operation.file if operation is not None else "the specs beside it")
        return host

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds keys and connections and is never pickled: make one in the other process")

    async def close(self) -> None:
        """Ends this client: further calls raise ClosedError. Its own connections are closed."""
        self._closed = True
        if self._owns_transport:
            await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _origin_of(base_url: str) -> Origins:
    try:
        return Origins.of([base_url])
    except ValueError:
        # Calls to it fail, and say why.
        return Origins.of(())


def _with_doubt(exchange: Exchange, error: SdkError) -> SdkError:
    """A refusal of the last attempt says nothing of an earlier one, whose answer was lost; and where the spec says that
    only a query tells the outcome, no refusal does.
    """
    operation = exchange.request.operation
    queried = operation is not None and operation.outcome == "query" and not exchange.request.safe
    if (exchange.maybe_executed or queried) and isinstance(error, ServiceError):
        return evolve(error, outcome_unknown=True)
    return error


def _incomplete_path(target: Target) -> ValidationError:
    shown = ", ".join(target.below[:8]) + (" …" if len(target.below) > 8 else "")
    below = f"; it goes on with {shown}" if shown else ""
    message = f"the chain ends in nothing: no operation is declared here{below}"
    return ValidationError(f"{target.verb.upper()} /{'/'.join(target.segments)}", (FieldError("", message),))
