"""The ciphers of WeChat Pay: AES-256-GCM and RSA of APIv3, AES-256-ECB of APIv2's refund notifications.

Ciphertexts are base64. Errors never show a key, a plaintext, or the detailed reason of a failed decryption.

https://pay.weixin.qq.com/docs/merchant/development/interface-rules/certificate-callback-decryption.html
"""

from __future__ import annotations

import hashlib
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA1

from wxpay_dsl.core.errors import ConfigurationError, SdkError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

__all__ = [
    "DecryptionError",
    "EncryptionError",
    "aead_decrypt",
    "aead_encrypt",
    "ecb_decrypt",
    "ecb_encrypt",
    "oaep_decrypt",
    "oaep_encrypt",
    "pkcs1_decrypt",
    "pkcs1_encrypt",
]

_OAEP = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - the protocol's choice
_OAEP_OVERHEAD = 2 * 20 + 2  # of SHA-1
_BLOCK_BITS = 128
_PKCS1 = PKCS1v15()
_PKCS1_OVERHEAD = 11


@frozen(str=False)
class DecryptionError(SdkError):
    """A ciphertext does not decrypt: it is damaged, forged, or encrypted for another key."""

    message: str

    def __str__(self) -> str:
        return self.message


@frozen(str=False)
class EncryptionError(SdkError):
    """A plaintext cannot be encrypted. Raised before anything is sent."""

    message: str

    def __str__(self) -> str:
        return self.message


def aead_encrypt(
    plaintext: str | bytes, key: str | bytes, nonce: str | bytes, associated_data: str | bytes | None
) -> str:
    """AEAD_AES_256_GCM: ciphertext and 16-byte tag, in base64.

    ``key`` is the APIv3 key (APIv3密钥) of 32 bytes; 16 and 24 are accepted. ``nonce`` is 12 bytes and must
    never repeat for the same key. Raises :class:`ConfigurationError` for another key length,
    :class:`EncryptionError` for an impossible nonce.
    """
    loaded = _gcm(key)
    del key  # error trackers send the variables of the frame that raises
    cipher, data = _checked(loaded), _plain(plaintext)
    try:
        encrypted = cipher.encrypt(_bytes(nonce), data, _bytes(associated_data or b""))
    except (ValueError, OverflowError):
        raise EncryptionError("AES-GCM: the nonce must be 8 to 128 bytes (WeChat Pay uses 12)") from None
    return _to_base64(encrypted)


def aead_decrypt(
    ciphertext: str, key: str | bytes | AESGCM, nonce: str | bytes, associated_data: str | bytes | None
) -> bytes:
    """The plaintext of :func:`aead_encrypt`, as in notifications (``resource``) and platform certificates.

    A key that is used often can be given as an :class:`AESGCM` object, which saves 1 µs.

    Raises :class:`ConfigurationError` for a key that is not 16, 24 or 32 bytes, and :class:`DecryptionError`
    otherwise: for invalid base64, and for an authentication tag that does not match, so for a wrong key, nonce or
    associated data.
    """
    loaded = _gcm(key)
    del key  # as above
    cipher = _checked(loaded)
    data = _from_base64(ciphertext, "AES-GCM")
    try:
        return cipher.decrypt(_bytes(nonce), data, _bytes(associated_data or b""))
    except (InvalidTag, ValueError):
        raise DecryptionError(
            "AES-GCM: cannot be decrypted: another APIv3 key (APIv3密钥), or "
            "the ciphertext, nonce or associated data was changed"
        ) from None


def oaep_encrypt(text: str, key: RSAPublicKey) -> str:
    """RSA-OAEP with SHA-1 (hash and MGF1), in base64: for a sensitive field (敏感信息) of a request.

    Raises :class:`EncryptionError` if ``text`` is longer, in UTF-8, than the key's size allows: 214 bytes for
    2048 bits.

    https://pay.weixin.qq.com/doc/v3/partner/4013059053
    """
    return _rsa_encrypt(text, key, _OAEP, "RSA-OAEP", _OAEP_OVERHEAD)


def oaep_decrypt(ciphertext: str, key: RSAPrivateKey) -> str:
    """The text of a sensitive field of a response. Raises :class:`DecryptionError`."""
    return _rsa_decrypt(ciphertext, key, _OAEP, "RSA-OAEP")


