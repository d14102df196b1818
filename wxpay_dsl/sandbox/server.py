"""The sandbox as a server on loopback: sockets, and nothing else that the service is made of."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from wxpay_dsl.client import tree as spec_tree

from . import home as homes
from .certification import client_serial, server_context, throwaway_authority
from .identity import (
    MCHID,
    Merchant,
    PlatformKeyPair,
    make_merchant,
    make_platform_certificate,
    make_platform_public_key,
    throwaway_merchant,
    throwaway_public_key,
)
from .messages import Call
from .platform import Mode, Platform
from .service import Service
from .v2 import ServiceV2

__all__ = ["Sandbox"]

#: The service closes an idle connection after so many seconds.
_KEEP_ALIVE: Final = 8
#: Bytes of a request; uploads of the service go up to 5 MB.
_LIMIT: Final = 16 * 1024 * 1024


class Sandbox:
    """A WeChat Pay of one's own on loopback, to be used in ``async with``.

    ``async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay: …``. Without ``home`` everything is
    in memory, and the sandboxes of one process share their keys; with one, its keys and state are kept there.
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
        tls: bool = False,
    ) -> None:
        """``port``: 0 for any that is free. ``specs``: folders of endpoints on top of the package's own. ``mode``: how
        the platform signs (``"public-key"``, ``"certificate"``, or both, as while a merchant migrates). ``strict``
        refuses fields that no spec knows. ``tls`` serves https with an authority of its own, and demands the client
        certificate where the specs say so. Raises ValueError for a ``host`` beyond loopback unless ``allow_remote``.
        """
        if not allow_remote and not _is_loopback(host):
            raise ValueError(
                f"the sandbox serves loopback only, not {host!r}: anyone who reaches it can do anything in it "
                f"(allow_remote=True serves there all the same)"
            )
        self._host = host
        self._port = port
        self._home = Path(home) if home is not None else None
        self._tree = spec_tree([str(folder) for folder in specs])
        self._mode: Mode = mode
        self._mchid = mchid
        self._strict = strict
        self._authority = throwaway_authority() if tls else None
        self._runner: web.ServerRunner | None = None
        self._merchant: Merchant | None = None
        self._platform: Platform | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, once it serves; ``https://…`` with ``tls``."""
        if not self._url:
            raise RuntimeError("the sandbox is not serving: use it in `async with Sandbox() as sandbox`")
        return self._url

    @property
    def merchant(self) -> Merchant:
        """The merchant whose credentials these are."""
        if self._merchant is None:
            raise RuntimeError("the sandbox is not serving: use it in `async with Sandbox() as sandbox`")
        return self._merchant

    @property
    def platform(self) -> Platform:
        """The platform's keys."""
        if self._platform is None:
            raise RuntimeError("the sandbox is not serving: use it in `async with Sandbox() as sandbox`")
        return self._platform

    @property
    def credentials(self) -> dict[str, Any]:
        """What ``Wechatpay(**…)`` takes to call this sandbox as its merchant."""
        merchant, platform = self.merchant, self.platform
        certs: dict[str, Any] = {}
        if self._mode != "certificate":
            certs[platform.public_key.id] = platform.public_key.private_key.public_key()
        else:
            certs |= {pair.id: pair.certificate for pair in platform.certificates}
        return {
            "mchid": merchant.mchid,
            "serial": merchant.serial,
            "private_key": merchant.private_key,
            "certificate": merchant.certificate,
            "certs": certs,
            "apiv3_key": merchant.apiv3_key,
            "secret": merchant.secret,
            "base_url": self.url,
            **({"ca": self._authority.pem} if self._authority is not None else {}),
        }

    def write_home(self, folder: str | Path) -> None:
        """Writes what a merchant downloads: ``apiclient_key.pem apiclient_cert.pem apiclient_cert.p12 pub_key.pem
        platform_cert.pem`` and a profile, ``wxpay.toml``. Raises OSError.
        """
        platform = self.platform
        homes.write(Path(folder), self.merchant, platform.public_key, platform.certificates[-1], self.url)

    async def start(self) -> None:
        """Makes or loads the keys and begins to serve. Raises OSError where the port is taken."""
        merchant, public_key, certificates = await asyncio.to_thread(self._identities)
        self._merchant = merchant
        self._platform = Platform(self._mode, public_key, certificates)
        merchants = {merchant.mchid: merchant}
        v2 = ServiceV2(self._platform, merchants, {}, strict=self._strict)
        service = Service(
            self._tree, self._platform, merchants, time.time, {}, answer_v2=v2.answer, strict=self._strict
        )
        authority = self._authority
        tls = server_context(authority, self._host, [merchant.certificate]) if authority is not None else None

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                body = await request.read() if request.body_exists else b""
            except web.HTTPRequestEntityTooLarge:
                return web.Response(status=413)
            shown = client_serial(request.transport)
            call = Call(request.method, request.raw_path, request.headers, body, tls is not None, shown)
            wire = service.respond(call)
            return web.Response(status=wire.status, headers=wire.headers, body=wire.body)

        server = web.Server(handle, request_factory=_request, keepalive_timeout=_KEEP_ALIVE, access_log=None)
        runner = self._runner = web.ServerRunner(server, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=tls).start()
        except OSError:
            await self.stop()
            raise
        address = runner.addresses[0]
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        self._url = f"{'http' if tls is None else 'https'}://{host}:{address[1]}"
        if self._home is not None:
            self.write_home(self._home)

    async def stop(self) -> None:
        """Ends serving; open connections are closed."""
        runner, self._runner = self._runner, None
        self._url = ""
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _identities(self) -> tuple[Merchant, PlatformKeyPair, tuple[PlatformKeyPair, ...]]:
        if self._home is None:
            return throwaway_merchant(self._mchid), throwaway_public_key(), ()
        found = homes.read(self._home)
        if found is not None:
            merchant, public_key, certificate = found
            return merchant, public_key, (certificate,)
        return make_merchant(self._mchid), make_platform_public_key(), (make_platform_certificate(),)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LIMIT)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
