"""The errors of our own tree for what aiohttp raises; each says whether anything can have happened."""

from __future__ import annotations

from typing import Any, Final

import aiohttp

from wxpay_dsl.core.errors import ConnectionFailedError, RequestTimeoutError, ResponseTruncatedError, TransportError
from wxpay_dsl.core.messages import Exchange, Request
from wxpay_dsl.core.redaction import redact_text

__all__ = ["connection_error", "transport_error"]

#: Characters of an error of aiohttp's that are told.
_SAID: Final = 400

#: What aiohttp raises before the first byte of a request has left.
_NOT_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


def transport_error(exchange: Exchange, timeout: float, error: BaseException) -> TransportError:
    """The error of our own tree for what aiohttp raised, or for the end of the whole call's time."""
    request = exchange.request
    # aiohttp's other timeouts are errors of its own, and the system's has a number.
    ended = isinstance(error, TimeoutError) and error.errno is None and not isinstance(error, aiohttp.ClientError)
    if not ended:
        return connection_error(request, error)
    whole = timeout + request.preparation_time
    if not exchange.sent:
        return RequestTimeoutError(request.name, f"no connection within {whole:g} s", outcome_unknown=False)
    return RequestTimeoutError(request.name, f"no complete response within {whole:g} s", not request.safe)


def connection_error(request: Request, error: BaseException) -> TransportError:
    """The error of our own tree; whether anything can have happened is what the caller has to know."""
    if isinstance(error, _NOT_SENT):
        return ConnectionFailedError(request.name, f"no connection: {_text(error)}", outcome_unknown=False, sent=False)
    unknown = not request.safe
    if isinstance(error, TimeoutError):
        return RequestTimeoutError(request.name, f"no response in time: {_text(error)}", unknown)
    if isinstance(error, aiohttp.ClientPayloadError):
        return ResponseTruncatedError(request.name, f"the response ended early: {_text(error)}", unknown)
    if isinstance(error, aiohttp.ClientResponseError):
        return ConnectionFailedError(request.name, f"the response is not HTTP: {_text(error)}", unknown)
    return ConnectionFailedError(request.name, f"the connection broke: {_text(error)}", unknown)


def _text(error: Any) -> str:
    """What aiohttp says, without passwords, cut: it repeats a status line, which may be of any length."""
    said = redact_text(str(error) or type(error).__name__)
    return said if len(said) <= _SAID else f"{said[: _SAID // 2]} … {said[-_SAID // 2 :]}"
