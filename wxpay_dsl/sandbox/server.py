"""The sandbox, put together: keys, state, service, control, notifications, and the address they are served at."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from wxpay_dsl.client import tree as spec_tree

from .app import Running
from .control import access as guard
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
    """A WeChat Pay of one's own on loopback, to be used in ``async with``.

    ``async with Sandbox() as sandbox: await sandbox.client.v3…``. Without ``home`` everything is in memory, and the
    sandboxes of one process share their keys; with one, keys and state are kept there, and are there again next time.
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
        """``port``: 0 for any that is free. ``specs``: folders of endpoints on top of the package's own. ``mode``: how
        the platform signs (``"public-key"``, ``"certificate"``, or both, as while a merchant migrates). ``strict``
        refuses whatever differs from a spec. Unless ``stateful`` every operation answers from its spec, whatever
        happened before. ``tls`` serves https with an authority of its own, and demands the client certificate where
        the specs say so. ``faults``: of each kind in :data:`wxpay_dsl.sandbox.protocol.faults.KINDS`, the
        share of calls that it hits; ``seed`` makes the choice the same each time. ``notifications``: how they are
        delivered. Raises ValueError for a ``host`` beyond loopback unless ``allow_remote``.
        """
        if not allow_remote and not guard.is_loopback(host):
            raise ValueError(
                f"the sandbox serves loopback only, not {host!r}: anyone who reaches it can call it and read its "
                f"answers (allow_remote=True serves there all the same)"
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
        self._running: Running | None = None
        self._client: Wechatpay | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, once it serves; ``https://…`` with ``tls``."""
        self._serving()
        return self._url

    @property
    def merchant(self) -> Merchant:
        """The merchant whose credentials these are."""
        return self._serving().merchant

    @property
    def platform(self) -> Platform:
        """The platform's keys."""
        return self._serving().platform

    @property
    def control(self) -> Control:
        """The payer, the clock, the faults: all that a test may do beyond calling it."""
        return self._serving().control

    @property
    def state(self) -> State:
        """All that the sandbox knows of its merchants' business."""
        return self._serving().state

    @property
    def sender(self) -> NotificationSender:
        """Who delivers notifications."""
        return self._serving().sender

    @property
    def credentials(self) -> dict[str, Any]:
        """What ``Wechatpay(**…)`` takes to call this sandbox as its merchant."""
        return self.credentials_of(self.merchant)

    @property
    def brand_credentials(self) -> dict[str, Any]:
        """What ``Wechatpay(**sandbox.credentials, **…)`` takes beside to call ``wxpay.brand`` (品牌直连)."""
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
        """A client of this sandbox as its merchant, closed with it."""
        if self._client is None:
            from wxpay_dsl.client import Wechatpay

            self._client = Wechatpay(**self.credentials)
        return self._client

    def credentials_of(self, merchant: Merchant) -> dict[str, Any]:
        """What ``Wechatpay(**…)`` takes to call this sandbox as one of its merchants."""
        platform = self.platform
        certs: dict[str, Any] = {}
        if platform.mode != "certificate":
            certs[platform.public_key.id] = platform.public_key.private_key.public_key()
        else:
            certs |= {pair.id: pair.certificate for pair in platform.certificates}
        return {
            "mchid": merchant.mchid,
            "serial": merchant.serial,
            "private_key": merchant.private_key,
            "certificate": merchant.certificate,
            "platform_keys": certs,
            "apiv3_key": merchant.apiv3_key,
            "apiv2_key": merchant.apiv2_key,
            "base_url": self.url,
            **({"ca": self._authority.pem} if self._authority is not None else {}),
        }

    def write_home(self, folder: str | Path) -> None:
        """Writes what a merchant downloads: ``apiclient_key.pem apiclient_cert.pem apiclient_cert.p12 pub_key.pem
        platform_cert.pem``, what a brand (品牌直连) does, ``brand_key.pem``, and a profile of both, ``wxpay.toml``.
        Raises OSError.
        """
        platform = self.platform
        ca = self._authority.pem if self._authority is not None else None
        brand = throwaway_merchant(BRAND_ID)
        home.write(Path(folder), self.merchant, platform.public_key, platform.certificates[-1], self.url, ca, brand)

    async def start(self) -> None:
        """Makes or loads keys and state, and begins to serve.

        Raises OSError where the port is taken, ConfigurationError for a home that cannot be used.
        """
        # First, as it keeps others out of the home: no two make keys for it.
        state = State(home.state_file(self._home) if self._home is not None else None)
        try:
            merchant, public_key, certificates = await asyncio.to_thread(self._identities)
        except BaseException:
            state.close()
            raise
        platform = Platform(self._mode, public_key, certificates)
        self._running = Running(
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
            explorer = Explorer(self, self._tree, self._running.respond)
            self._listener = Listener(explorer.respond, self._host, self._port, self._tls(merchant))
            self._url = await self._listener.start()
            if self._home is not None:
                self.write_home(self._home)
            # Last: whoever is notified may want a certificate.
            self._running.sender.resume()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends serving; open connections are closed."""
        client, self._client = self._client, None
        listener, self._listener = self._listener, None
        running, self._running = self._running, None
        self._url = ""
        # In the contrary order, and each of them whatever becomes of the one before.
        async with AsyncExitStack() as ending:
            if running is not None:
                ending.callback(running.state.close)
                ending.push_async_callback(running.sender.close)
            if listener is not None:
                ending.push_async_callback(listener.stop)
            if client is not None:
                ending.push_async_callback(client.close)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _serving(self) -> Running:
        if self._running is None:
            raise RuntimeError("the sandbox is not serving: use it in `async with Sandbox() as sandbox`")
        return self._running

    def _tls(self, merchant: Merchant) -> ssl.SSLContext | None:
        if self._authority is None:
            return None
        from .keys.tls import server_context

        return server_context(self._authority, self._host, [merchant.certificate])

    def _identities(self) -> tuple[Merchant, PlatformKeyPair, tuple[PlatformKeyPair, ...]]:
        if self._home is None:
            return throwaway_merchant(self._mchid), throwaway_public_key(), ()
        found = home.read(self._home)
        if found is not None:
            merchant, public_key, certificate = found
            return merchant, public_key, (certificate,)
        own, public, certified = make_private_keys(3)
        certificate = make_platform_certificate(certified)
        return make_merchant(self._mchid, own), make_platform_public_key(public), (certificate,)


def _authority() -> Authority:
    from .keys.tls import throwaway_authority

    return throwaway_authority()
