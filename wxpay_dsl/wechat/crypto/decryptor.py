"""Decryption with the merchant's private key (敏感信息解密): the protocol, and the decryptor with a key in memory.

https://pay.weixin.qq.com/doc/v3/partner/4013059053
"""

from __future__ import annotations

from typing import Final, Literal, Protocol, runtime_checkable

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1

from .ciphers import DecryptionError

__all__ = ["Decryptor", "LocalDecryptor", "Padding", "undecryptable"]

#: ``oaep`` is RSA-OAEP with SHA-1 for hash and MGF1; ``pkcs1``, PKCS#1 v1.5, is what ``/v3/global`` uses.
Padding = Literal["oaep", "pkcs1"]

_PADDINGS: Final = {
    "oaep": OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None),  # noqa: S303 (the protocol's choice)
    "pkcs1": PKCS1v15(),
}


@runtime_checkable
class Decryptor(Protocol):
    """Decrypts with the merchant's private key. Asynchronous, so that the key may live in an HSM or a KMS."""

    async def decrypt(self, ciphertext: bytes, padding: Padding = "oaep") -> bytes:
        """The plaintext of one RSA block. Raises DecryptionError."""


@frozen
class LocalDecryptor:
    """Decrypts with a private key in memory (250 µs for RSA-2048)."""

    private_key: RSAPrivateKey = field(repr=False)

    async def decrypt(self, ciphertext: bytes, padding: Padding = "oaep") -> bytes:
        """The plaintext of one RSA block. Raises DecryptionError."""
        return self.decrypt_now(ciphertext, padding)

    def decrypt_now(self, ciphertext: bytes, padding: Padding = "oaep") -> bytes:
        """The synchronous form of :meth:`decrypt`, for use in a thread."""
        try:
            return self.private_key.decrypt(ciphertext, _PADDINGS[padding])
        except ValueError:
            raise undecryptable(padding) from None

    def __reduce__(self) -> str:
        raise TypeError("a decryptor holds a private key and is never pickled")


def undecryptable(padding: Padding) -> DecryptionError:
    """The error of every failed decryption, whatever its cause: attacks depend on telling the causes apart."""
    name = "RSA-OAEP" if padding == "oaep" else "RSA PKCS#1 v1.5"
    return DecryptionError(f"{name}: cannot be decrypted: encrypted for another key, or a damaged ciphertext")
