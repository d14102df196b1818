"""Hooks that run around each call: before it is sent, and after it has succeeded or failed.

A hook is a function that takes a :class:`Call` and returns a context manager; ``@contextmanager`` makes one from a
generator. The code before its ``yield`` runs when the request was validated and built; if it raises, the call fails and
nothing is sent. The code after it runs when ``call.response`` or ``call.error`` is set; if it raises, the exception is
logged and the result of the call does not change, since the service may have executed the call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

if TYPE_CHECKING:
    from wxpay_dsl.core.messages import Exchange, Request
    from wxpay_dsl.core.response import Response

__all__ = ["Call", "Hook", "observed"]

_log: Final = logging.getLogger(__name__)


@define
class Call:
    """One call, as hooks see it."""

    #: The request; ``request.name`` names the operation, ``request.operation`` is its spec.
    request: Request = field(repr=False)
    #: The raw request and response; None before the request is sent.
    exchange: Exchange | None = field(default=None, repr=False)
    #: The result of the call; None until it ends, for a download, and for a failed call.
    response: Response[Any] | None = field(default=None, repr=False)
    #: The exception that the call raises; None for a call that succeeds.
    error: BaseException | None = None
    #: The duration of the call in seconds, retries included.
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The operation, with path parameters not filled in: ``POST /v3/edu-papay/contracts/presign``."""
        return self.request.name


#: The context manager ``hook(call)`` is entered before the call is sent, and left after it has ended.
Hook = Callable[[Call], AbstractContextManager[Any]]


class observed:  # noqa: N801 (used as a function, in `with`)
    """Runs ``hooks`` around a call, the first outermost; the block sets the call's exchange and response.

    A class, since a context manager made from a generator adds 1.5 µs to each call.
    """

    __slots__ = ("_begun", "_call", "_entered", "_hooks")

    def __init__(self, hooks: Sequence[Hook], request: Request) -> None:
        self._hooks = hooks
        self._call = Call(request)
        self._entered: list[AbstractContextManager[Any]] = []
        self._begun = 0.0

    def __enter__(self) -> Call:
        call = self._call
        self._begun = time.perf_counter()
        try:
            for hook in self._hooks:
                manager = hook(call)
                manager.__enter__()
                self._entered.append(manager)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        self._begun = time.perf_counter()
        return call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        call = self._call
        call.error = error
        call.seconds = time.perf_counter() - self._begun
        for manager in reversed(self._entered):
            try:
                manager.__exit__(None, None, None)
            except Exception:  # noqa: BLE001 (a hook is code of the caller)
                _log.exception("%s: a hook failed after the call", call.name)
