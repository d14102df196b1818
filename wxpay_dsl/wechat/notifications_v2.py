"""Verifies and opens APIv2 notifications (支付结果通知, 退款结果通知 …): XML, signed in its field ``sign``.

The signature skips empty values and does not delimit fields. So empty values are dropped before anything is decided by
a field, and a value that could also be read as several fields that decide something is refused.

https://pay.weixin.qq.com/doc/v2/merchant/4011937123
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from json import JSONDecoder
from typing import Any, Final

from attrs import frozen

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

    ``schema_of(type)`` gives the shape of what it carries: APIv2 says of everything that it is text. Fields without a
    value are dropped: they are outside of every signature.

    ``signed`` is False for a refund (``req_info``), which has no signature and is believed because it decrypts; and for
    ``v2/unknown``: its signature is the merchant's key's, which also signs pages, links and requests.
    Raises BadSignatureError, NotificationDecryptionError, MalformedNotificationError; ConfigurationError where the
    recipient has no APIv2 key.
    """
    # No frame here keeps the key in a variable: error trackers send those of whatever raises, and anyone can make it.
    if not recipient.secret:
        raise ConfigurationError(f"`secret` (APIv2密钥) of {recipient.mchid} is needed for an APIv2 notification")
    fields = {name: value for name, value in fields.items() if value}
    if "req_info" not in fields or "sign" in fields:
        _verify(fields, recipient)
    kind, resource, identity = _shape(fields, recipient)
    resource.pop("sign", None)
    name = f"v2/{kind}"
    schema = schema_of(name)
    if "sign" in fields:
        _refuse_ambiguous(fields, schema)
    return Notification(
        identity,
        name,
        _time(resource) or _time(fields),
        fields_v2.read(schema, resource),
        recipient.mchid,
        family="v2",
        signed="sign" in fields and kind != _UNKNOWN,
        envelope=fields,
    )


def _verify(fields: Fields, recipient: Recipient) -> None:
    if signing_v2.verify(fields, recipient.secret or ""):
        return
    if "sign" not in fields:
        message = "it has no `sign`, so nobody vouches for it"
    else:
        message = (
            "`sign` is not that of these fields under the APIv2 key (APIv2密钥): is the key the one set on the "
            "merchant platform, and did the body arrive as it was sent?"
        )
    raise BadSignatureError(SUBJECT, message)


def _refuse_ambiguous(fields: Fields, schema: Schema | None) -> None:
    """Raises MalformedNotificationError for a value in which a field of this kind of notification may be hidden.

    ``sign`` is the same for ``a=1&b=2`` in one field and in two, so whoever has a true notification could move its
    ``trade_state`` into the value before it.
    """
    known = _DECISIVE if schema is None else _DECISIVE | schema.properties.keys()
    names = sorted(name for name in fields if name != "sign")
    for name, following in pairwise([*names, "\U0010ffff"]):
        for hidden in signing_v2.hidden_names(fields[name]):
            # A merchant may write any query string into `attach`; it can hide only what is sorted after it.
            if name == "attach" and not name < hidden < following:
                continue
            if name not in _DECISIVE and _is_json(fields[name]):
                continue  # sub_order_list, in which the merchant's own texts stand; nothing can be added to it
            if hidden in known or name in _DECISIVE:
                raise MalformedNotificationError(
                    f"the value of `{name[:40]}` has `&{hidden[:40]}=` in it, so that its signature would also be that "
                    f"of other fields: changed on the way? (query the order instead)"
                )


def _is_json(text: str) -> bool:
    try:
        return isinstance(_read_json(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _shape(fields: Fields, recipient: Recipient) -> tuple[str, dict[str, Any], str]:
    """The kind of notification, its resource, and its identity. None of ``fields`` is empty."""
    if "req_info" in fields:
        resource = _refund(fields["req_info"], recipient)
        parts = [resource.get("refund_id") or resource.get("out_refund_no", ""), resource.get("refund_status", "")]
        return "refund-processed", resource, _identity("refund-processed", parts, resource)
    if "event_ciphertext" in fields:
        resource = _sealed_event(fields, recipient)
        kind, number = fields.get("event_type", ""), fields.get("event_id", "")
        if not kind or not number:
            missing = "event_id" if kind else "event_type"
            raise MalformedNotificationError(f"a notification with `event_ciphertext` needs a signed `{missing}`")
        return kind, resource, _identity(kind, [number], fields)
    for shape in _SHAPES:
        if fields.keys() >= shape.required:
            kind = shape.kind if isinstance(shape.kind, str) else shape.kind(fields)
            return kind, dict(fields), _identity(kind, [fields.get(name, "") for name in shape.identity], fields)
    if not merchant_of(fields):
        # What is signed for a page (JSAPI, app, coupons) names none; notifications do.
        raise MalformedNotificationError("it names no merchant (`mch_id`), and is no notification that is known here")
    return _UNKNOWN, dict(fields), _identity(_UNKNOWN, [], fields)


def _payment(fields: Fields) -> str:
    """``transaction-success`` only for what was paid: of one that failed nothing may be booked."""
    state = fields.get("trade_state", "SUCCESS")
    succeeded = fields["return_code"] == fields["result_code"] == "SUCCESS"
    if not succeeded or state == "PAY_FAIL" or _STATE.fullmatch(state) is None:
        return "transaction-fail"
    return f"transaction-{state.lower().replace('_', '-')}"


def _combined(fields: Fields) -> str:
    succeeded = fields["return_code"] == fields["result_code"] == "SUCCESS"
    return f"combined-transactions-{'success' if succeeded else 'fail'}"


@frozen
class _Shape:
    """How a kind of signed notification is recognised; every name is of a field that is not empty."""

    kind: str | Callable[[Fields], str]
    #: The fields that it must have.
    required: frozenset[str]
    #: Those that tell it from others of its kind.
    identity: tuple[str, ...]


_UNKNOWN: Final = "unknown"
#: ``SUCCESS``, ``PAY_BACK`` …: one that is written otherwise is none of them.
_STATE: Final = re.compile("[A-Z][A-Z_]{0,31}")
_CODES: Final = frozenset({"return_code", "result_code"})
_SHAPES: Final = (
    _Shape(_combined, _CODES | {"combine_out_trade_no"}, ("combine_out_trade_no", "err_code")),
    _Shape(
        "vehicle-state-changed-for-parking",
        frozenset({"vehicle_event_type", "plate_number"}),
        ("sub_mch_id", "plate_number", "vehicle_event_type", "vehicle_event_createtime"),
    ),
    _Shape("contract-changed", _CODES | {"change_type", "contract_id"}, ("contract_id", "change_type", "operate_time")),
    _Shape(_payment, _CODES | {"out_trade_no"}, ("transaction_id", "out_trade_no", "err_code")),
)
#: By these it is told what happened, to what, for whom, and how much it is.
_DECISIVE: Final = frozenset(
    {"mch_id", "mchid", "combine_mch_id", "trade_state", "req_info", "openid", "contract_code", "plan_id"}
    | {"total_fee", "cash_fee", "settlement_total_fee"}
    | {"event_ciphertext", "event_type", "event_id", "event_nonce", "event_associated_data"}
    | frozenset(_TIMES).union(*(shape.required.union(shape.identity) for shape in _SHAPES))
)


def _identity(kind: str, parts: list[str], fields: Mapping[str, Any]) -> str:
    """An id that every delivery of one notification has, and no other one; made of signed ``fields`` alone."""
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
