"""Merchants and platform key pairs of the sandbox, and how they are made.

All keys are generated at run time and are valid in the sandbox only. An RSA-2048 key takes 30 ms and generating it
releases the GIL, so several are generated in parallel.
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

from wxpay_dsl.wechat.crypto.certificates import certificate_serial

__all__ = [
    "BRAND_ID",
    "MCHID",
    "Merchant",
    "PlatformKeyPair",
    "make_merchant",
    "make_platform_certificate",
    "make_platform_public_key",
    "make_private_keys",
    "start_key_generation",
    "throwaway_merchant",
    "throwaway_public_key",
]

#: The default merchant id.
MCHID: Final = "1900000109"
#: The id of the sandbox's brand (品牌直连), which has the same kinds of keys as a merchant.
BRAND_ID: Final = "100001"

_LETTERS: Final = string.ascii_letters + string.digits
_YEARS: Final = timedelta(days=5 * 365)


@frozen
class Merchant:
    """A merchant of the sandbox, with the keys that a real one downloads from or sets on the merchant platform."""

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
    apiv2_key: str = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a Merchant holds a private key and cannot be pickled")


@frozen
class PlatformKeyPair:
    """A key pair that the sandbox signs with: of a public key (微信支付公钥) or of a certificate (平台证书)."""

    #: ``PUB_KEY_ID_…``, or the certificate's serial.
    id: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate | None = field(default=None, repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a PlatformKeyPair holds a private key and cannot be pickled")


def make_private_keys(count: int) -> list[rsa.RSAPrivateKey]:
    """Generate ``count`` keys in parallel."""
    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(_private_key) for _ in range(count)]]


def make_merchant(mchid: str = MCHID, private_key: rsa.RSAPrivateKey | None = None) -> Merchant:
    """Make a merchant with new keys; its certificate is valid for five years."""
    key = private_key or _private_key()
    names = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "微信商户系统"),
        (NameOID.COMMON_NAME, mchid),
    )
    certificate = _certificate(key, names)
    return Merchant(mchid, key, certificate, certificate_serial(certificate), _secret(), _secret())


def make_platform_public_key(private_key: rsa.RSAPrivateKey | None = None) -> PlatformKeyPair:
    """Make a key pair of public-key mode, with an id in the form of real ones (``PUB_KEY_ID_…``)."""
    digits = "".join(secrets.choice(string.digits) for _ in range(20))
    return PlatformKeyPair(f"PUB_KEY_ID_01{digits}{datetime.now(UTC):%Y%m%d}00", private_key or _private_key())


def make_platform_certificate(private_key: rsa.RSAPrivateKey | None = None) -> PlatformKeyPair:
    """Make a key pair of certificate mode; the certificate is valid for five years."""
    key = private_key or _private_key()
    names = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "Tenpay.com"),
        (NameOID.COMMON_NAME, "Tenpay.com sign"),
    )
    certificate = _certificate(key, names)
    return PlatformKeyPair(certificate_serial(certificate), key, certificate)


@lru_cache(maxsize=1)
def start_key_generation() -> tuple[Future[rsa.RSAPrivateKey], Future[rsa.RSAPrivateKey]]:
    """Start to generate the keys of this process's default merchant and of the platform, in other threads.

    Called when the sandbox is imported, so that other imports run meanwhile: 0.25 s to start rather than 0.29 s.
    """
    threads = ThreadPoolExecutor(2, "wxpay-sandbox-keys")
    first, second = threads.submit(_private_key), threads.submit(_private_key)
    threads.shutdown(wait=False)
    return first, second


@lru_cache(maxsize=8)
def throwaway_merchant(mchid: str = MCHID) -> Merchant:
    """This process's merchant of that id, shared by all sandboxes without a home, so that its keys are made once."""
    return make_merchant(mchid, start_key_generation()[0].result() if mchid == MCHID else None)


@lru_cache(maxsize=1)
def throwaway_public_key() -> PlatformKeyPair:
    """This process's platform key pair of public-key mode, shared as the merchant is."""
    return make_platform_public_key(start_key_generation()[1].result())


def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _secret() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def _certificate(key: rsa.RSAPrivateKey, names: tuple[tuple[x509.ObjectIdentifier, str], ...]) -> x509.Certificate:
    """A self-signed certificate; its serial has 40 hexadecimal digits, as those of WeChat Pay."""
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
