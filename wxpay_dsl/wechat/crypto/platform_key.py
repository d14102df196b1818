"""One key of WeChat Pay (微信支付公钥, or the key of a 微信支付平台证书), and the protocol that looks keys up.

The keys verify responses and notifications, and encrypt sensitive fields. No I/O but reading a key file.

https://pay.weixin.qq.com/doc/v3/merchant/4012154180
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from wxpay_dsl.core.errors import ConfigurationError

from . import shangmi
from .certificates import certificate_serial, load_certificate
from .keys import KeyMaterial, load_public_key
from .shangmi import Sm2PublicKey

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["Keyring", "PlatformKey", "is_public_key_id", "key_of_certificate", "normalized_id", "platform_key"]

_PUBLIC_KEY_ID = "PUB_KEY_ID_"
#: The id is sent as a header and may name a file, so its characters are restricted.
_ID = re.compile(r"PUB_KEY_ID_[A-Za-z0-9_-]{1,100}|[0-9A-F]{1,40}")
#: Characters of an invalid id that an error shows.
_SHOWN = 60


def is_public_key_id(key_id: str) -> bool:
    """Whether ``Wechatpay-Serial`` names a public key (``PUB_KEY_ID_…``), not a certificate."""
    return key_id.startswith(_PUBLIC_KEY_ID)


def normalized_id(key_id: str) -> str:
    """The id as keys are stored by: a certificate's serial in upper case, a public key's id unchanged."""
    return key_id if is_public_key_id(key_id) else key_id.upper()


@frozen
class PlatformKey:
    """One key of WeChat Pay. ``not_before`` and ``not_after`` (aware, UTC) are those of its certificate, if any."""

    #: ``PUB_KEY_ID_…``, or the certificate's serial in upper-case hexadecimal with its leading zeros.
    id: str = field(converter=normalized_id)
    public_key: RSAPublicKey | Sm2PublicKey = field(repr=False)
    not_before: datetime | None = None
    not_after: datetime | None = None
    certificate: x509.Certificate | None = field(default=None, repr=False)

    @property
    def rsa(self) -> RSAPublicKey:
        """The key for encryption. Raises ConfigurationError for a ShangMi (国密) key, which is only used to verify."""
        if isinstance(self.public_key, RSAPublicKey):
            return self.public_key
        raise ConfigurationError(
            f"the platform key {self.id} is an SM2 (国密) key: fields are encrypted with RSA keys only; give an RSA "
            f"key beside it (pub_key.pem with its PUB_KEY_ID_…), or pass values that are already encrypted"
        )

    @property
    def fingerprint(self) -> str:
        """Identifies the public key itself, whatever id it is configured under; hexadecimal."""
        key = self.public_key
        return f"{key.public_numbers().n:x}" if isinstance(key, RSAPublicKey) else key.point.hex()

    def valid_at(self, when: datetime) -> bool:
        """Whether the key may be used at ``when`` (aware). A key without a certificate has no time limit."""
        return (self.not_before is None or self.not_before <= when) and (
            self.not_after is None or when <= self.not_after
        )


class Keyring(Protocol):
    """The trusted platform keys. Asynchronous, because a lookup may download certificates."""

    async def find(self, serial: str) -> PlatformKey | None:
        """The key that a ``Wechatpay-Serial`` names; None if it is unknown, cannot be downloaded, or is not valid."""

    async def preferred(self) -> PlatformKey:
        """The key to encrypt with and to name in ``Wechatpay-Serial``. Raises ConfigurationError if there is none."""

    def key_ids(self) -> list[str]:
        """The ids of the loaded keys, with the reason where one is not valid; for error messages."""


def platform_key(
    key_id: str, thing: KeyMaterial | RSAPublicKey | Sm2PublicKey | x509.Certificate | None
) -> PlatformKey:
    """A platform key from its configured id and key material, in any form that :func:`load_public_key` accepts.

    ``key_id`` is ``PUB_KEY_ID_…``, or a certificate's serial in hexadecimal, with or without colons. Raises
    :class:`ConfigurationError` for any other id, for a key that cannot be loaded, for a certificate whose serial is
    not ``key_id``, and for a ``PUB_KEY_ID_…`` that comes with a certificate.
    """
    if not key_id:
        raise ConfigurationError("platform key '': it has no id")
    key_id = _checked_id(key_id, thing)
    if thing is None:
        raise ConfigurationError(f"platform key {key_id!r}: it has no key")
    certificate = _certificate_in(thing)
    if certificate is None:
        if isinstance(thing, Sm2PublicKey) or (isinstance(thing, (str, bytes, os.PathLike)) and shangmi.is_sm2(thing)):
            return PlatformKey(key_id, shangmi.load_public_key(thing))
        return PlatformKey(key_id, load_public_key(thing))
    if is_public_key_id(key_id):
        raise ConfigurationError(f"platform key {key_id}: this is a certificate; pub_key.pem belongs to this id")
    key = key_of_certificate(certificate)
    # A serial copied from a tool that prints it as a number may lack its leading zeros; the certificate has them.
    if key.id.lstrip("0") != key_id.upper().lstrip("0"):
        raise ConfigurationError(f"platform key {key_id}: the certificate's serial is {key.id}")
    return key


def key_of_certificate(certificate: x509.Certificate) -> PlatformKey:
    """The platform key in a certificate, with its serial and validity. Raises ConfigurationError for a bad key."""
    return PlatformKey(
        certificate_serial(certificate),
        shangmi.public_key_of(certificate) or load_public_key(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate,
    )


def _checked_id(given: str, thing: object) -> str:
    """The id as it is sent. Raises ConfigurationError if it is neither a public key's id nor a serial."""
    # openssl writes serials with colons; a public key's id may have been typed in lower case.
    upper = given.strip().upper()
    key_id = given.strip() if is_public_key_id(given.strip()) else upper if is_public_key_id(upper) else ""
    key_id = key_id or upper.replace(":", "")
    if _ID.fullmatch(key_id):
        return key_id
    shown = repr(given) if len(given) <= _SHOWN else f"of {len(given)} characters"
    expected = "an id is PUB_KEY_ID_… with its digits, or the serial of a certificate in hexadecimal"
    if isinstance(thing, str) and is_public_key_id(thing.strip()):
        expected += "; the id and the file are swapped"
    raise ConfigurationError(f"platform key {shown}: {expected}")


def _certificate_in(thing: KeyMaterial | RSAPublicKey | Sm2PublicKey | x509.Certificate) -> x509.Certificate | None:
    if isinstance(thing, (RSAPublicKey, Sm2PublicKey)):
        return None
    try:
        return load_certificate(thing)
    except ConfigurationError:
        return None  # load_public_key raises the error, if there is one
