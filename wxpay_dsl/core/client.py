"""The client of one API: it validates, sends and decodes the calls that the attribute chain makes."""

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

#: The default timeout of a whole call, in seconds.
TIMEOUT: Final = 30.0
#: Preparation that takes less than this many seconds is not subtracted from the call's timeout.
_NEGLIGIBLE: Final = 0.001

#: Makes the middlewares of one exchange, outermost first. When a handler returns, the exchange has its whole response.
Middlewares = Callable[[Exchange], Sequence[Middleware]]
#: The TLS settings of one request, None for the transport's; raises for a request that needs a certificate it has not.
Tls = Callable[[Request], ssl.SSLContext | None]


class Client:
    """Calls the operations of a :class:`Tree`, and undeclared paths."""

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
        """``use_spec_hosts``: send a call to the host that its spec names; False sends every call to ``base_url``.
        ``origins``: the only origins that calls may go to, by default that of ``base_url``.
        ``strict``: refuse undeclared paths.
        ``undeclared``: allow undeclared paths that resemble a declared path whose fields are encrypted.
        ``timeout``: seconds for a whole call, retries included.
        ``owns_transport``: close the transport with this client; False for a shared transport.
        ``hooks``: run around each call. ``log``: logs failed calls at WARNING and all calls at INFO.
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
        self._has_hooks = bool(hooks)
        self._root = Node(self)

    @property
    def tree(self) -> Tree:
        """The declared operations."""
        return self._tree

    @property
    def chain(self) -> Node:
        """The root of the attribute chain."""
        return self._root

    async def call(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Response[Any]:
        """Validates, sends and decodes one call.

        Raises ValidationError before anything is sent, TransportError, ServiceError, and errors of middlewares.
        """
        request = await self.prepare(target, data, fields)
        log = self._log
        if not self._has_hooks and log is not None and not log.isEnabledFor(logging.INFO):
            # Fast path when nothing observes the call: only failures are logged.
            begun = perf_counter()
            try:
                exchange = Exchange(request)
                await self._transport.send(exchange, *self._send_arguments(exchange))
                return await self._decode_response(exchange)
            except BaseException as error:
                log_failure(log, request.name, perf_counter() - begun, error)
                raise
        with observed(self._hooks, request) as call:
            call.exchange = exchange = Exchange(request)
            await self._send_exchange(exchange)
            call.response = await self._decode_response(exchange)
        return call.response

    async def _decode_response(self, exchange: Exchange) -> Response[Any]:
        """Decodes the raw response of an exchange, or raises the error that it describes."""
        request = exchange.request
        dialect = self._dialects[request.dialect]
        response, operation = exchange.received, request.operation
        if response.status != 200:
            self._raise_for_status(exchange)
        try:
            result = dialect.decode(operation, response)
        except ServiceError as error:
            raise _with_outcome(exchange, error) from None
        if operation is not None and dialect.decrypt is not None and plan_of(operation).decrypts:
            result = await dialect.decrypt(operation, result)
        request_id = response.headers.get("Request-ID", "")
        return Response(result, response.status, response.headers, request_id, exchange)

    def _raise_for_status(self, exchange: Exchange) -> None:
        """Raises the error of the dialect for a response whose status is not a success."""
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
            raise _with_outcome(exchange, error)

    async def prepare(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Request:
        """The request that a call would send, including a signature in its fields but not one in its headers.

        Raises ValidationError, SpecError, UndeclaredPathError, RequestTimeoutError, or what the dialect raises.
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
            # Nothing has to be awaited, so no timeout is needed.
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
        """Awaits the preparation of a request within the call's timeout, since a key may have to be fetched.

        Raises RequestTimeoutError.
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
        return request if preparation_time < _NEGLIGIBLE else evolve(request, preparation_time=preparation_time)

    async def send(self, request: Request) -> Exchange:
        """Sends a prepared request through the middlewares, and returns the exchange whatever the response's status."""
        exchange = Exchange(request)
        await self._send_exchange(exchange)
        return exchange

    async def _send_exchange(self, exchange: Exchange) -> None:
        middlewares, timeout, tls = self._send_arguments(exchange)
        await self._transport.send(exchange, middlewares, timeout, tls)

    def _send_arguments(self, exchange: Exchange) -> tuple[Sequence[Middleware], float, ssl.SSLContext | None]:
        """The arguments of :meth:`Transport.send`: middlewares, timeout in seconds, and TLS settings."""
        if self._closed:
            raise ClosedError
        request = exchange.request
        url, base = request.url, self._base_url
        if not url.startswith(base) or url[len(base) : len(base) + 1] != "/":
            # A link from a response, or a request that was built elsewhere: its host has not been checked yet.
            self._origins.check(url, request.name)
        middlewares = self._middlewares(exchange) if self._middlewares is not None else ()
        timeout = self._timeout if request.options.timeout is None else request.options.timeout
        if request.preparation_time:
            timeout = max(timeout - request.preparation_time, _NEGLIGIBLE)
        return middlewares, timeout, self._tls(request) if self._tls is not None else None

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncGenerator[Stream, None]:
        """Sends a prepared request, and yields a success as a stream whose body is neither read nor verified.

        Raises the same errors as :meth:`call`.
        """
        with observed(self._hooks, request) as call:
            call.exchange = exchange = Exchange(request)
            async with self._transport.stream(exchange, *self._send_arguments(exchange)) as stream:
                self._raise_for_status(exchange)
                yield stream

    def error_in_body(self, request: Request, response: RawResponse) -> SdkError | None:
        """The error that a response of status 200 describes in its body, or None."""
        try:
            self._dialects[request.dialect].decode(request.operation, response)
        except SdkError as error:
            return error
        return None

    @property
    def origins(self) -> Origins:
        """The origins that calls may go to."""
        return self._origins

    @property
    def only_origin(self) -> str | None:
        """The origin that every call goes to; None if the hosts of specs and links are used."""
        return None if self._use_spec_hosts else self._base_url

    def _base(self, target: Target, operation: Operation | None) -> str:
        """The base URL of a call. Raises ConfigurationError, before signing, for an origin that is not allowed."""
        host = operation.host if operation is not None else self._tree.host_of(target.segments)
        if not host:
            return self._base_url
        name = operation.name if operation is not None else f"{target.verb.upper()} /{'/'.join(target.segments)}"
        self._origins.check(host, name, operation.file if operation is not None else "the specs beside it")
        return host

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds keys and connections and is never pickled: create one in the other process")

    async def close(self) -> None:
        """Closes the client, and the transport if it owns it; further calls raise ClosedError."""
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
        # Each call to it raises an error that says what is wrong with the URL.
        return Origins.of(())


def _with_outcome(exchange: Exchange, error: SdkError) -> SdkError:
    """The error, with an unknown outcome where it does not prove that nothing was executed.

    That is so after an earlier attempt whose response was lost, and for an operation whose spec says that only a query
    tells the outcome.
    """
    operation = exchange.request.operation
    queried = operation is not None and operation.outcome == "query" and not exchange.request.safe
    if (exchange.maybe_executed or queried) and isinstance(error, ServiceError):
        return evolve(error, outcome_unknown=True)
    return error


def _incomplete_path(target: Target) -> ValidationError:
    shown = ", ".join(target.below[:8]) + (" …" if len(target.below) > 8 else "")
    below = f"; continue with {shown}" if shown else ""
    message = f"the chain is incomplete: no operation is declared here{below}"
    return ValidationError(f"{target.verb.upper()} /{'/'.join(target.segments)}", (FieldError("", message),))
