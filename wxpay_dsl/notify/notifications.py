"""Receives notifications (回调通知): verifies and decrypts them, runs the handler of each once, acknowledges them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from attrs import evolve

from wxpay_dsl.core.errors import ConfigurationError, SdkError
from wxpay_dsl.core.observe.drift import OnDrift, Reporter
from wxpay_dsl.notify.parsing.v2 import merchant_of, open_v2, read_v2
from wxpay_dsl.notify.parsing.v3 import open_v3
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.crypto.shangmi import Sm2PublicKey
from wxpay_dsl.wechat.errors import BadSignatureError, ClockSkewError, MissingHeaderError
from wxpay_dsl.wechat.merchant_keys import MerchantKeys
from wxpay_dsl.wechat.v3.verification import SignatureHeaders, check_clock, check_signature, packed, read_headers

from .acknowledgements import Acknowledgement, dialect_of, failure, success
from .event_specs import EventSpecs
from .exactly_once import Done, ExactlyOnce, Failed
from .handlers import Function, Threads, prepare
from .merchants import Client, NotificationMerchants, ResolveMerchant
from .notification import (
    LIMIT,
    SUBJECT,
    Notification,
    NotificationDecryptionError,
    NotificationTooLargeError,
    UnknownMerchantError,
)
from .parsing.received import check_arguments
from .responses import refusal
from .routes import Routes
from .stores import Claim, Store, open_store

if TYPE_CHECKING:
    # Generated from the specs when the package is built or installed.
    from wxpay_dsl.typed.events import Events

    from .adapters.aiohttp import Handler
    from .adapters.asgi import AsgiApp
    from .adapters.wsgi import WsgiApp
    from .loop_thread import LoopThread
else:
    Events = object

__all__ = ["Notifications"]

_log = logging.getLogger("wxpay_dsl.notify")
#: Seconds. The service waits five for an acknowledgement.
_ACK_TIMEOUT: Final = 4.0

Decorated = TypeVar("Decorated", bound=Function)


class Notifications(Events):
    """Receives the notifications of one or more merchants: ``Notifications(wxpay, store="notifications.db")``.

    ``@notifications.on("TRANSACTION.SUCCESS")`` registers a handler. Mount ``notifications.asgi``, ``.wsgi`` or
    ``.aiohttp`` in the web application, or call ``await notifications.handle(headers, body)`` in any other.
    """

    def __init__(
        self,
        *merchants: MerchantKeys | Client,
        store: str | Path | Store | None = None,
        resolve_merchant: ResolveMerchant | None = None,
        ack_timeout: float = _ACK_TIMEOUT,
        lease: float = 60.0,
        handler_timeout: float = 300.0,
        specs: Sequence[str | Path] = (),
        clock: Callable[[], float] = time.time,
        on_drift: OnDrift | None = None,
    ) -> None:
        """``merchants``: clients, whose keys are used and kept current, or :class:`MerchantKeys`.

        ``store`` remembers which notifications were handled: a SQLite file, shared by the processes of one machine (by
        default one of this application in the user's state folder), ``redis://…`` for several machines, or
        ``"memory"`` for this process only. ``resolve_merchant(mchid)`` returns the :class:`MerchantKeys` of a merchant
        that is not among ``merchants``, or None if it is not served; it may be async.

        ``ack_timeout``: seconds after which the service is asked to send again while the handler goes on. ``lease``:
        seconds after a crash until another delivery may run the handler. ``handler_timeout``: seconds after which an
        async handler is cancelled; a sync one cannot be. ``specs``: folders with further specs, by default the
        client's. ``clock``: Unix time. ``on_drift`` is called once for each difference between a notification and its
        spec, by default the client's.

        Raises ConfigurationError for durations that contradict each other, or if there are no merchants.
        """
        if not 0 < ack_timeout < lease or not handler_timeout > 0:
            message = f"`ack_timeout` ({ack_timeout:g} s) must be above 0 and shorter than `lease` ({lease:g} s)"
            raise ConfigurationError(f"{message}, `handler_timeout` ({handler_timeout:g} s) above 0")
        self._merchants = NotificationMerchants(merchants, resolve_merchant)
        self._exactly_once = ExactlyOnce(open_store(store), lease=lease, timeout=handler_timeout)
        self._clock = clock
        self._routes = Routes()
        clients = [merchant for merchant in merchants if not isinstance(merchant, MerchantKeys)]
        self._event_specs = EventSpecs(
            [str(folder) for folder in specs],
            clients[0].tree if clients else None,
            clients,
            Reporter(on_drift) if on_drift is not None else None,
        )
        self._threads = Threads()
        # One thread, so that forged notifications delay each other only, not the handlers or the event loop.
        self._sm2_thread = Threads(1)
        self._ack_timeout = ack_timeout

    @property
    def store(self) -> Store:
        """The store that remembers which notifications were handled."""
        return self._exactly_once.store

    @property
    def ack_timeout(self) -> float:
        """Seconds after which the service is asked to send a notification again."""
        return self._ack_timeout

    async def parse(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Notification[Any]:
        """Verifies a notification over its raw ``body``, decrypts and parses it. No handler runs, nothing is
        remembered.

        ``headers``: any mapping, with names in any case, or as in a WSGI environment (Django's ``request.META``);
        ``body``: the raw bytes; ``merchant``: the merchant id (商户号) in the URL, if any.

        Raises VerificationError if the signature cannot be verified; NotificationError if the notification cannot be
        decrypted or parsed, or its merchant is not served; ConfigurationError if a key that is needed was not given;
        TransportError if platform certificates could not be downloaded; TypeError for arguments of another type.
        """
        headers, body, merchant = check_arguments(headers, body, merchant)
        if len(body) > LIMIT:
            raise NotificationTooLargeError(f"{len(body)} bytes, more than the {LIMIT} that are read")
        if dialect_of(body) == "v2":
            return await self._parse_v2(body, merchant)
        return await self._parse_v3(headers, body, merchant)

    async def _parse_v3(self, headers: Mapping[str, str], body: bytes, merchant: str) -> Notification[Any]:
        try:
            signed = read_headers(headers, SUBJECT)
        except MissingHeaderError as error:
            packing = packed(body, headers)
            if packing:  # an APIv2 notification, which has no such headers
                message = f"the body is compressed ({packing}) and cannot be parsed: a proxy did that; {error.message}"
                raise evolve(error, message=message) from None
            raise
        check_clock(signed, self._clock(), SUBJECT)
        candidates = await self._merchants.candidates(signed.serial, merchant)
        failed: BadSignatureError | NotificationDecryptionError | None = None
        for group in candidates:
            for key, merchants in await self._merchants.platform_keys(signed.serial, group):
                try:
                    await self._check_signature(signed, headers, body, key)
                    return open_v3(body, merchants)
                except BadSignatureError as error:
                    failed = failed or error
                except NotificationDecryptionError as error:
                    failed = error  # takes precedence, because the signature is verified
        raise failed or self._merchants.unknown(signed, (keys for group in candidates for keys in group))

    async def _check_signature(
        self, signed: SignatureHeaders, headers: Mapping[str, str], body: bytes, key: PlatformKey
    ) -> None:
        def check() -> None:
            check_signature(signed, body, key, SUBJECT, headers=headers)

        if isinstance(key.public_key, Sm2PublicKey):
            # It takes about 10 ms, too long for the event loop, and anyone can cause it with a forgery.
            await self._sm2_thread.run(check)
        else:
            check()

    async def _parse_v2(self, body: bytes, merchant: str) -> Notification[Any]:
        merchant_keys = await self._merchants.of(merchant) if merchant else None
        fields = read_v2(body)
        named = merchant_of(fields)
        if merchant_keys is None:
            merchant_keys = await self._merchants.of(named)
        elif named not in ("", merchant):
            message = f"it is for the merchant {named[:40]!r}, but was sent to the URL of {merchant}"
            raise UnknownMerchantError(message, named[:40])
        return open_v2(fields, merchant_keys, self._event_specs.schema)

    if not TYPE_CHECKING:  # for type checkers, Events declares it with the resource of each type

        def on(self, *types: str, original_type: str = "", merchant: str = "") -> Callable[[Decorated], Decorated]:
            """Registers the decorated handler for these ``types`` (``TRANSACTION.SUCCESS``, ``v2/refund-processed``),
            or for one ``original_type`` (``refund``); ``merchant``: only for this merchant or sub-merchant (商户号).

            A handler is ``handler(notification)`` or ``handler(notification, claim)``, sync (run in a thread) or async.
            When it returns, the notification is acknowledged; when it raises, the service is asked to send again.
            Raises ConfigurationError if there is a handler for the same notifications; warns (SpecWarning) of a type
            that no spec declares.
            """
            if bool(types) == bool(original_type):
                raise ConfigurationError(
                    "`on` takes types, or one `original_type`; for all other notifications use `fallback`"
                )

            def register(handler: Decorated) -> Decorated:
                for kind in types or ("",):
                    self._add(handler, kind, original_type, merchant)
                return handler

            for kind in types:
                self._event_specs.warn_of_unknown(kind, depth=2)
            return register

    @overload
    def fallback(self, handler: Decorated, /) -> Decorated: ...
    @overload
    def fallback(self, handler: None = None, /, *, merchant: str = "") -> Callable[[Decorated], Decorated]: ...
    def fallback(self, handler: Function | None = None, /, *, merchant: str = "") -> Any:
        """Registers the decorated handler for notifications without another one: ``@notifications.fallback``, or
        ``@notifications.fallback(merchant=…)`` for one merchant or sub-merchant (商户号).

        A notification without any handler is refused with 501, and the service sends it again.
        """

        def register(handler: Function) -> Function:
            self._add(handler, "", "", merchant)
            return handler

        return register if handler is None else register(handler)

    def _add(self, function: Function, kind: str, original_type: str, merchant: str) -> None:
        self._routes.add(prepare(function), kind, original_type, merchant)

    def handler_of(self, notification: Notification[Any]) -> Function | None:
        """The handler that would be called with a notification, or None."""
        handler = self._routes.find(notification)
        return None if handler is None else handler.function

    async def handle(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Acknowledgement:
        """Parses a notification, runs its handler unless it was handled before, and returns the acknowledgement to
        send.

        ``headers``, ``body``, ``merchant``: as for :meth:`parse`. Raises TypeError for arguments of another type, and
        no other error: the acknowledgement reports them.
        """
        headers, body, merchant = check_arguments(headers, body, merchant)
        dialect = dialect_of(body)
        deadline = asyncio.get_running_loop().time() + self._ack_timeout
        try:
            async with asyncio.timeout_at(deadline):
                notification = await self.parse(headers, body, merchant)
        except SdkError as error:
            return refusal(dialect, error)
        except TimeoutError:
            return failure(dialect, 503, "later", "the merchant's keys were not available in time")
        return await self._handle(notification, deadline)

    async def _handle(self, notification: Notification[Any], deadline: float) -> Acknowledgement:
        dialect, key = notification.dialect, notification.key
        try:
            self._refuse_replay(notification)
        except ClockSkewError as error:
            return refusal(dialect, error)
        handler = self._routes.find(notification)
        if handler is None:
            _log.warning("%s: no handler for %s; the service is asked to send it again", key, notification.type)
            return failure(dialect, 501, "no handler", f"no handler for {notification.type}")

        def work(claim: Claim) -> Coroutine[Any, Any, bytes]:
            self._event_specs.compare(notification)
            return handler.run(notification, claim, self._threads)

        # With neither a time of sending nor a date, only the store can show that it is a replay.
        undated = dialect == "v2" and notification.create_time is None
        outcome = await self._exactly_once.run(
            key, work, deadline=deadline, cancellable=handler.is_async, persistent=undated
        )
        if isinstance(outcome, Done):
            return success(dialect, outcome.data)
        if isinstance(outcome, Failed):
            reason = f"{type(outcome.error).__name__}: {outcome.error}"
            return failure(dialect, 500, "the handler failed", reason)
        return failure(dialect, 503, "later", outcome.reason)

    def handle_sync(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Acknowledgement:
        """:meth:`handle` for code without an event loop, such as a Flask view; runs in :attr:`loop_thread`."""
        return self.loop_thread.run(self.handle(headers, body, merchant))

    def _refuse_replay(self, notification: Notification[Any]) -> None:
        """Raises ClockSkewError for an APIv2 notification that is older than what the store remembers.

        APIv2 has no time of sending. A notification without a date is remembered without an end instead.
        """
        if notification.dialect != "v2" or notification.create_time is None:
            return
        age = (datetime.fromtimestamp(self._clock(), UTC) - notification.create_time).total_seconds()
        if age >= self._exactly_once.store.keep:
            message = f"it is {age / 86400:.0f} days old, older than the store remembers: a replay? Query the order"
            raise ClockSkewError(SUBJECT, message, age=int(age))

    async def close(self, grace: float = 10.0) -> None:
        """Waits ``grace`` seconds for running handlers, cancels the rest, and closes the store."""
        await self._exactly_once.close(grace)
        self._threads.close()
        self._sm2_thread.close()

    @cached_property
    def loop_thread(self) -> LoopThread:
        """The event loop that :meth:`handle_sync` uses."""
        from .loop_thread import LoopThread

        return LoopThread(self.close)

    @cached_property
    def aiohttp(self) -> Handler:
        """A handler for aiohttp.web: ``app.router.add_post("/notify/{merchant}", notifications.aiohttp)``."""
        from .adapters.aiohttp import handler

        return handler(self)

    @cached_property
    def asgi(self) -> AsgiApp:
        """An ASGI application: ``app.mount("/notify", notifications.asgi)`` of Starlette or FastAPI."""
        from .adapters.asgi import AsgiApp

        return AsgiApp(self)

    @cached_property
    def wsgi(self) -> WsgiApp:
        """A WSGI application, to mount beside Flask's or Django's."""
        from .adapters.wsgi import WsgiApp

        return WsgiApp(self)
