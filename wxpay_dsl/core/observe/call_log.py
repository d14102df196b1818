"""Logs calls with ``logging``: one line for each call at INFO, requests and responses at DEBUG.

Sensitive values are masked by :mod:`~wxpay_dsl.core.redaction`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Final

from wxpay_dsl.core.errors import on_one_line
from wxpay_dsl.core.redaction import redact_data, redact_headers, redact_unknown, redact_url
from wxpay_dsl.core.specs.model import Schema

from .hooks import Call, Hook

__all__ = ["log_calls", "log_failure"]

_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


def log_calls(log: logging.Logger) -> Hook:
    """A hook that logs calls to ``log``.

    Without a handler on ``log`` it gets a ``NullHandler``: a failed call raises an exception anyway, so the last-resort
    handler of ``logging`` should not print it as well.
    """
    if not log.handlers:
        log.addHandler(logging.NullHandler())

    def hook(call: Call) -> AbstractContextManager[None]:
        return _LoggedCall(log, call) if log.isEnabledFor(logging.WARNING) else _NOTHING

    return hook


class _LoggedCall:
    """Logs one call. A class rather than a generator, for speed."""

    __slots__ = ("_call", "_log")

    def __init__(self, log: logging.Logger, call: Call) -> None:
        self._log = log
        self._call = call

    def __enter__(self) -> None:
        if self._log.isEnabledFor(logging.DEBUG):
            _log_request(self._log, self._call)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log, call = self._log, self._call
        if call.error is not None:
            log_failure(log, call.name, call.seconds, call.error)
        elif log.isEnabledFor(logging.INFO):
            _log_response(log, call, call.seconds * 1000)


def log_failure(log: logging.Logger, name: str, seconds: float, error: BaseException) -> None:
    """Logs a failed call at WARNING. ``seconds``: how long it took."""
    message = "cancelled" if isinstance(error, asyncio.CancelledError) else str(error).removeprefix(f"{name}: ")
    log.warning("%s failed after %.0f ms: %s: %s", name, seconds * 1000, type(error).__name__, message)


def _log_request(log: logging.Logger, call: Call) -> None:
    request = call.request
    operation = request.operation
    fields = {
        section: _redacted(operation.section(section) if operation is not None else None, values)
        for section, values in request.sections.items()
        if section in ("body", "form") and values
    }
    headers = redact_headers(request.headers)
    url = redact_url(request.url, declared=operation is not None)
    log.debug("%s %s %s %s", request.method, url, headers, " ".join(fields.values()))


def _redacted(schema: Schema | None, data: Any) -> str:
    """Data as the log shows it. Without a schema any value may be sensitive, so all are masked."""
    return redact_unknown(data) if schema is None else redact_data(schema, data)


def _log_response(log: logging.Logger, call: Call, milliseconds: float) -> None:
    exchange, response = call.exchange, call.response
    raw = exchange.response if exchange is not None else None
    status = raw.status if raw is not None else "streamed"
    attempts = f", {exchange.attempts} attempts" if exchange is not None and exchange.attempts > 1 else ""
    request_id = (
        f" [Request-ID {on_one_line(response.request_id[:80])}]" if response is not None and response.request_id else ""
    )
    log.info("%s %s in %.0f ms%s%s", call.name, status, milliseconds, attempts, request_id)
    if response is not None and log.isEnabledFor(logging.DEBUG):
        operation = call.request.operation
        returns = operation.returns if operation is not None else None
        log.debug("%s %s %s", call.name, redact_headers(response.headers), _redacted(returns, response.data))
