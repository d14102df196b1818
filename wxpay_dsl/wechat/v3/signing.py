"""APIv3 signatures: the canonical message (签名串), signed with SHA-256 and RSA (PKCS#1 v1.5); verifies SM2 as well.

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

#: The start of deliberately wrong signatures, by which WeChat Pay probes whether merchants verify (签名探测流量).
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"

# Both are stateless; creating them for each signature would only cost time, twice a call.
_PADDING = PKCS1v15()
_HASH = SHA256()
# The two messages share no function for the same reason: each function call costs 0.4 µs.
_SHIFTED = "a line of the message to sign holds a line feed"
#: Length in base64 of a signature by a 16,384-bit key; anything longer is not decoded.
_SIGNATURE_LIMIT = 2732


def request_message(method: str, target: str, timestamp: int | str, nonce: str, body: bytes | str) -> bytes:
    """The bytes that the merchant signs: five lines, each terminated by a line feed.

    ``method`` is upper-case; ``target`` the raw path with ``?query``, exactly as it is sent; ``timestamp``
    Unix time in seconds; ``body`` exactly the bytes that are sent (of an upload, the part ``meta`` alone),
    empty for none.

    Raises :class:`ValueError` if a line feed in one of the first four would shift the lines.
    """
    params = f"{method}\n{target}\n{timestamp}\n{nonce}\n"
    if params.count("\n") != 4:
        raise ValueError(_SHIFTED)
    return b"".join((params.encode(), body.encode() if isinstance(body, str) else body, b"\n"))


def response_message(timestamp: int | str, nonce: str, body: bytes | str) -> bytes:
    """The bytes that WeChat Pay signs: ``Wechatpay-Timestamp``, ``Wechatpay-Nonce`` and the body as received.

    The same for responses and notifications. Raises :class:`ValueError` if one of the two headers contains a line feed:
    otherwise bytes could be moved between the headers and the body under the same signature.
    """
    params = f"{timestamp}\n{nonce}\n"
    if params.count("\n") != 2:
        raise ValueError(_SHIFTED)
    return b"".join((params.encode(), body.encode() if isinstance(body, str) else body, b"\n"))


def sign(message: bytes | str, key: RSAPrivateKey) -> str:
    """The signature over ``message``, in base64. Takes about 240 µs, during which the GIL is released."""
    data = message.encode() if isinstance(message, str) else message
    return b2a_base64(key.sign(data, _PADDING, _HASH), newline=False).decode("ascii")


def verify(message: bytes | str, signature: str, key: RSAPublicKey | Sm2PublicKey) -> bool:
    """Whether ``signature`` (base64) over ``message`` is by ``key``'s owner; the key's type selects the algorithm.

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
