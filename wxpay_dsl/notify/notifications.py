"""Receives what WeChat Pay sends (回调通知): verified, decrypted, routed to a handler, handled once, answered."""

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

from . import acknowledgements as answers
from .acknowledgements import Answer
from .event_specs import Declared
from .exactly_once import Done, Failed, Once
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
from .parsing.received import received
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
#: Seconds: the service waits five for an answer.
_ANSWER_WITHIN: Final = 4.0

Decorated = TypeVar("Decorated", bound=Function)


class Notifications(Events):
    """The notifications of one merchant, or of many: ``Notifications(wxpay, store="notifications.db")``.

    ``@notifications.on("TRANSACTION.SUCCESS")`` says what is done with them; ``notifications.asgi``, ``.wsgi`` or
    ``.aiohttp`` goes into one's web application; or ``await handle(headers, body)`` in any other.
    """

    def __init__(
        self,
        *merchants: MerchantKeys | Client,
        store: str | Path | Store | None = None,
        resolve_merchant: ResolveMerchant | None = None,
        ack_timeout: float = _ANSWER_WITHIN,
        lease: float = 60.0,
        handler_timeout: float = 300.0,
        specs: Sequence[str | Path] = (),
        clock: Callable[[], float] = time.time,
        on_drift: OnDrift | None = None,
    ) -> None:
        """``merchants``: clients, whose keys are used and kept current, or :class:`MerchantKeys` of keys alone.

        ``store`` makes it exactly once: a file for the processes of one machine (SQLite; by default one of this
        application, in the user's state folder), ``redis://…`` for several machines; ``"memory"`` remembers in this
        process only. ``resolve_merchant(mchid)`` looks up a
        merchant that is none of ``merchants`` (may be async; None: not served).

        Seconds: after ``ack_timeout`` the service is told to send again, while the handler goes on; ``lease`` after
        a crash another delivery may run the handler; one that runs longer than ``handler_timeout`` is cancelled (a sync one
        cannot be). ``specs``: folders with notifications of one's own, if not the client's. ``clock``: Unix time.
        ``on_drift`` is called where a notification differs from its spec, once for each difference; by default the
        client's own.

        Raises ConfigurationError.
        """
        if not 0 < ack_timeout < lease or not handler_timeout > 0:
            message = f"`ack_timeout` ({ack_timeout:g} s) is above 0 and shorter than `lease` ({lease:g} s)"
            raise ConfigurationError(f"{message}, `handler_timeout` ({handler_timeout:g} s) above 0")
        self._merchants = NotificationMerchants(merchants, resolve_merchant)
        self._once = Once(open_store(store), lease=lease, limit=handler_timeout)
        self._clock = clock
        self._routes = Routes()
        trees = (one.tree for one in merchants if not isinstance(one, MerchantKeys))
        self._declared = Declared(
            [str(folder) for folder in specs],
            next(trees, None),
            [one for one in merchants if not isinstance(one, MerchantKeys)],
            Reporter(on_drift) if on_drift is not None else None,
        )
        self._threads = Threads()
        # One, so that forgeries wait for each other, and not for the handlers' threads or the processor.
        self._sm2_thread = Threads(1)
        self._ack_timeout = ack_timeout

    @property
    def store(self) -> Store:
        """Where it is remembered what has been handled."""
        return self._once.store

    @property
    def ack_timeout(self) -> float:
        """Seconds after which the service is told to send again."""
        return self._ack_timeout

    async def parse(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Notification[Any]:
        """The notification, verified over the raw ``body``, decrypted and read; nothing is handled or remembered.

        ``headers``: any mapping, names in any case, as a WSGI environment (Django's ``request.META``) spells them too;
        ``merchant`` (商户号) where the URL names it. Raises VerificationError
        for what cannot be believed, NotificationError for what cannot be taken, ConfigurationError where a key that is
        needed was not given; TransportError where platform certificates had to be downloaded and could not; TypeError
        for headers that are no mapping, a body that is no bytes, a merchant that is no text.
        """
        headers, body, merchant = received(headers, body, merchant)
        if len(body) > LIMIT:
            raise NotificationTooLargeError(f"{len(body)} bytes, more than the {LIMIT} that are read")
        if answers.dialect_of(body) == "v2":
            return await self._parse_v2(body, merchant)
        return await self._parse_v3(headers, body, merchant)

    async def _parse_v3(self, headers: Mapping[str, str], body: bytes, merchant: str) -> Notification[Any]:
        try:
            signed = read_headers(headers, SUBJECT)
        except MissingHeaderError as error:
            packing = packed(body, headers)
            if packing:  # APIv2's have no such headers
                message = (
                    f"the body is packed ({packing}), so that it cannot be read: a proxy packed it; {error.message}"
                )
                raise evolve(error, message=message) from None
            raise
        check_clock(signed, self._clock(), SUBJECT)
        candidates = await self._merchants.candidates(signed.serial, merchant)
        refused: BadSignatureError | NotificationDecryptionError | None = None
        for some in candidates:
            for key, believing in await self._merchants.vouching(signed.serial, some):
                try:
                    await self._check_signature(signed, headers, body, key)
                    return open_v3(body, believing)
                except BadSignatureError as error:
                    refused = refused or error
                except NotificationDecryptionError as error:
                    refused = error  # which says more: it is signed
        raise refused or self._merchants.unknown(signed, (one for some in candidates for one in some))

    async def _check_signature(
        self, signed: SignatureHeaders, headers: Mapping[str, str], body: bytes, key: PlatformKey
    ) -> None:
        def check() -> None:
            check_signature(signed, body, key, SUBJECT, headers=headers)

        if isinstance(key.public_key, Sm2PublicKey):
            # It takes some 10 ms, too long for the event loop, and anybody may ask for it.
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
            message = f"it is for the merchant {named[:40]!r}, and came to the URL of {merchant}"
            raise UnknownMerchantError(message, named[:40])
        return open_v2(fields, merchant_keys, self._declared.schema)

    if not TYPE_CHECKING:  # a type checker knows what each of the declared ones carries

        def on(self, *types: str, original_type: str = "", merchant: str = "") -> Callable[[Decorated], Decorated]:
            """Decorates the handler of these ``types`` (``TRANSACTION.SUCCESS``, ``v2/refund-processed``), or of one
            ``original_type`` (``refund``); ``merchant``: only of this merchant or sub-merchant (商户号).

            A handler is ``handler(notification)`` or ``handler(notification, claim)``, sync (it runs in a thread) or
            async. When it returns, the service is told yes; when it raises, to send again. Raises ConfigurationError
            where another handler has the place; warns (SpecWarning) of a type that no spec declares.
            """
            if bool(types) == bool(original_type):
                raise ConfigurationError(
                    "a handler is for types, or for one `original_type`; for all the others `default`"
                )

            def register(handler: Decorated) -> Decorated:
                for kind in types or ("",):
                    self._add(handler, kind, original_type, merchant)
                return handler

            for kind in types:
                self._declared.warn_of_unknown(kind, depth=2)
            return register

    @overload
    def fallback(self, handler: Decorated, /) -> Decorated: ...
    @overload
    def fallback(self, handler: None = None, /, *, merchant: str = "") -> Callable[[Decorated], Decorated]: ...
    def fallback(self, handler: Function | None = None, /, *, merchant: str = "") -> Any:
        """Decorates the handler of everything that has no other, bare or as ``default(merchant=…)``.

        Without one the service is told that nobody handles it, and sends again.
        """

        def register(handler: Function) -> Function:
            self._add(handler, "", "", merchant)
            return handler

        return register if handler is None else register(handler)

    def _add(self, function: Function, kind: str, original_type: str, merchant: str) -> None:
        self._routes.add(prepare(function), kind, original_type, merchant)

    def handler_of(self, notification: Notification[Any]) -> Function | None:
        """The handler that a notification goes to, or None where there is none."""
        handler = self._routes.find(notification)
        return None if handler is None else handler.function

    async def handle(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Answer:
        """Parses, routes, handles once, and gives the answer to send: never an exception of a notification's making.

        ``headers``, ``body``, ``merchant``: as for :meth:`parse`. Raises TypeError for what is none of these.
        """
        headers, body, merchant = received(headers, body, merchant)
        dialect = answers.dialect_of(body)
        deadline = asyncio.get_running_loop().time() + self._ack_timeout
        try:
            async with asyncio.timeout_at(deadline):
                notification = await self.parse(headers, body, merchant)
        except SdkError as error:
            return refusal(dialect, error)
        except TimeoutError:
            return answers.failure(dialect, 503, "later", "the merchant's keys could not be had in time")
        return await self._handle(notification, deadline)

    async def _handle(self, notification: Notification[Any], deadline: float) -> Answer:
        dialect, key = notification.dialect, notification.key
        try:
            self._refuse_replay(notification)
        except ClockSkewError as error:
            return refusal(dialect, error)
        handler = self._routes.find(notification)
        if handler is None:
            _log.warning("%s: no handler for %s; the service is asked to send it again", key, notification.type)
            return answers.failure(dialect, 501, "nobody handles it", f"no handler for {notification.type}")

        def work(claim: Claim) -> Coroutine[Any, Any, bytes]:
            self._declared.compare(notification)
            return handler.run(notification, claim, self._threads)

        outcome = await self._once.run(key, work, deadline=deadline, cancellable=handler.is_async)
        if isinstance(outcome, Done):
            return answers.success(dialect, outcome.data)
        if isinstance(outcome, Failed):
            reason = f"{type(outcome.error).__name__}: {outcome.error}"
            return answers.failure(dialect, 500, "the handler failed", reason)
        return answers.failure(dialect, 503, "later", outcome.reason)

    def handle_sync(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Answer:
        """:meth:`handle` for code without an event loop, such as a Flask view: it runs in one of this process's own."""
        return self.loop_thread.run(self.handle(headers, body, merchant))

    def _refuse_replay(self, notification: Notification[Any]) -> None:
        """APIv2's carry no time of sending: one from before what the store remembers may have been handled long ago."""
        if notification.dialect != "v2" or notification.create_time is None:
            return
        age = (datetime.fromtimestamp(self._clock(), UTC) - notification.create_time).total_seconds()
        if age >= self._once.store.keep:
            message = f"it is {age / 86400:.0f} days old, more than is remembered: a replay (query the order instead)"
            raise ClockSkewError(SUBJECT, message, age=int(age))

    async def close(self, grace: float = 10.0) -> None:
        """Waits ``grace`` seconds for handlers that still run, cancels the rest, closes the store."""
        await self._once.close(grace)
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
        """A WSGI application, to be mounted beside Flask's or Django's."""
        from .adapters.wsgi import WsgiApp

        return WsgiApp(self)
