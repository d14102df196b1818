"""The class :class:`Sandbox`: puts keys, state, service, control and notifications together and serves them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from wxpay_dsl.client import tree as spec_tree

from .app import App
from .control import access
from .explorer import Explorer
from .keys import home
from .keys.identity import (
    BRAND_ID,
    MCHID,
    Merchant,
    PlatformKeyPair,
    make_merchant,
    make_platform_certificate,
    make_platform_public_key,
    make_private_keys,
    throwaway_merchant,
    throwaway_public_key,
)
from .keys.platform import Mode, Platform
from .notifications.sender import DeliveryOptions, NotificationSender
from .protocol.faults import Faults
from .protocol.listener import Listener
from .state.state import State

if TYPE_CHECKING:
    from wxpay_dsl.client import Wechatpay

    from .control.control import Control
    from .keys.tls import Authority

__all__ = ["Sandbox"]


class Sandbox:
    """The sandbox: a local server that behaves as WeChat Pay does.

    ``async with Sandbox() as sandbox: await sandbox.client.v3…``. Without ``home`` everything is in memory, and the
    sandboxes of one process share their keys; with ``home``, keys and state are kept in that folder.
    """

    def __init__(
        self,
        port: int = 0,
        home: str | Path | None = None,
        specs: Sequence[str | Path] = (),
        *,
        host: str = "127.0.0.1",
        allow_remote: bool = False,
        mchid: str = MCHID,
        mode: Mode = "both",
        strict: bool = False,
        stateful: bool = True,
        tls: bool = False,
        faults: Mapping[str, float] | None = None,
        notifications: DeliveryOptions | None = None,
        seed: int | None = None,
    ) -> None:
        """``port``: 0 for any free one. ``specs``: folders of operations in addition to the package's. ``mchid``: the
        id of its merchant. ``mode``: the keys that the platform signs with (``"public-key"``, ``"certificate"``, or
        ``"both"``, as while a merchant migrates). ``strict`` refuses whatever differs from a spec. With ``stateful``
        False every operation responds with its spec's example. ``tls`` serves https with a certificate of its own
        authority, and requires a client certificate where the specs do. ``faults``: ``{kind: share of calls, 0 to
        1}``, the kinds of :data:`wxpay_dsl.sandbox.protocol.faults.KINDS`. ``notifications``: how they are delivered.
        ``seed`` makes random choices reproducible.

        Raises ValueError for a ``host`` beyond loopback unless ``allow_remote``, for a kind that is not one, and for
        a share outside 0 to 1.
        """
        if not allow_remote and not access.is_loopback(host):
            raise ValueError(
                f"the sandbox serves loopback only, not {host!r}: any client that reaches it can call it and read its "
                f"responses (allow_remote=True permits this host)"
            )
        self._host = host
        self._port = port
        self._home = Path(home) if home is not None else None
        self._tree = spec_tree([str(folder) for folder in specs])
        self._mode: Mode = mode
        self._mchid = mchid
        self._strict = strict
        self._stateful = stateful
        self._authority = _authority() if tls else None
        self._faults = Faults(faults, seed)
        self._delivery_options = notifications
        self._seed = seed
        self._listener: Listener | None = None
        self._app: App | None = None
        self._client: Wechatpay | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``; ``https://…`` with ``tls``. Raises RuntimeError before :meth:`start`."""
        self._require_app()
        return self._url

    @property
    def merchant(self) -> Merchant:
        """The merchant of :attr:`credentials`."""
        return self._require_app().merchant

    @property
    def platform(self) -> Platform:
        """The platform's keys."""
        return self._require_app().platform

    @property
    def control(self) -> Control:
        """Acts as the payer, moves the clock, injects faults, rotates keys."""
        return self._require_app().control

    @property
    def state(self) -> State:
        """The records: orders, refunds, contracts, transfers and so on."""
        return self._require_app().state

    @property
    def sender(self) -> NotificationSender:
        """Sends notifications to ``notify_url``."""
        return self._require_app().sender

    @property
    def credentials(self) -> dict[str, Any]:
        """The keyword arguments of ``Wechatpay`` to call this sandbox as its merchant."""
        return self.credentials_of(self.merchant)

    @property
    def brand_credentials(self) -> dict[str, Any]:
        """Keyword arguments of ``Wechatpay`` beside :attr:`credentials` to call ``wxpay.brand`` (品牌直连)."""
        brand, public_key = throwaway_merchant(BRAND_ID), self.platform.public_key
        return {
            "brand_id": brand.mchid,
            "brand_serial": brand.serial,
            "brand_private_key": brand.private_key,
            "brand_platform_keys": {public_key.id: public_key.private_key.public_key()},
            "brand_api_key": brand.apiv3_key,
        }

    @property
    def client(self) -> Wechatpay:
        """A client of this sandbox as its merchant; :meth:`stop` closes it."""
        if self._client is None:
            from wxpay_dsl.client import Wechatpay

            self._client = Wechatpay(**self.credentials)
        return self._client

    def credentials_of(self, merchant: Merchant) -> dict[str, Any]:
        """The keyword arguments of ``Wechatpay`` to call this sandbox as one of its merchants."""
        platform = self.platform
        platform_keys: dict[str, Any] = {}
        if platform.mode != "certificate":
            platform_keys[platform.public_key.id] = platform.public_key.private_key.public_key()
        else:
            platform_keys |= {pair.id: pair.certificate for pair in platform.certificates}
        return {
            "mchid": merchant.mchid,
            "serial": merchant.serial,
            "private_key": merchant.private_key,
            "certificate": merchant.certificate,
            "platform_keys": platform_keys,
            "apiv3_key": merchant.apiv3_key,
            "apiv2_key": merchant.apiv2_key,
            "base_url": self.url,
            **({"ca": self._authority.pem} if self._authority is not None else {}),
        }

    def write_home(self, folder: str | Path) -> None:
        """Write the files that a merchant downloads (``apiclient_key.pem apiclient_cert.pem apiclient_cert.p12
        pub_key.pem platform_cert.pem``), the key of a brand (品牌直连, ``brand_key.pem``) and a profile of both,
        ``wxpay.toml``. Raises OSError.
        """
        platform = self.platform
        ca = self._authority.pem if self._authority is not None else None
        brand = throwaway_merchant(BRAND_ID)
        home.write(Path(folder), self.merchant, platform.public_key, platform.certificates[-1], self.url, ca, brand)

    async def start(self) -> None:
        """Make or load keys and state, and start serving.

        Raises OSError if the port is taken, ConfigurationError for a home that cannot be used.
        """
        # First, because it locks the home: two sandboxes must not make keys for the same one.
        state = State(home.state_file(self._home) if self._home is not None else None)
        try:
            merchant, public_key, certificates = await asyncio.to_thread(self._identities)
        except BaseException:
            state.close()
            raise
        platform = Platform(self._mode, public_key, certificates)
        self._app = App(
            self._tree,
            merchant,
            platform,
            state,
            self._faults,
            delivery_options=self._delivery_options,
            seed=self._seed,
            strict=self._strict,
            stateful=self._stateful,
        )
        try:
            explorer = Explorer(self, self._tree, self._app.respond)
            self._listener = Listener(explorer.respond, self._host, self._port, self._tls(merchant))
            self._url = await self._listener.start()
            if self._home is not None:
                self.write_home(self._home)
            # Last: a notified merchant may download a certificate.
            self._app.sender.resume()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop serving and close open connections."""
        client, self._client = self._client, None
        listener, self._listener = self._listener, None
        app, self._app = self._app, None
        self._url = ""
        # In reverse order, each of them even if the one before fails.
        async with AsyncExitStack() as stack:
            if app is not None:
                stack.callback(app.state.close)
                stack.push_async_callback(app.sender.close)
            if listener is not None:
                stack.push_async_callback(listener.stop)
            if client is not None:
                stack.push_async_callback(client.close)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _require_app(self) -> App:
        if self._app is None:
            raise RuntimeError("the sandbox is not serving: use it in `async with Sandbox() as sandbox`")
        return self._app

    def _tls(self, merchant: Merchant) -> ssl.SSLContext | None:
        if self._authority is None:
            return None
        from .keys.tls import server_context

        return server_context(self._authority, self._host, [merchant.certificate])

    def _identities(self) -> tuple[Merchant, PlatformKeyPair, tuple[PlatformKeyPair, ...]]:
        if self._home is None:
            return throwaway_merchant(self._mchid), throwaway_public_key(), ()
        stored = home.read(self._home)
        if stored is not None:
            merchant, public_key, certificate = stored
            return merchant, public_key, (certificate,)
        merchant_key, public, certified = make_private_keys(3)
        certificate = make_platform_certificate(certified)
        return make_merchant(self._mchid, merchant_key), make_platform_public_key(public), (certificate,)


def _authority() -> Authority:
    from .keys.tls import throwaway_authority

    return throwaway_authority()
