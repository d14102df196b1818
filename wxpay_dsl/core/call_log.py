"""Calls in the log, by Python's own ``logging``: a line for each at INFO, what was sent and what came at DEBUG.

Nothing that :mod:`~wxpay_dsl.core.redaction` hides is in it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Final

from .errors import on_one_line
from .hooks import Call, Hook
from .model import Schema
from .redaction import redact_data, redact_headers, redact_unknown, redact_url

__all__ = ["log_calls", "log_failure"]

_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


def log_calls(log: logging.Logger) -> Hook:
    """A hook that logs to ``log``.

    A call that fails is raised to its caller: where the application has set up no logging, Python's last resort does
    not print it once more.
    """
    if not log.handlers:
        log.addHandler(logging.NullHandler())

    def hook(call: Call) -> AbstractContextManager[None]:
        return _Logged(log, call) if log.isEnabledFor(logging.WARNING) else _NOTHING

    return hook


class _Logged:
    """Logs one call: a class, as :class:`~wxpay_dsl.core.hooks.observed` is."""

    __slots__ = ("_call", "_log")

    def __init__(self, log: logging.Logger, call: Call) -> None:
        self._log = log
        self._call = call

    def __enter__(self) -> None:
        if self._log.isEnabledFor(logging.DEBUG):
            _sending(self._log, self._call)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log, call = self._log, self._call
        if call.error is not None:
            log_failure(log, call.name, call.seconds, call.error)
        elif log.isEnabledFor(logging.INFO):
            _ended(log, call, call.seconds * 1000)


def log_failure(log: logging.Logger, name: str, seconds: float, error: BaseException) -> None:
    """Logs a call that failed, at WARNING."""
    said = "cancelled" if isinstance(error, asyncio.CancelledError) else str(error).removeprefix(f"{name}: ")
    log.warning("%s failed after %.0f ms: %s: %s", name, seconds * 1000, type(error).__name__, said)


def _sending(log: logging.Logger, call: Call) -> None:
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
    """Data as the log shows it. Where no spec says what is sensitive, any value may be."""
    return redact_unknown(data) if schema is None else redact_data(schema, data)


def _ended(log: logging.Logger, call: Call, milliseconds: float) -> None:
    exchange, reply = call.exchange, call.reply
    answer = exchange.response if exchange is not None else None
    status = answer.status if answer is not None else "streamed"
    attempts = f", {exchange.attempts} attempts" if exchange is not None and exchange.attempts > 1 else ""
    request_id = f" [Request-ID {on_one_line(reply.request_id[:80])}]" if reply is not None and reply.request_id else ""
    log.info("%s %s in %.0f ms%s%s", call.name, status, milliseconds, attempts, request_id)
    if reply is not None and log.isEnabledFor(logging.DEBUG):
        operation = call.request.operation
        returns = operation.returns if operation is not None else None
        log.debug("%s %s %s", call.name, redact_headers(reply.headers), _redacted(returns, reply.data))
