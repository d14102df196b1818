"""ShangMi (国密): SM2 signatures with SM3, SM4-GCM, and the keys for them.

SM3 and SM4 are those of cryptography. SM2 needs the extra ``sm``, a library in pure Python: signing takes 11 ms,
verifying 19 ms. Its timing depends on the key, so use it only on machines that are not shared with others.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

import os
from base64 import b64encode
from binascii import a2b_base64, b2a_base64
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SM3, Hash
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import PublicKeyAlgorithmOID

from wxpay_dsl.core.errors import ConfigurationError

from . import der, pem
from .ciphers import DecryptionError
from .keys import KeyMaterial

if TYPE_CHECKING:
    from cryptography import x509

__all__ = [
    "ALGORITHM",
    "Sm2PrivateKey",
    "Sm2PublicKey",
    "aead_decrypt",
    "aead_encrypt",
    "is_sm2",
    "load_private_key",
    "load_public_key",
    "public_key_of",
]

#: The name of SM4-GCM in encrypted notifications and certificates.
ALGORITHM: Final = "AEAD_SM4_GCM"

#: The object identifier of the curve, 1.2.156.10197.1.301, as DER.
_CURVE: Final = bytes.fromhex("06082a811ccf5501822d")
#: The bytes before the point in SPKI.
_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_EC: Final = PublicKeyAlgorithmOID.EC_PUBLIC_KEY
#: The default identity of the signer (GB/T 32918).
_USER: Final = b"1234567812345678"
_TAG: Final = 16
#: An SM2 signature in DER is at most 72 bytes.
_SIGNATURE_LIMIT: Final = 100


@frozen
class Sm2PublicKey:
    """An SM2 public key: a point of the curve as ``04``, x, y."""

    point: bytes

    def pem(self) -> bytes:
        """The key as ``-----BEGIN PUBLIC KEY-----``."""
        lines = b64encode(_SPKI + self.point).decode("ascii")
        return f"-----BEGIN PUBLIC KEY-----\n{lines[:64]}\n{lines[64:]}\n-----END PUBLIC KEY-----\n".encode()

    def verify(self, message: bytes, signature: str) -> bool:
        """Whether ``signature`` (base64 of DER) over ``message`` is by the key's owner. False for a malformed one."""
        if len(signature) > _SIGNATURE_LIMIT:
            return False
        try:
            r, s = decode_dss_signature(a2b_base64(signature, strict_mode=True))
        except ValueError:
            return False
        return bool(_sm2().verify(message, r, s, _USER, _coordinates(self.point)))


@frozen
class Sm2PrivateKey:
    """An SM2 private key of 32 bytes, which is not in the repr."""

    secret: bytes = field(repr=False)
    public_key: Sm2PublicKey

    def sign(self, message: bytes) -> str:
        """The signature over ``message``, base64 of DER."""
        secret = int.from_bytes(self.secret, "big")
        signature = encode_dss_signature(*_sm2().sign(message, secret, _USER, _coordinates(self.public_key.point)))
        return b2a_base64(signature, newline=False).decode("ascii")

    def __reduce__(self) -> str:
        raise TypeError("a private key is never pickled")


def is_sm2(thing: Any) -> bool:
    """Whether ``thing``, in any form that keys are given in, is an SM2 key or a certificate with one."""
    if isinstance(thing, (Sm2PrivateKey, Sm2PublicKey)):
        return True
    if not isinstance(thing, (str, bytes, os.PathLike)):
        return False
    try:
        return any(_CURVE in block.der for block in pem.read_blocks(thing, "key"))
    except ConfigurationError:
        return False


