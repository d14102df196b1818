"""Calls handlers, sync or async, and serialises what they return for the acknowledgement."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final

from attrs import frozen

from wxpay_dsl.core.errors import ConfigurationError

from .notification import Notification
from .stores import Claim

__all__ = ["Function", "Handler", "Threads", "prepare"]

#: A sync or async function of the notification, or of the notification and the claim. Returns None, or a mapping that
#: is sent as JSON in the acknowledgement, for the notifications that require it.
Function = Callable[..., Any]

_log = logging.getLogger("wxpay_dsl.notify")
#: The most sync handlers that run at the same time; the others wait for a thread.
_THREADS: Final = 32


class Threads:
    """Threads for sync handlers and other blocking functions, created at first use in each process."""

    def __init__(self, limit: int = _THREADS) -> None:
        """``limit``: the most functions that run at the same time."""
        self._limit = limit
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    async def run(self, function: Callable[[], Any]) -> Any:
        """The result of ``function``, run in a thread with the caller's context variables.

        A function that has started is waited for even if the caller is cancelled, because it cannot be stopped.
        """
        if self._pool is None or self._pid != os.getpid():
            self._pool, self._pid = ThreadPoolExecutor(self._limit, "wxpay-notify"), os.getpid()
        future = self._pool.submit(copy_context().run, function)
        while True:
            try:
                return await asyncio.wrap_future(future)
            except asyncio.CancelledError:
                if future.cancelled():  # it had not started
                    raise

    def close(self) -> None:
        """Ends the threads after the functions that run."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None


@frozen
class Handler:
    """A handler and how it is called."""

    function: Function
    #: Whether calling it returns an awaitable; if not, it runs in a thread, where it cannot be cancelled.
    is_async: bool
    #: Whether the claim is its second parameter.
    wants_claim: bool

    @property
    def name(self) -> str:
        """The name in errors and logs."""
        return getattr(self.function, "__qualname__", None) or repr(self.function)

    async def run(self, notification: Notification[Any], claim: Claim, threads: Threads) -> bytes:
        """Runs the handler, a sync one in a thread. Returns the mapping that it returned as JSON, or ``b""``."""
        arguments = (notification, claim) if self.wants_claim else (notification,)
        if self.is_async:
            returned = await self.function(*arguments)
        else:
            returned = await threads.run(lambda: self.function(*arguments))
            if inspect.isawaitable(returned):
                returned = await returned
        return b"" if returned is None else self._data(returned)

    def _data(self, returned: Any) -> bytes:
        # The handler has succeeded: raising here would have it run again.
        if isinstance(returned, Mapping):
            try:
                return json.dumps(dict(returned), ensure_ascii=False, allow_nan=False).encode()
            except (TypeError, ValueError, RecursionError) as error:
                _log.error("%s returned a mapping that JSON cannot represent, which is left out: %s", self.name, error)
                return b""
        kind = type(returned).__name__
        _log.warning("%s returned %s, which is left out: a handler returns None, or a dict for JSON", self.name, kind)
        return b""


def prepare(function: Function) -> Handler:
    """The handler for a function. Raises ConfigurationError if it cannot be called with a notification."""
    called = getattr(function, "__call__", None)  # noqa: B004 - the method of a callable object may be async
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
    handler = Handler(function, is_async, wants_claim=False)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in without a signature
        return handler
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    required = sum(each.default is each.empty for each in positional)
    keyword_only = any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in parameters)
    variable = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    if required > 2 or keyword_only or not (positional or variable):
        raise ConfigurationError(f"{handler.name} cannot be called with (notification), nor (notification, claim)")
    return Handler(function, is_async, wants_claim=required == 2)
