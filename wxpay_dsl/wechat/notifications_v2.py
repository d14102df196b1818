"""Verifies and opens APIv2 notifications (支付结果通知, 退款结果通知 …): XML, whose field ``sign`` vouches for it.

https://pay.weixin.qq.com/doc/v2/merchant/4011937123
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from json import JSONDecoder
from typing import Any, Final

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.model import Schema

from . import fields_v2, signing_v2, xml
from .ciphers import DecryptionError, aead_decrypt, ecb_decrypt
from .errors import BadSignatureError
from .notification import (
    LIMIT,
    SUBJECT,
    MalformedNotificationError,
    Notification,
    NotificationDecryptionError,
)
from .notifications_v3 import no_constant
from .recipient import Recipient

__all__ = ["merchant_of", "open_v2", "read_v2"]

Fields = Mapping[str, str]

#: Real ones have some twenty fields, with many coupons a few hundred.
_ELEMENT_LIMIT: Final = 2000
_CHINA: Final = timezone(timedelta(hours=8))
_TIMES: Final = ("time_end", "success_time", "event_create_time", "vehicle_event_createtime", "operate_time")
_FORMATS: Final = ("%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S")
_read_json: Final = JSONDecoder(parse_constant=no_constant).decode


def read_v2(body: bytes) -> dict[str, str]:
    """The fields of a body, nothing of them verified. Raises MalformedNotificationError."""
    try:
        return xml.loads(body, limit=LIMIT, element_limit=_ELEMENT_LIMIT)
    except xml.XmlError as error:
        raise MalformedNotificationError(str(error)) from None


def merchant_of(fields: Fields) -> str:
    """The merchant (商户号) that the fields name; nothing where they name none."""
    return fields.get("mch_id") or fields.get("mchid") or fields.get("combine_mch_id") or ""


def open_v2(
    fields: Fields, recipient: Recipient, schema_of: Callable[[str], Schema | None]
) -> Notification[dict[str, Any]]:
    """The notification in these fields, its signature verified: MD5 or HMAC-SHA256, as its length tells.

    ``schema_of(type)`` gives the shape of what it carries: APIv2 says of everything that it is text.

    A refund (``req_info``) has no signature; that it decrypts is all that speaks for it, and ``signed`` is False.
    Raises BadSignatureError, NotificationDecryptionError, MalformedNotificationError; ConfigurationError where the
    recipient has no APIv2 key.
    """
    # No frame here keeps the key in a variable: error trackers send those of whatever raises, and anyone can make it.
    if not recipient.secret:
        raise ConfigurationError(f"`secret` (APIv2密钥) of {recipient.mchid} is needed for an APIv2 notification")
    sealed = "req_info" in fields
    if not sealed or "sign" in fields:
        _verify(fields, recipient)
    kind, resource, identity = _shape(fields, recipient)
    resource.pop("sign", None)
    name = f"v2/{kind}"
    return Notification(
        identity,
        name,
        _time(resource) or _time(fields),
        fields_v2.read(schema_of(name), resource),
        recipient.mchid,
        family="v2",
        signed="sign" in fields,
        envelope=fields,
    )


def _verify(fields: Fields, recipient: Recipient) -> None:
    if signing_v2.verify(fields, recipient.secret or ""):
        return
    if not fields.get("sign"):
        message = "it has no `sign`, so nobody vouches for it"
    else:
        message = (
            "`sign` is not that of these fields under the APIv2 key (APIv2密钥): is the key the one set on the "
            "merchant platform, and did the body arrive as it was sent?"
        )
    raise BadSignatureError(SUBJECT, message)


def _shape(fields: Fields, recipient: Recipient) -> tuple[str, dict[str, Any], str]:
    """The kind of notification, its resource, and its identity."""
    if "req_info" in fields:
        resource = _refund(fields["req_info"], recipient)
        parts = [resource.get("refund_id") or resource.get("out_refund_no", ""), resource.get("refund_status", "")]
        return "refund-processed", resource, _identity("refund-processed", parts, resource)
    if "event_ciphertext" in fields:
        kind = fields.get("event_type", "")
        resource = _sealed_event(fields, recipient)
        return kind, resource, _identity(kind, [fields.get("event_id", "")], fields)
    for telling, named, names in _KINDS:
        if telling in fields:
            kind = named if isinstance(named, str) else named(fields)
            return kind, dict(fields), _identity(kind, [fields.get(name, "") for name in names], fields)
    return "unknown", dict(fields), _identity("unknown", [""], fields)


def _payment(fields: Fields) -> str:
    """``transaction-success`` only for what was paid: of one that failed nothing may be booked."""
    state = fields.get("trade_state", "SUCCESS")
    if fields.get("result_code") != "SUCCESS" or state == "PAY_FAIL":
        return "transaction-fail"
    return f"transaction-{state.lower().replace('_', '-')}"


def _combined(fields: Fields) -> str:
    return f"combined-transactions-{'success' if fields.get('result_code') == 'SUCCESS' else 'fail'}"


#: By which field a signed notification is known, its name, and the fields that tell it from others of its kind.
_KINDS: Final[tuple[tuple[str, str | Callable[[Fields], str], tuple[str, ...]], ...]] = (
    ("combine_out_trade_no", _combined, ("combine_out_trade_no", "err_code")),
    (
        "vehicle_event_type",
        "vehicle-state-changed-for-parking",
        ("sub_mch_id", "plate_number", "vehicle_event_type", "vehicle_event_createtime"),
    ),
    ("change_type", "contract-changed", ("contract_id", "change_type", "operate_time")),
    ("out_trade_no", _payment, ("transaction_id", "out_trade_no", "err_code")),
)


def _identity(kind: str, parts: list[str], fields: Mapping[str, Any]) -> str:
    """An id that every delivery of one notification has, and no other one."""
    if not any(parts):
        # Without the numbers that would tell it apart, its content does; the nonce is another in each delivery.
        content = sorted((name, value) for name, value in fields.items() if name not in ("nonce_str", "sign"))
        parts = [hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()]
    return "/".join([kind, *parts]).rstrip("/")


def _refund(req_info: str, recipient: Recipient) -> dict[str, str]:
    try:
        plaintext = ecb_decrypt(req_info, recipient.secret or "")
    except DecryptionError:
        raise NotificationDecryptionError(
            "`req_info` does not open with the APIv2 key (APIv2密钥): another merchant's, or was it changed?"
        ) from None
    try:
        return xml.loads(plaintext, limit=LIMIT, element_limit=_ELEMENT_LIMIT, root="root")
    except xml.XmlError as error:
        raise MalformedNotificationError(f"the decrypted `req_info`: {error}") from None


def _sealed_event(fields: Fields, recipient: Recipient) -> dict[str, Any]:
    """WeChat Pay Score's (微信支付分) events: APIv2's XML around a resource that is encrypted as APIv3's are."""
    if recipient.aead is None:
        raise ConfigurationError(f"`apiv3_key` (APIv3密钥) of {recipient.mchid} is needed to open `event_ciphertext`")
    nonce, associated_data = fields.get("event_nonce", ""), fields.get("event_associated_data", "")
    try:
        plaintext = aead_decrypt(fields["event_ciphertext"], recipient.aead, nonce, associated_data)
    except DecryptionError:
        raise NotificationDecryptionError(
            "`event_ciphertext` does not open with the APIv3 key (APIv3密钥): another merchant's, or was it changed?"
        ) from None
    try:
        found = _read_json(plaintext.decode())
    except (ValueError, RecursionError) as error:
        message = f"the decrypted `event_ciphertext` is not JSON ({type(error).__name__})"
        raise MalformedNotificationError(message) from None
    if not isinstance(found, dict):
        raise MalformedNotificationError("the decrypted `event_ciphertext` is no JSON object")
    return found


def _time(fields: Mapping[str, Any]) -> datetime | None:
    for name in _TIMES:
        text = fields.get(name)
        for form in _FORMATS if isinstance(text, str) else ():
            try:
                return datetime.strptime(str(text), form).replace(tzinfo=_CHINA)
            except ValueError:
                continue
    return None
