"""RSA keys: the merchant's private key and WeChat Pay's public keys (商户API私钥, 微信支付公钥, 平台证书).

Load a key once and keep the object: parsing costs more than signing does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

from wxpay_dsl.core.errors import ConfigurationError

from . import pem

__all__ = [
    "KeyMaterial",
    "certificate_of",
    "check_private_key",
    "check_public_key",
    "load_private_key",
    "load_public_key",
]

#: PEM text or bytes, DER, base64 of DER, a path (text or ``os.PathLike``) or a ``file://`` URL.
KeyMaterial = str | bytes | os.PathLike[str]

#: WeChat Pay issues 2048-bit keys; a shorter one is a test key or an attack.
_MINIMUM_BITS = 2048

#: The cipher in the headers of an encrypted traditional PEM: the IV has 16 bytes for AES and 8 for DES.
_IV = re.compile(rb"^DEK-Info: *(?:AES-[0-9A-Z-]+,[0-9A-Fa-f]{32}|DES-[0-9A-Z-]+,[0-9A-Fa-f]{16}) *$", re.MULTILINE)
_PRIVATE_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
_PUBLIC_LABELS = ("PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE")


def load_private_key(thing: KeyMaterial | RSAPrivateKey, password: str | bytes | None = None) -> RSAPrivateKey:
    """Loads the merchant's private key (``apiclient_key.pem``): PKCS#1 or PKCS#8, also encrypted.

    ``thing`` is PEM text or bytes (CRLF and escaped ``\\n`` accepted), DER, base64 without the PEM lines,
    a path, a ``file://`` URL, or a loaded key. ``password`` decrypts an encrypted key.

    Raises :class:`ConfigurationError` for a missing file, a wrong, missing or superfluous password, a
    certificate or a public key instead of the private key, an algorithm other than RSA, fewer than 2048 bits, or
    inconsistent numbers.

    https://pay.weixin.qq.com/docs/merchant/development/interface-rules/api-security-concepts.html
    """
    what = "private key (商户API私钥)"
    if isinstance(thing, RSAPrivateKey):
        return check_private_key(thing, what)
    block = _block(thing, what, _PRIVATE_LABELS)
    secret = (password.encode() if isinstance(password, str) else password) or None
    try:
        # Full validation tests both factors for primality, which takes 31 ms instead of 12 µs; check_private_key
        # detects damaged and wrongly assembled keys at a low cost.
        if block.encrypted_pem:
            if _IV.search(block.encrypted_pem) is None:
                raise ValueError("no complete initialisation vector")  # cryptography 50 panics on it
            key = load_pem_private_key(block.encrypted_pem, secret, unsafe_skip_rsa_key_validation=True)
        else:
            key = load_der_private_key(block.der, secret, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        # cryptography raises it both for a missing and for a superfluous password.
        raise ConfigurationError(
            f"{what}: it is encrypted: give its password (`private_key` takes what load_private_key(key, password) "
            f"returns), or decrypt it once: openssl pkey -in apiclient_key.pem -out decrypted.pem"
            if secret is None
            else f"{what}: it is not encrypted: leave out the password"
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        encrypted = bool(block.encrypted_pem) or block.label == "ENCRYPTED PRIVATE KEY" or secret is not None
        reason = "wrong password, or damaged" if encrypted else f"not a private key: {_misplaced(block)}"
        raise ConfigurationError(f"{what}: {reason}") from error
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(f"{what}: {_algorithm(key)}; WeChat Pay signs with RSA")
    return check_private_key(key, what)


def load_public_key(thing: KeyMaterial | RSAPublicKey | x509.Certificate) -> RSAPublicKey:
    """Loads a public key of WeChat Pay: ``pub_key.pem`` (SPKI or PKCS#1), or the key of a platform certificate.

    ``thing`` may have the forms that :func:`load_private_key` accepts, or be a loaded key or certificate. A
    certificate's validity is not checked.

    Raises :class:`ConfigurationError` for a missing file, a private key instead of the public one, an algorithm
    other than RSA, or fewer than 2048 bits.

    https://pay.weixin.qq.com/doc/v3/merchant/4012154180
    """
    what = "public key (微信支付公钥)"
    if isinstance(thing, RSAPublicKey):
        return check_public_key(thing, what)
    if isinstance(thing, x509.Certificate):
        return _public_key_of(thing, what)
    block = _block(thing, what, _PUBLIC_LABELS)
    if block.label != "CERTIFICATE":
        try:
            key = load_der_public_key(block.der)
        except (ValueError, UnsupportedAlgorithm) as error:
            if block.label:
                raise ConfigurationError(f"{what}: damaged, or not a public key") from error
        else:
            return check_public_key(key, what)
    try:
        return _public_key_of(certificate_of(block.der), what)
    except ValueError as error:
        raise ConfigurationError(f"{what}: not a public key: {_misplaced(block)}") from error


def _block(thing: object, what: str, labels: Sequence[str]) -> pem.Block:
    """The first block of ``thing`` with one of ``labels``. Raises ConfigurationError."""
    if not isinstance(thing, (str, bytes, os.PathLike)):
        raise ConfigurationError(
            f"{what}: got {type(thing).__name__}; expected PEM, DER, a path, a file:// URL or a loaded key"
        )
    blocks = pem.read_blocks(thing, what)
    block = pem.find(blocks, *labels)
    if block is None:
        raise ConfigurationError(f"{what}: {_misplaced(blocks[0])}")
    return block


def certificate_of(der: bytes) -> x509.Certificate:
    """The certificate in DER. Raises ValueError."""
    try:
        return x509.load_der_x509_certificate(der)
    except x509.InvalidVersion as error:
        # The only error of cryptography about a certificate that is not a ValueError.
        raise ValueError(str(error)) from None


def check_private_key(key: RSAPrivateKey, what: str) -> RSAPrivateKey:
    """Returns ``key`` if its size is sufficient and its numbers are consistent; otherwise raises ConfigurationError.

    The check matters: a single signature made with a wrong CRT exponent or coefficient reveals the factors.
    """
    check_public_key(key.public_key(), what)
    numbers = key.private_numbers()
    p, q, d = numbers.p, numbers.q, numbers.d
    e, n = numbers.public_numbers.e, numbers.public_numbers.n
    if not (
        p > 1
        and q > 1
        and p * q == n
        and (e * d) % (p - 1) == 1
        and (e * d) % (q - 1) == 1
        and numbers.dmp1 == d % (p - 1)
        and numbers.dmq1 == d % (q - 1)
        and (numbers.iqmp * q) % p == 1
    ):
        raise ConfigurationError(f"{what}: damaged: its numbers are inconsistent")
    return key


def check_public_key(key: object, what: str) -> RSAPublicKey:
    """Returns ``key`` if it is an RSA key of at least 2048 bits; otherwise raises ConfigurationError."""
    if not isinstance(key, RSAPublicKey):
        raise ConfigurationError(f"{what}: {_algorithm(key)}; WeChat Pay uses RSA")
    if key.key_size < _MINIMUM_BITS:
        raise ConfigurationError(f"{what}: RSA of {key.key_size} bits; WeChat Pay uses {_MINIMUM_BITS} or more")
    return key


def _public_key_of(certificate: x509.Certificate, what: str) -> RSAPublicKey:
    try:
        key: object = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{what}: the certificate's key cannot be read") from error
    return check_public_key(key, what)


def _algorithm(key: object) -> str:
    name = type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
    return f"it is a key for {name or 'another algorithm'}"


def _misplaced(block: pem.Block) -> str:
    """What the block is instead of the expected key, and where such a block belongs."""
    if block.label == "CERTIFICATE" or (not block.label and _is_certificate(block.der)):
        return "this is a certificate, as apiclient_cert.pem is; the private key is in apiclient_key.pem"
    if block.label in _PRIVATE_LABELS or (not block.label and _is_private_key(block.der)):
        return "this is a private key; WeChat Pay's public key is in pub_key.pem, or in a platform certificate"
    if block.label.endswith("PUBLIC KEY") or (not block.label and _is_public_key(block.der)):
        return "this is a public key; the merchant's private key is in apiclient_key.pem"
    if not block.label and _is_pkcs12(block.der):
        return "this is a PKCS#12 container (apiclient_cert.p12): give it as `p12`, or the key in apiclient_key.pem"
    if block.label == "EC PRIVATE KEY":
        return "this is an elliptic-curve key; WeChat Pay's keys and the merchant's are RSA keys"
    if block.label in ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"):
        return "this is a certificate request (CSR), not a key"
    return (
        f"this is PEM with the label {block.label}, not a key"
        if block.label
        else "the DER is damaged or of another type"
    )


def _is_certificate(der: bytes) -> bool:
    try:
        certificate_of(der)
    except ValueError:
        return False
    return True


def _is_public_key(der: bytes) -> bool:
    try:
        load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _is_private_key(der: bytes) -> bool:
    try:
        load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        return True  # encrypted
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _is_pkcs12(der: bytes) -> bool:
    """Whether it is PKCS#12, which starts with the version 3, where PKCS#1 and PKCS#8 have 0 or 1."""
    return der[4:7] == b"\x02\x01\x03"