def load_private_key(thing: KeyMaterial | Sm2PrivateKey) -> Sm2PrivateKey:
    """Loads an SM2 private key: PKCS#8 or SEC 1, as PEM, DER, base64, a path or a ``file://`` URL.

    Raises ConfigurationError for an encrypted key (``openssl pkcs8`` decrypts it) and for anything but an SM2 key.
    """
    what = "SM2 private key (国密私钥)"
    if isinstance(thing, Sm2PrivateKey):
        return thing
    blocks = pem.read_blocks(thing, what)
    if any("ENCRYPTED" in block.label or block.encrypted_pem for block in blocks):
        raise ConfigurationError(f"{what}: it is encrypted: openssl pkcs8 -in KEY -out key.pem decrypts it")
    # `openssl ecparam -genkey` writes a block of parameters before the key.
    block = pem.find([block for block in blocks if block.label != "EC PARAMETERS"], "PRIVATE KEY", "EC PRIVATE KEY")
    try:
        if block is None or _CURVE not in block.der:
            raise ValueError("it is not an SM2 key")
        secret = _secret(block.der)
    except ValueError as error:
        raise ConfigurationError(f"{what}: {error}") from None
    x, y = _sm2().generate_pk(int.from_bytes(secret, "big"))
    return Sm2PrivateKey(secret, Sm2PublicKey(b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")))


def load_public_key(thing: KeyMaterial | Sm2PublicKey) -> Sm2PublicKey:
    """Loads an SM2 public key: SPKI or a certificate, as PEM, DER, base64, a path or a ``file://`` URL.

    Raises ConfigurationError for anything else.
    """
    what = "SM2 public key (国密公钥)"
    if isinstance(thing, Sm2PublicKey):
        return thing
    block = pem.find(pem.read_blocks(thing, what), "PUBLIC KEY", "CERTIFICATE")
    try:
        if block is None:
            raise ValueError("it is not an SM2 key")
        # The first child of a certificate's body is its version or serial number; that of SPKI is an object id.
        certificate = next(der.children(block.der))[1][:1] in (b"\xa0", b"\x02")
        return _point(_spki(block.der) if certificate else block.der)
    except ValueError as error:
        raise ConfigurationError(f"{what}: {error}") from None


def public_key_of(certificate: x509.Certificate) -> Sm2PublicKey | None:
    """The public key of a certificate with an SM2 key; None for any other certificate."""
    if certificate.public_key_algorithm_oid != _EC:
        return None
    try:
        return _point(_spki(certificate.public_bytes(Encoding.DER)))
    except ValueError:
        return None


def aead_encrypt(plaintext: str | bytes, key: str | bytes, nonce: str | bytes, associated_data: str | bytes) -> str:
    """AEAD_SM4_GCM: ciphertext and 16-byte tag, in base64. ``key`` is the APIv3 key (APIv3密钥)."""
    context = Cipher(SM4(_sm4_key(key)), GCM(_bytes(nonce))).encryptor()
    context.authenticate_additional_data(_bytes(associated_data))
    encrypted = context.update(_bytes(plaintext)) + context.finalize() + context.tag
    return b2a_base64(encrypted, newline=False).decode("ascii")


def aead_decrypt(ciphertext: str, key: str | bytes, nonce: str | bytes, associated_data: str | bytes | None) -> bytes:
    """The plaintext of :func:`aead_encrypt`. Raises DecryptionError."""
    cipher = SM4(_sm4_key(key))
    del key  # error trackers send the variables of the frame that raises
    try:
        encrypted = a2b_base64(ciphertext, strict_mode=True)
        context = Cipher(cipher, GCM(_bytes(nonce), encrypted[-_TAG:])).decryptor()
        context.authenticate_additional_data(_bytes(associated_data or b""))
        return context.update(encrypted[:-_TAG]) + context.finalize()
    except (InvalidTag, ValueError):
        raise DecryptionError(
            "SM4-GCM: cannot be decrypted: another APIv3 key (APIv3密钥), or "
            "the ciphertext, nonce or associated data was changed"
        ) from None


def _sm4_key(key: str | bytes) -> bytes:
    """The SM4 key: the first 16 bytes of the SM3 digest of the APIv3 key."""
    hashing = Hash(SM3())
    hashing.update(_bytes(key))
    return hashing.finalize()[:16]


def _secret(data: bytes) -> bytes:
    """The private number in PKCS#8 (version, algorithm, SEC 1 in an octet string) or in SEC 1 (1, the number, …)."""
    parts = list(der.children(data))
    if len(parts) > 2 and parts[1][0] == der.SEQUENCE and parts[2][0] == der.OCTET_STRING:
        parts = list(der.children(parts[2][1]))
    if len(parts) < 2 or parts[0] != (der.INTEGER, b"\x01") or parts[1][0] != der.OCTET_STRING:
        raise ValueError("it is damaged")
    secret = parts[1][1]
    if len(secret) > 32 or not any(secret):
        raise ValueError("it is damaged")
    return secret.rjust(32, b"\0")


def _spki(certificate: bytes) -> bytes:
    """The SPKI element of an X.509 certificate, as DER."""
    _, signed = next(der.children(certificate))
    # Skip what precedes it: the version (absent in version 1), the serial number, the algorithm, the issuer, the
    # validity and the subject.
    for _ in range(6 if signed[:1] == b"\xa0" else 5):
        _, _, signed = der.element(signed)
    _, _, after = der.element(signed)
    return signed[: len(signed) - len(after)]


def _point(spki: bytes) -> Sm2PublicKey:
    parts = list(der.children(spki))
    if len(parts) != 2 or not parts[0][1].endswith(_CURVE) or parts[1][0] != der.BIT_STRING:
        raise ValueError("it is on another curve")
    point = parts[1][1].removeprefix(b"\0")
    if len(point) != 65 or point[0] != 4 or not _sm2().verify_pk(_coordinates(point)):
        raise ValueError("it is not a point of the curve")
    return Sm2PublicKey(point)


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _coordinates(point: bytes) -> tuple[int, int]:
    return int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")


@cache
def _sm2() -> Any:
    """The library's SM2 with cryptography's SM3; the library's own SM3 takes 4.5 ms a KiB, too long for responses."""
    try:
        import gmalg  # type: ignore[import-untyped]  # it has no types
        from gmalg.sm2 import SM2Core  # type: ignore[import-untyped]  # likewise
    except ModuleNotFoundError:
        raise ConfigurationError("ShangMi (国密) needs the library gmalg: pip install 'wxpay-dsl[sm]'") from None
    hashing: Any = _Sm3()
    return SM2Core(gmalg.SM2()._core.ecdlp, hashing)  # noqa: SLF001 (the curve has no public name)


class _Sm3:
    """SM3 with the hash interface of the library."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._hash = Hash(SM3())

    def update(self, data: bytes) -> None:
        self._hash.update(bytes(data))

    def value(self) -> bytes:
        return self._hash.finalize()

    @staticmethod
    def hash_length() -> int:
        return 32
