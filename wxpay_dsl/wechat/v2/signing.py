"""APIv2 signatures: sorted fields, the APIv2 key at the end, MD5 or HMAC-SHA256; and WeCom's variant.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final, Literal

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ANSWERING",
    "HMAC_SHA256",
    "MD5",
    "WORKWX_RED_PACKET",
    "WORKWX_TRANSFER",
    "Field",
    "SignType",
    "ambiguous",
    "hidden_names",
    "sign",
    "verify",
    "workwx_sign",
]

#: What may be signed. No float, as money is an integer in fen; ``None`` is an empty value.
Field = str | int | None
SignType = Literal["MD5", "HMAC-SHA256"]

MD5: SignType = "MD5"
HMAC_SHA256: SignType = "HMAC-SHA256"

#: The fields that ``workwx_sign`` covers: red packets (企业红包), then transfers to employees (向员工付款).
#: https://developer.work.weixin.qq.com/document/path/90281
WORKWX_RED_PACKET = ("act_name", "mch_billno", "mch_id", "nonce_str", "re_openid", "total_amount", "wxappid")
WORKWX_TRANSFER = (
    "amount",
    "appid",
    "desc",
    "mch_id",
    "nonce_str",
    "openid",
    "partner_trade_no",
    "ww_msg_type",
)

#: Fields by which a signed message counts as a response or a notification.
ANSWERING: Final = frozenset({"return_code", "result_code", "vehicle_event_type", "event_ciphertext", "req_info"})

_NEXT_FIELD = re.compile("&([^&=]*)=")
#: Sign types by the number of hexadecimal digits: responses do not say their ``sign_type``.
_SIGN_TYPE_OF_LENGTH: dict[int, SignType] = {32: MD5, 64: HMAC_SHA256}


def sign(fields: Mapping[str, Field], key: str | Secret, sign_type: str = MD5) -> str:
    """The ``sign`` of ``fields``, in upper-case hexadecimal.

    Fields without a value, and ``sign`` itself, are left out. ``key`` is the APIv2 key (API密钥),
    ``sign_type`` ``"MD5"`` or ``"HMAC-SHA256"``.

    Raises :class:`ConfigurationError` for an empty key or another sign type, :class:`TypeError` for a value
    that is neither text nor integer, since its text here and its text on the wire could differ.
    """
    key = Secret.of(key)  # masked before anything can raise: error trackers send the variables of each frame
    return _digest(_joined_fields(fields, fields), "key", key, sign_type)


def verify(fields: Mapping[str, Field], key: str | Secret) -> bool:
    """Whether ``fields["sign"]`` is the signature of the others; its length tells the algorithm.

    False if there is none. Compared in constant time. Pass the values exactly as received: trimmed or converted
    values have another signature. Raises :class:`ConfigurationError` for an empty key.
    """
    key = Secret.of(key)
    given = fields.get("sign")
    sign_type = _SIGN_TYPE_OF_LENGTH.get(len(given)) if isinstance(given, str) else None
    if sign_type is None or not isinstance(given, str):
        return False
    try:
        return hmac.compare_digest(sign(fields, key, sign_type).encode(), given.encode())
    except UnicodeEncodeError:
        return False  # a lone surrogate has no bytes in UTF-8, so it was not signed


def ambiguous(value: str) -> bool:
    """Whether a value could be read as several fields: ``1&b=2`` for ``a`` signs the same message as two fields.

    Such a signature must not be handed out: the same key signs payment notifications, so whoever chose the value could
    use it to forge one.
    """
    return _NEXT_FIELD.search(value) is not None


def hidden_names(value: str) -> list[str]:
    """The names of the other fields that a value could be read as: ``["b"]`` for ``1&b=2``. See :func:`ambiguous`."""
    return _NEXT_FIELD.findall(value) if "&" in value else []


def workwx_sign(fields: Mapping[str, Field], names: Iterable[str], secret: str | Secret) -> str:
    """WeCom's ``workwx_sign`` (企业微信签名): MD5 over the fields in ``names``, with the app's secret last.

    ``names`` is :data:`WORKWX_RED_PACKET` or :data:`WORKWX_TRANSFER`. The ``sign`` of the request must be
    computed afterwards, since it covers ``workwx_sign``. Raises as :func:`sign` does.
    """
    secret = Secret.of(secret)
    return _digest(_joined_fields(fields, names), "secret", secret, MD5)


def _joined_fields(fields: Mapping[str, Field], names: Iterable[str]) -> str:
    # Sorting by code points, as Python does, is the same as sorting by bytes in UTF-8.
    texts = ((name, _text(name, fields.get(name))) for name in sorted(names) if name != "sign")
    return "&".join(f"{name}={text}" for name, text in texts if text)


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # of an enum member its value, where f"{member}" would give the member's name
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    raise TypeError(f"{name}: a field to sign is text or an integer, not {type(value).__name__}")


def _digest(joined: str, secret_name: str, secret: Secret, sign_type: str) -> str:
    if not secret:
        raise ConfigurationError(f"the APIv2 {secret_name} to sign with is empty")
    if sign_type not in (MD5, HMAC_SHA256):
        raise ConfigurationError(f"sign_type is {sign_type!r}; APIv2 has MD5 and HMAC-SHA256")
    # Encoded before the secret is added: an encoding error must not show the secret, in its text or in this frame.
    encoded = joined.encode()
    if sign_type == MD5:
        return hashlib.md5(_message(encoded, secret_name, secret), usedforsecurity=False).hexdigest().upper()
    return hmac.digest(secret.reveal().encode(), _message(encoded, secret_name, secret), "sha256").hex().upper()


def _message(encoded: bytes, secret_name: str, secret: Secret) -> bytes:
    return encoded + f"&{secret_name}={secret.reveal()}".encode()
