"""Decrypts encrypted files: fund bills of sub-merchants (子商户资金账单) and bills of the payment score (支付分对账单).

The response that names a file also has the file's key, RSA-encrypted; the file is AES-256-GCM or SM4-GCM.

https://pay.weixin.qq.com/doc/v3/partner/4014314390
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

from wxpay_dsl.core.http.decoding import FileDecodeError
from wxpay_dsl.wechat.crypto.ciphers import DecryptionError
from wxpay_dsl.wechat.crypto.decryptor import Decryptor

__all__ = ["GcmStream", "open_key"]

_TAG: Final = 16


class GcmStream:
    """Decrypts a file piece by piece. Whether it is authentic is known only at its end."""

    def __init__(self, key: bytes, nonce: str) -> None:
        """``key``: 32 bytes for AES-256, 16 bytes for SM4. Raises DecryptionError for any other key or nonce."""
        if len(key) not in (16, 32):
            raise DecryptionError(f"the key of the file is {len(key)} bytes; AES-256 has 32, SM4 16")
        try:
            self._context = Cipher(AES(key) if len(key) == 32 else SM4(key), GCM(nonce.encode())).decryptor()
        except ValueError:
            raise DecryptionError(f"the nonce of the file has {len(nonce)} characters; it must have 8 to 128") from None
        self._held = b""

    def update(self, data: bytes) -> bytes:
        """The plaintext of ``data``, without its last 16 bytes, which may be the authentication tag."""
        data = self._held + data
        cut = max(0, len(data) - _TAG)
        self._held = data[cut:]
        return self._context.update(data[:cut])

    def finalize(self) -> bytes:
        """Verifies the authentication tag. Raises FileDecodeError if the file was changed or truncated."""
        try:
            return self._context.finalize_with_tag(self._held)
        except (InvalidTag, ValueError):
            raise FileDecodeError(
                "the encrypted file was changed or truncated in transit, or its key is wrong"
            ) from None


async def open_key(encrypt_key: str, decryptor: Decryptor) -> bytes:
    """Decrypts the key of a file (base64) with the merchant's private key. Raises DecryptionError."""
    try:
        return await decryptor.decrypt(a2b_base64(encrypt_key, strict_mode=True))
    except ValueError:
        raise DecryptionError("`encrypt_key` is not base64") from None
