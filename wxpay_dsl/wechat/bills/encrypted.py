"""Files that come encrypted: bills of sub-merchants (子商户资金账单) and of the payment score (支付分对账单).

The file's own key comes RSA-encrypted beside its address; the file is AES-256-GCM, or SM4-GCM, as bytes.

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
    """Decrypts a file while it comes; that it is unchanged is known at its end only."""

    def __init__(self, key: bytes, nonce: str) -> None:
        """``key`` of 32 bytes is AES-256's, of 16 bytes SM4's. Raises DecryptionError for others."""
        if len(key) not in (16, 32):
            raise DecryptionError(f"the key of the file is {len(key)} bytes; AES-256 has 32, SM4 16")
        try:
            self._context = Cipher(AES(key) if len(key) == 32 else SM4(key), GCM(nonce.encode())).decryptor()
        except ValueError:
            raise DecryptionError(f"the nonce of the file has {len(nonce)} characters; 8 to 128 are possible") from None
        self._held = b""

    def update(self, data: bytes) -> bytes:
        """The plaintext, but for the last bytes: they may be the tag."""
        data = self._held + data
        cut = max(0, len(data) - _TAG)
        self._held = data[cut:]
        return self._context.update(data[:cut])

    def finalize(self) -> bytes:
        """Raises FileDecodeError unless the file is as it was encrypted."""
        try:
            return self._context.finalize_with_tag(self._held)
        except (InvalidTag, ValueError):
            raise FileDecodeError("the encrypted file was changed or cut on its way, or its key is another's") from None


async def open_key(encrypt_key: str, decryptor: Decryptor) -> bytes:
    """The key of a file, from ``encrypt_key`` (base64). Raises DecryptionError."""
    try:
        return await decryptor.decrypt(a2b_base64(encrypt_key, strict_mode=True))
    except ValueError:
        raise DecryptionError("`encrypt_key` is not base64") from None
