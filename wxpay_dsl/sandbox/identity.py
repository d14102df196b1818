"""Whom the sandbox knows and who it is: throwaway merchants, and the platform's own keys.

All keys are made here, at run time, and are worth nothing anywhere else. RSA-2048 takes 30 ms a key and lets other
threads run, so those that are needed at once are made side by side.
"""

from __future__ import annotations

import secrets
import string
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from wxpay_dsl.wechat.certificates import certificate_serial

__all__ = [
    "BRAND_ID",
    "MCHID",
    "Merchant",
    "PlatformKeyPair",
    "make_merchant",
    "make_platform_certificate",
    "make_platform_public_key",
    "make_private_keys",
    "prepare",
    "throwaway_merchant",
    "throwaway_public_key",
]

#: The merchant id of a sandbox that is told none.
MCHID: Final = "1900000109"
#: The id of the sandbox's brand (品牌直连), whose certificate and keys are like a merchant's.
BRAND_ID: Final = "100001"

_LETTERS: Final = string.ascii_letters + string.digits
_YEARS: Final = timedelta(days=5 * 365)


@frozen
class Merchant:
    """A merchant of the sandbox, with everything the real one downloads or sets on the merchant platform."""

    #: 商户号
    mchid: str
    #: 商户API私钥
    private_key: rsa.RSAPrivateKey = field(repr=False)
    #: 商户API证书
    certificate: x509.Certificate = field(repr=False)
    #: 商户API证书序列号
    serial: str
    #: APIv3密钥, 32 characters.
    apiv3_key: str = field(repr=False)
    #: APIv2密钥, 32 characters.
    secret: str = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a merchant holds a private key and is never pickled")


@frozen
class PlatformKeyPair:
    """A key that the sandbox signs with: a public key (微信支付公钥) or one of a certificate (平台证书)."""

    #: ``PUB_KEY_ID_…``, or the certificate's serial.
    id: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate | None = field(default=None, repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a platform key pair holds a private key and is never pickled")


def make_private_keys(count: int) -> list[rsa.RSAPrivateKey]:
    """So many keys, made side by side."""
    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(_private_key) for _ in range(count)]]


def make_merchant(mchid: str = MCHID, private_key: rsa.RSAPrivateKey | None = None) -> Merchant:
    """A merchant with new keys."""
    key = private_key or _private_key()
    names = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "微信商户系统"),
        (NameOID.COMMON_NAME, mchid),
    )
    certificate = _certificate(key, names)
    return Merchant(mchid, key, certificate, certificate_serial(certificate), _secret(), _secret())


def make_platform_public_key(private_key: rsa.RSAPrivateKey | None = None) -> PlatformKeyPair:
    """A key of public-key mode, with an id in the form of the real ones."""
    digits = "".join(secrets.choice(string.digits) for _ in range(20))
    return PlatformKeyPair(f"PUB_KEY_ID_01{digits}{datetime.now(UTC):%Y%m%d}00", private_key or _private_key())


def make_platform_certificate(private_key: rsa.RSAPrivateKey | None = None) -> PlatformKeyPair:
    """A key of certificate mode, valid for five years from now."""
    key = private_key or _private_key()
    names = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "Tenpay.com"),
        (NameOID.COMMON_NAME, "Tenpay.com sign"),
    )
    certificate = _certificate(key, names)
    return PlatformKeyPair(certificate_serial(certificate), key, certificate)


@lru_cache(maxsize=1)
def prepare() -> tuple[Future[rsa.RSAPrivateKey], Future[rsa.RSAPrivateKey]]:
    """Begins to make the keys of this process's first merchant and of the platform, on other cores.

    Whoever imports the sandbox is about to want them, and waits for other imports meanwhile: a start in 0.25 s rather
    than in 0.29.
    """
    threads = ThreadPoolExecutor(2, "wxpay-sandbox-keys")
    first, second = threads.submit(_private_key), threads.submit(_private_key)
    threads.shutdown(wait=False)
    return first, second


@lru_cache(maxsize=8)
def throwaway_merchant(mchid: str = MCHID) -> Merchant:
    """This process's merchant of that id: the sandboxes of a test suite share it, so that only the first waits."""
    return make_merchant(mchid, prepare()[0].result() if mchid == MCHID else None)


@lru_cache(maxsize=1)
def throwaway_public_key() -> PlatformKeyPair:
    """This process's platform public key, shared like the merchant."""
    return make_platform_public_key(prepare()[1].result())


def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _secret() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def _certificate(key: rsa.RSAPrivateKey, names: tuple[tuple[x509.ObjectIdentifier, str], ...]) -> x509.Certificate:
    """Self-signed, its serial 40 digits as WeChat Pay's are."""
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in names])
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(158) | 1 << 157)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
