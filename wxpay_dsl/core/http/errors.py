"""Translates the exceptions of aiohttp into TransportErrors, each of which says whether the outcome is unknown."""

from __future__ import annotations

from typing import Any, Final

import aiohttp

from wxpay_dsl.core.errors import ConnectionFailedError, RequestTimeoutError, ResponseTruncatedError, TransportError
from wxpay_dsl.core.messages import Exchange, Request
from wxpay_dsl.core.redaction import redact_text

__all__ = ["connection_error", "transport_error"]

#: The most characters of an aiohttp message that are repeated.
_LONGEST: Final = 400

#: The exceptions that aiohttp raises before the first byte of a request is sent.
_NOT_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


def transport_error(exchange: Exchange, timeout: float, error: BaseException) -> TransportError:
    """The TransportError for an exception of aiohttp, or for the timeout of the whole call, in seconds."""
    request = exchange.request
    # The other timeouts of aiohttp are ClientErrors, and the operating system's has an errno.
    timed_out = isinstance(error, TimeoutError) and error.errno is None and not isinstance(error, aiohttp.ClientError)
    if not timed_out:
        return connection_error(request, error)
    whole = timeout + request.preparation_time
    if not exchange.sent:
        return RequestTimeoutError(request.name, f"no connection within {whole:g} s", outcome_unknown=False)
    return RequestTimeoutError(request.name, f"no complete response within {whole:g} s", not request.safe)


def connection_error(request: Request, error: BaseException) -> TransportError:
    """The TransportError for an exception of the connection."""
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
    """The message of aiohttp without passwords, and shortened, since it may repeat a status line of any length."""
    message = redact_text(str(error) or type(error).__name__)
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
