"""Decrypts the platform certificates (平台证书) in a response of ``GET /v3/certificates``. No I/O.

https://pay.weixin.qq.com/docs/merchant/development/interface-rules/certificate-callback-decryption.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from wxpay_dsl.core.errors import ConfigurationError, SdkError, on_one_line
from wxpay_dsl.wechat.crypto import ciphers, shangmi
from wxpay_dsl.wechat.crypto.certificates import load_certificate
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, key_of_certificate

__all__ = ["CertificateDecryptor", "PlatformCertificatesError", "decrypt_certificates"]

_ALGORITHM = "AEAD_AES_256_GCM"
_ALGORITHMS = {_ALGORITHM: ciphers.aead_decrypt, shangmi.ALGORITHM: shangmi.aead_decrypt}
#: The first bytes of each decrypted certificate.
_BEGINS = b"-----BEGIN CERTIFICATE-----"
#: The most certificates in one response. WeChat Pay sends one, or two while it replaces them.
_CERTIFICATE_LIMIT = 100


@frozen(str=False)
class PlatformCertificatesError(SdkError):
    """A response of ``GET /v3/certificates`` was rejected. The keys that are loaded stay in use.

    ``undecryptable`` is True if the response is well-formed but does not decrypt with the APIv3 key.
    """

    message: str
    undecryptable: bool = False

    def __str__(self) -> str:
        # The message quotes serials and algorithms from the response, which may hold line breaks.
        return on_one_line(f"platform certificates (平台证书): {self.message}")


def _key_bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


@frozen
class CertificateDecryptor:
    """Decrypts responses of ``GET /v3/certificates`` with one APIv3 key, which is not in its repr.

    Error trackers send the local variables of every frame, so callers hold this object instead of the key.
    """

    _key: bytes = field(repr=False, converter=_key_bytes)

    def __call__(self, payload: bytes | str | Mapping[str, Any]) -> tuple[PlatformKey, ...]:
        """See :func:`decrypt_certificates`."""
        if len(self._key) != 32:
            raise ConfigurationError(f"the APIv3 key (APIv3密钥) is {len(self._key)} bytes; it must be 32")
        keys = tuple(self._decrypt(entry) for entry in _entries(payload))
        if len({one.id for one in keys}) != len(keys):
            raise PlatformCertificatesError("the same serial occurs twice")
        return keys

    def __reduce__(self) -> str:
        raise TypeError("a certificate decryptor holds a secret key and is never pickled")

    def _decrypt(self, entry: Any) -> PlatformKey:
        try:
            serial, encrypted = entry["serial_no"], entry["encrypt_certificate"]
            algorithm, nonce, ciphertext = encrypted["algorithm"], encrypted["nonce"], encrypted["ciphertext"]
            associated_data = encrypted.get("associated_data") or ""
        except (KeyError, TypeError, AttributeError):
            raise PlatformCertificatesError("an entry lacks serial_no or a part of encrypt_certificate") from None
        if not all(isinstance(part, str) for part in (serial, algorithm, nonce, ciphertext, associated_data)):
            raise PlatformCertificatesError("an entry has a value that is not text")
        decrypt = _ALGORITHMS.get(algorithm)
        if decrypt is None:
            raise PlatformCertificatesError(f"{serial[:80]}: encrypted with {algorithm[:80]}; expected {_ALGORITHM}")
        try:
            plaintext = decrypt(ciphertext, self._key, nonce, associated_data)
            # The same key encrypts notifications, whose JSON holds text from third parties: a certificate found
            # inside such JSON must not be accepted.
            if not plaintext.lstrip().startswith(_BEGINS):
                raise PlatformCertificatesError(f"{serial[:80]}: the plaintext is not a certificate in PEM")
            key = key_of_certificate(load_certificate(plaintext))
        except ciphers.DecryptionError as error:
            raise PlatformCertificatesError(f"{serial[:80]}: {error}", undecryptable=True) from error
        except ConfigurationError as error:
            raise PlatformCertificatesError(f"{serial[:80]}: {error}") from error
        if key.id != serial.upper():
            raise PlatformCertificatesError(f"{serial[:80]}: the certificate's serial is {key.id}")
        return key


def decrypt_certificates(payload: bytes | str | Mapping[str, Any], apiv3_key: str | bytes) -> tuple[PlatformKey, ...]:
    """The platform certificates in a response of ``GET /v3/certificates``: all of them, or none.

    ``payload`` is the body, or its decoded JSON. GCM authenticates that the sender has the APIv3 key; the signature
    of the response must be verified as well, the first time with the certificate that the response itself carries.
    Validity is taken from the certificates.

    Raises :class:`ConfigurationError` for an APIv3 key that is not 32 bytes, and :class:`PlatformCertificatesError`
    for a body of another shape, an empty list, an unknown algorithm, a certificate that does not decrypt, or one
    whose serial is not the ``serial_no`` beside it.
    """
    decryptor = CertificateDecryptor(apiv3_key)
    del apiv3_key
    return decryptor(payload)


def _entries(payload: bytes | str | Mapping[str, Any]) -> list[Any]:
    try:
        document: Any = payload if isinstance(payload, Mapping) else json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise PlatformCertificatesError("the body is not JSON") from error
    entries = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= _CERTIFICATE_LIMIT:
        raise PlatformCertificatesError("the body has no list `data` of certificates")
    return entries
