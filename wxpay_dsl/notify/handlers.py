"""Calls a handler, sync or async, and makes of what it returns what the service is told."""

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
from wxpay_dsl.wechat.notification import Notification

from .stores import Claim

__all__ = ["Function", "Handler", "Threads", "prepare"]

#: Takes the notification, and, where it needs two parameters, the claim; sync or async. What it returns is None, or an
#: object of JSON that the service asked for.
Function = Callable[..., Any]

_log = logging.getLogger("wxpay_dsl.notify")
#: Sync handlers that run at once; the others wait for a thread.
_THREADS: Final = 32


class Threads:
    """Threads for sync handlers, or for what else takes long. They come into being with the first, once a process."""

    def __init__(self, limit: int = _THREADS) -> None:
        """``limit``: threads at once; the others wait."""
        self._limit = limit
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    async def run(self, function: Callable[[], Any]) -> Any:
        """What ``function`` gives. Whoever waits may be cancelled; the function, once begun, is waited for all the
        same, since its effect comes true either way.
        """
        if self._pool is None or self._pid != os.getpid():
            self._pool, self._pid = ThreadPoolExecutor(self._limit, "wxpay-notify"), os.getpid()
        future = self._pool.submit(copy_context().run, function)
        while True:
            try:
                return await asyncio.wrap_future(future)
            except asyncio.CancelledError:
                if future.cancelled():  # it had not begun
                    raise

    def close(self) -> None:
        """Lets the threads end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None


@frozen
class Handler:
    """A handler and what there is to know of it."""

    function: Function
    #: Calling it gives something to be awaited; else it runs in a thread, where nothing can stop it.
    is_async: bool
    #: The claim is its second parameter.
    wants_claim: bool

    @property
    def name(self) -> str:
        """As errors and logs call it."""
        return getattr(self.function, "__qualname__", None) or repr(self.function)

    async def run(self, notification: Notification[Any], claim: Claim, threads: Threads) -> bytes:
        """Runs it: an async one here, a sync one in a thread. Gives the JSON it returned, or nothing."""
        arguments = (notification, claim) if self.wants_claim else (notification,)
        if self.is_async:
            returned = await self.function(*arguments)
        else:
            returned = await threads.run(lambda: self.function(*arguments))
            if inspect.isawaitable(returned):
                returned = await returned
        return b"" if returned is None else self._data(returned)

    def _data(self, returned: Any) -> bytes:
        # The effect is there: to fail now would have it done again.
        if isinstance(returned, Mapping):
            try:
                return json.dumps(dict(returned), ensure_ascii=False, allow_nan=False).encode()
            except (TypeError, ValueError, RecursionError) as error:
                _log.error("%s returned what is no JSON, which is left out: %s", self.name, error)
                return b""
        kind = type(returned).__name__
        _log.warning("%s returned %s, which is left out; a handler returns None, or a dict of JSON", self.name, kind)
        return b""


def prepare(function: Function) -> Handler:
    """The handler that a function is. Raises ConfigurationError for one that cannot take a notification."""
    called = getattr(function, "__call__", None)  # noqa: B004 - of an object, it is that which is async or not
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
    handler = Handler(function, is_async, wants_claim=False)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in that does not say
        return handler
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = sum(one.default is one.empty for one in positional)
    named = any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters)
    rest = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    if needed > 2 or named or not (positional or rest):
        raise ConfigurationError(f"{handler.name} cannot be called with (notification), nor (notification, claim)")
    return Handler(function, is_async, wants_claim=needed == 2)
