"""A sandbox in a thread of its own, for tests that have no event loop, or one that comes and goes with each test."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from .notifications.sender import NotificationSender
from .protocol.faults import Faults
from .server import Sandbox

if TYPE_CHECKING:
    from wxpay_dsl.client import Wechatpay

    from .control.control import Control
    from .keys.identity import Merchant

__all__ = ["BackgroundSandbox"]

T = TypeVar("T")

#: Seconds that starting, stopping or a step may take before something is wrong.
_PATIENCE: Final = 60.0


class BackgroundSandbox:
    """A sandbox that serves from another thread, to be used in ``with``; everything here may be called from any thread.

    The arguments are those of :class:`~wxpay_dsl.sandbox.Sandbox`, and it raises what that raises.
    """

    def __init__(self, **options: Any) -> None:
        self._sandbox = Sandbox(**options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Wechatpay | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``"""
        return self._sandbox.url

    @property
    def merchant(self) -> Merchant:
        """The merchant whose credentials these are."""
        return self._sandbox.merchant

    @property
    def credentials(self) -> dict[str, Any]:
        """What ``Wechatpay(**…)`` takes to call this sandbox as its merchant."""
        return self._sandbox.credentials

    @property
    def client(self) -> Wechatpay:
        """A client of this sandbox as its merchant. Its connections belong to the event loop of whoever calls."""
        if self._client is None:
            from wxpay_dsl.client import Wechatpay

            self._client = Wechatpay(**self.credentials)
        return self._client

    @property
    def control(self) -> Control:
        """The payer, the clock, the faults: see :class:`~wxpay_dsl.sandbox.control.control.Control`."""
        return cast("Control", _Elsewhere(self._sandbox.control, self._do))

    def reset(self) -> None:
        """As it was when it started: no business, no faults, the machine's clock."""
        self._client = None
        self._do(self._sandbox.control.reset)

    def start(self) -> None:
        """Begins to serve. Raises what :meth:`Sandbox.start` raises."""
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="wxpay-sandbox", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._sandbox.start(), loop).result(_PATIENCE)
        except BaseException:
            self._end(loop)
            raise

    def stop(self) -> None:
        """Ends serving."""
        loop = self._loop
        if loop is not None:
            try:
                asyncio.run_coroutine_threadsafe(self._sandbox.stop(), loop).result(_PATIENCE)
            finally:
                self._end(loop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        loop.close()
        self._loop = self._thread = None

    def _do(self, step: Callable[[], T]) -> T:
        """Takes a step in the sandbox's own thread, and gives what it gives or raises what it raises."""
        loop = self._loop
        if loop is None:
            raise RuntimeError("the sandbox is not serving: use it in `with BackgroundSandbox() as sandbox`")

        async def taken() -> T:
            return step()

        return asyncio.run_coroutine_threadsafe(taken(), loop).result(_PATIENCE)


class _Elsewhere:
    """An object whose methods run, and whose attributes are set, in the sandbox's thread."""

    _target: object
    _do: Callable[[Callable[[], Any]], Any]

    def __init__(self, target: object, do: Callable[[Callable[[], Any]], Any]) -> None:
        vars(self).update(_target=target, _do=do)

    def __setattr__(self, name: str, value: object) -> None:
        self._do(lambda: setattr(self._target, name, value))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if isinstance(found, (Faults, NotificationSender)):
            return _Elsewhere(found, self._do)
        if not callable(found):
            return found

        @functools.wraps(found)
        def run(*given: Any, **named: Any) -> Any:
            return self._do(functools.partial(found, *given, **named))

        return run
