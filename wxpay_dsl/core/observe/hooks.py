"""Seeing each call: hooks that run before it is sent and after it has ended, however it ends.

A hook is a function that takes a :class:`Call` and gives a context manager; ``@contextmanager`` makes one of a
generator. What comes before its ``yield`` runs when the request is checked and built; an exception there ends the call,
and nothing is sent. What comes after runs when ``call.response`` or ``call.error`` is there; an exception there is logged
and changes nothing, since money may have moved.
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
    """One call, from its request to its end."""

    #: What is sent; ``request.name`` is the operation, ``request.operation`` its spec.
    request: Request = field(repr=False)
    #: What went over the wire, once something did.
    exchange: Exchange | None = field(default=None, repr=False)
    #: What the caller is given; None while it is under way, for a download, and where it failed.
    response: Response[Any] | None = field(default=None, repr=False)
    #: What the caller is raised.
    error: BaseException | None = None
    #: From the first byte to the end, retries included.
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """``POST /v3/edu-papay/contracts/presign``: the operation, templates unfilled."""
        return self.request.name


#: ``hook(call)`` is entered before the call is sent, and left after it has ended.
Hook = Callable[[Call], AbstractContextManager[Any]]


class observed:  # noqa: N801 (used as a function, in `with`)
    """Runs ``hooks`` around a call, the first outermost; the block notes in the call what it comes to.

    A class, since a generator's context manager costs 1.5 µs of every call.
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
            except Exception:  # noqa: BLE001 (a hook is the caller's own code)
                _log.exception("%s: a hook failed after the call", call.name)
