"""A sandbox that runs in a thread, for tests without an event loop or with one event loop a test."""

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

#: Seconds that starting, stopping or a method call may take before TimeoutError is raised.
_TIMEOUT: Final = 60.0


class BackgroundSandbox:
    """A sandbox that serves from another thread: ``with BackgroundSandbox() as sandbox``. It is thread-safe.

    The arguments and what is raised are those of :class:`~wxpay_dsl.sandbox.Sandbox`.
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
        """The merchant of :attr:`credentials`."""
        return self._sandbox.merchant

    @property
    def credentials(self) -> dict[str, Any]:
        """The keyword arguments of ``Wechatpay`` to call this sandbox as its merchant."""
        return self._sandbox.credentials

    @property
    def client(self) -> Wechatpay:
        """A client of this sandbox as its merchant. Its connections belong to the event loop that calls it."""
        if self._client is None:
            from wxpay_dsl.client import Wechatpay

            self._client = Wechatpay(**self.credentials)
        return self._client

    @property
    def control(self) -> Control:
        """Acts as the payer, moves the clock, injects faults: :class:`~wxpay_dsl.sandbox.control.control.Control`."""
        return cast("Control", _ThreadProxy(self._sandbox.control, self._call))

    def reset(self) -> None:
        """Restore the state at the start: no records, no faults, the machine's clock."""
        self._client = None
        self._call(self._sandbox.control.reset)

    def start(self) -> None:
        """Start serving. Raises what :meth:`Sandbox.start` raises."""
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="wxpay-sandbox", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._sandbox.start(), loop).result(_TIMEOUT)
        except BaseException:
            self._end(loop)
            raise

    def stop(self) -> None:
        """Stop serving."""
        loop = self._loop
        if loop is not None:
            try:
                asyncio.run_coroutine_threadsafe(self._sandbox.stop(), loop).result(_TIMEOUT)
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
            self._thread.join(_TIMEOUT)
        loop.close()
        self._loop = self._thread = None

    def _call(self, step: Callable[[], T]) -> T:
        """Run ``step`` in the sandbox's thread; return what it returns or raise what it raises."""
        loop = self._loop
        if loop is None:
            raise RuntimeError("the sandbox is not serving: use it in `with BackgroundSandbox() as sandbox`")

        async def run() -> T:
            return step()

        return asyncio.run_coroutine_threadsafe(run(), loop).result(_TIMEOUT)


class _ThreadProxy:
    """Proxy of an object whose methods are called and whose attributes are set in the sandbox's thread."""

    _target: object
    _call: Callable[[Callable[[], Any]], Any]

    def __init__(self, target: object, call: Callable[[Callable[[], Any]], Any]) -> None:
        vars(self).update(_target=target, _call=call)

    def __setattr__(self, name: str, value: object) -> None:
        self._call(lambda: setattr(self._target, name, value))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if isinstance(value, (Faults, NotificationSender)):
            return _ThreadProxy(value, self._call)
        if not callable(value):
            return value

        @functools.wraps(value)
        def run(*args: Any, **kwargs: Any) -> Any:
            return self._call(functools.partial(value, *args, **kwargs))

        return run
