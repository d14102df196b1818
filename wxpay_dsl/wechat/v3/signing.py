"""APIv3 signatures: the canonical message (签名串), and SHA-256 with RSA (PKCS#1 v1.5) over it; SM2 is verified too.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from wxpay_dsl.wechat.crypto.shangmi import Sm2PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

__all__ = ["PROBE_PREFIX", "request_message", "response_message", "sign", "verify"]

#: WeChat Pay now and then signs wrongly on purpose, to see whether merchants verify (签名探测流量).
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"

# Both are stateless descriptions; making them anew is pure cost on the one path every call takes twice.
_PADDING = PKCS1v15()
_HASH = SHA256()
# The two messages are written out for the same reason: each function that a call comes through costs it 0.4 µs.
_SHIFTED = "a line of the message to sign holds a line feed"
#: Base64 of the signature of a 16,384-bit key; nothing longer is worth decoding.
_SIGNATURE_LIMIT = 2732


def request_message(method: str, target: str, timestamp: int | str, nonce: str, body: bytes | str) -> bytes:
    """The bytes that the merchant signs: five lines, each ended by a line feed.

    ``method`` is upper-case; ``target`` the raw path with ``?query``, exactly as it is sent; ``timestamp``
    Unix time in seconds; ``body`` exactly the bytes that are sent (of an upload, the part ``meta`` alone),
    empty for none.

    Raises :class:`ValueError` if a line feed in one of the first four would shift the lines.
    """
    head = f"{method}\n{target}\n{timestamp}\n{nonce}\n"
    if head.count("\n") != 4:
        raise ValueError(_SHIFTED)
    return b"".join((head.encode(), body.encode() if isinstance(body, str) else body, b"\n"))


def response_message(timestamp: int | str, nonce: str, body: bytes | str) -> bytes:
    """The bytes that WeChat Pay signs: ``Wechatpay-Timestamp``, ``Wechatpay-Nonce`` and the body as received.

    The same for answers and notifications. Raises :class:`ValueError` if one of the two headers holds a line
    feed: what precedes the body could otherwise be moved into it, or out of it, under one signature.
    """
    head = f"{timestamp}\n{nonce}\n"
    if head.count("\n") != 2:
        raise ValueError(_SHIFTED)
    return b"".join((head.encode(), body.encode() if isinstance(body, str) else body, b"\n"))


def sign(message: bytes | str, key: RSAPrivateKey) -> str:
    """The signature over ``message``, in base64. Takes some 240 µs, during which other threads run."""
    data = message.encode() if isinstance(message, str) else message
    return b2a_base64(key.sign(data, _PADDING, _HASH), newline=False).decode("ascii")


def verify(message: bytes | str, signature: str, key: RSAPublicKey | Sm2PublicKey) -> bool:
    """Whether ``signature`` (base64) over ``message`` is by ``key``'s owner; the key says by which algorithm.

    False, never an exception, for malformed base64, and for :data:`PROBE_PREFIX`: probes must fail.
    """
    if signature.startswith(PROBE_PREFIX) or len(signature) > _SIGNATURE_LIMIT:
        return False
    data = message.encode() if isinstance(message, str) else message
    if isinstance(key, Sm2PublicKey):
        return key.verify(data, signature)
    try:
        key.verify(a2b_base64(signature, strict_mode=True), data, _PADDING, _HASH)
    except (InvalidSignature, ValueError):
        return False
    return True