def pkcs1_encrypt(text: str, key: RSAPublicKey) -> str:
    """RSA with PKCS#1 v1.5 padding, in base64: for a sensitive field of ``/v3/global``.

    Raises :class:`EncryptionError` if ``text`` is longer, in UTF-8, than the key's size allows: 245 bytes for
    2048 bits.
    """
    return _rsa_encrypt(text, key, _PKCS1, "RSA PKCS#1 v1.5", _PKCS1_OVERHEAD)


def pkcs1_decrypt(ciphertext: str, key: RSAPrivateKey) -> str:
    """The text of a sensitive field of ``/v3/global``. Raises :class:`DecryptionError`.

    With OpenSSL 3.2 and later, which hides padding errors, a damaged ciphertext, or one for another key, may also yield
    a meaningless text.

    Use it only for ciphertexts from a body whose signature has been verified. This padding is vulnerable to
    Bleichenbacher's attack: an attacker who can submit ciphertexts and learns which of them decrypt, from an error or
    from timing, can decrypt and sign with the merchant's key.
    """
    return _rsa_decrypt(ciphertext, key, _PKCS1, "RSA PKCS#1 v1.5")


def ecb_encrypt(plaintext: str | bytes, key: str) -> str:
    """AES-256-ECB with PKCS#7 padding, in base64: ``req_info`` of APIv2 refund notifications (退款通知).

    ``key`` is the APIv2 key (API密钥); the cipher's key is its MD5 in lower-case hexadecimal. 16 bytes are
    padded to 32.
    """
    padder = block_padding.PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(AES(_ecb_key(key)), ECB()).encryptor()  # noqa: S305 - the protocol's choice
    data = padder.update(_plain(plaintext)) + padder.finalize()
    return _to_base64(encryptor.update(data) + encryptor.finalize())


def ecb_decrypt(ciphertext: str, key: str) -> bytes:
    """The plaintext of :func:`ecb_encrypt`. Raises :class:`DecryptionError`.

    ECB does not authenticate: treat the plaintext as unverified, and query the refund.
    """
    decryptor = Cipher(AES(_ecb_key(key)), ECB()).decryptor()  # noqa: S305 - the protocol's choice
    del key  # as above
    data = _from_base64(ciphertext, "AES-ECB")
    unpadder = block_padding.PKCS7(_BLOCK_BITS).unpadder()
    try:
        return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise DecryptionError(
            "AES-ECB: cannot be decrypted: another APIv2 key (API密钥), or a damaged ciphertext"
        ) from None


def _gcm(key: str | bytes | AESGCM) -> AESGCM | int:
    """The cipher of a key, or the length of an invalid key, so that the error is raised in a frame without the key."""
    if isinstance(key, AESGCM):
        return key
    data = _bytes(key)
    return AESGCM(data) if len(data) in (16, 24, 32) else len(data)


def _checked(loaded: AESGCM | int) -> AESGCM:
    if isinstance(loaded, int):
        raise ConfigurationError(f"the APIv3 key (APIv3密钥) is {loaded} bytes; it must be 32")
    return loaded


def _ecb_key(key: str) -> bytes:
    return hashlib.md5(key.encode(), usedforsecurity=False).hexdigest().encode("ascii")


def _rsa_encrypt(text: str, key: RSAPublicKey, padding: AsymmetricPadding, name: str, overhead: int) -> str:
    data = _plain(text)
    limit = key.key_size // 8 - overhead
    if len(data) > limit:
        raise EncryptionError(
            f"{name}: the text is {len(data)} bytes in UTF-8; a key of {key.key_size} bits takes {limit}"
        )
    return _to_base64(key.encrypt(data, padding))


def _rsa_decrypt(ciphertext: str, key: RSAPrivateKey, padding: AsymmetricPadding, name: str) -> str:
    # One message for every cause: attacks depend on telling wrong padding from wrong text.
    error = DecryptionError(f"{name}: cannot be decrypted: encrypted for another key, or a damaged ciphertext")
    try:
        return key.decrypt(a2b_base64(ciphertext, strict_mode=True), padding).decode()
    except ValueError:
        raise error from None


def _plain(text: str | bytes) -> bytes:
    try:
        return _bytes(text)
    except UnicodeEncodeError:
        # Not as the cause either: Python's error has the complete text.
        raise EncryptionError("the text contains a lone surrogate, which UTF-8 cannot encode") from None


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _to_base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _from_base64(text: str, name: str) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        raise DecryptionError(f"{name}: the ciphertext is not base64") from None
