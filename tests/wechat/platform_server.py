"""A loopback server with platform certificates: it signs with the certificate a test chooses and counts downloads."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from wxpay_dsl import Wechatpay
from wxpay_dsl.wechat.crypto.ciphers import aead_encrypt
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, platform_key
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

__all__ = [
    "APIV3_KEY",
    "MCHID",
    "PUB_KEY_ID",
    "SERIAL",
    "Cert",
    "Platform",
    "cert",
    "keys",
    "newer_key",
    "sealed",
    "serving",
    "wechatpay",
]

APIV3_KEY = "0123456789abcdef0123456789ABCDEF"
PUB_KEY_ID = "PUB_KEY_ID_0119000001092024120300383000001234"
MCHID, SERIAL = "1900000109", "0A" * 20
DAY = timedelta(days=1)

Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse | None]]


@lru_cache(maxsize=1)
def keys() -> tuple[RSAPrivateKey, RSAPrivateKey]:
    """The merchant's private key and the platform's."""
    path = Path(__file__).parents[1] / "cases/keys.yaml"
    texts: dict[str, str] = yaml.safe_load(path.read_text("utf-8"))
    return load_private_key(texts["pkcs8"]), load_private_key(texts["other_pkcs8"])


@lru_cache(maxsize=1)
def newer_key() -> RSAPrivateKey:
    """Another key of the platform's."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@frozen
class Cert:
    """A platform certificate and its private key."""

    certificate: x509.Certificate
    private_key: RSAPrivateKey = field(repr=False)

    @property
    def id(self) -> str:
        """Its serial, leading zeros kept."""
        return f"{self.certificate.serial_number:040X}"

    @property
    def key(self) -> PlatformKey:
        """The platform key, as a client has it."""
        return platform_key(self.id, self.certificate)


def cert(number: int, start: timedelta = -DAY, end: timedelta = 100 * DAY, key: RSAPrivateKey | None = None) -> Cert:
    """A certificate whose serial starts with a zero; ``start`` and ``end`` are relative to now."""
    signer = key or keys()[1]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, signer.public_key(), (0x0A << 152) | number, now + start, now + end)
    return Cert(builder.sign(signer, hashes.SHA256()), signer)


def sealed(certs: list[Cert], apiv3_key: str = APIV3_KEY) -> bytes:
    """The body of a response of ``GET /v3/certificates``."""
    data = []
    for one in certs:
        pem = one.certificate.public_bytes(Encoding.PEM)
        encrypted = {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": "61f9c719728a",
            "associated_data": "certificate",
            "ciphertext": aead_encrypt(pem, apiv3_key, "61f9c719728a", "certificate"),
        }
        data.append({"serial_no": one.id, "encrypt_certificate": encrypted})
    return json.dumps({"data": data}).encode()


@define
class Platform:
    """The server's behaviour, which a test may change while it runs."""

    certs: list[Cert] = field(factory=list)
    #: The certificate that signs all responses, or None for the public key.
    signing: Cert | None = None
    #: The key id that responses name, if it is not that of the signer.
    serial: str = ""
    url: str = ""
    #: Seconds that a download takes.
    slow: float = 0.0
    #: Handles downloads instead of the server.
    refuse: tuple[int, bytes] | None = None
    #: The number of downloads that get 503 before one succeeds.
    busy: int = 0
    apiv3_key: str = APIV3_KEY
    downloads: int = 0
    calls: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(factory=list)
    #: Handles all other calls; None responds with ``{}``.
    answer: Answer | None = None

    def signed(self, body: bytes, signing: Cert | None = None, status: int = 200) -> web.Response:
        """A signed response."""
        pair = signing or self.signing
        timestamp, nonce = str(int(time.time())), authorization.nonce()
        key = pair.private_key if pair is not None else keys()[1]
        message = signing_v3.response_message(timestamp, nonce, body)
        headers = {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": signing_v3.sign(message, key),
            "Wechatpay-Serial": self.serial or (pair.id if pair is not None else PUB_KEY_ID),
        }
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Routes."""
        body = await request.read()
        self.requests.append((f"{request.method} {request.raw_path}", dict(request.headers), body))
        if not request.path.endswith("/certificates"):
            self.calls += 1
            answered = await self.answer(request, body) if self.answer is not None else None
            return answered or self.signed(b"{}")
        self.downloads += 1
        await asyncio.sleep(self.slow)
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        if self.refuse is not None:
            return web.Response(status=self.refuse[0], body=self.refuse[1], content_type="application/json")
        certs = self.certs or ([self.signing] if self.signing is not None else [])
        return self.signed(sealed(certs, self.apiv3_key))


@asynccontextmanager
async def serving(platform: Platform) -> AsyncIterator[Platform]:
    """Serves while the block runs."""
    application = web.Application()
    application.router.add_route("*", r"/{path:[\s\S]*}", platform.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    platform.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield platform
    finally:
        await runner.cleanup()


def wechatpay(platform: Platform, **settings: Any) -> Wechatpay:
    """A client of the server, in certificate mode unless ``platform_keys`` is given."""
    given = {
        "mchid": MCHID,
        "serial": SERIAL,
        "private_key": keys()[0],
        "apiv3_key": APIV3_KEY,
        "base_url": platform.url,
        "timeout": 60.0,
    }
    return Wechatpay(**{**given, **settings})
