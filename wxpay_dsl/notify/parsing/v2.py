"""Verifies and decrypts APIv2 notifications (支付结果通知, 退款结果通知 …): XML, signed in its field ``sign``.

The signature skips empty values and does not delimit fields. Empty values are therefore dropped before any field is
evaluated, and a value that could also be read as several fields that matter is refused.

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
from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.notify.notification import (
    LIMIT,
    SUBJECT,
    MalformedNotificationError,
    Notification,
    NotificationDecryptionError,
)
from wxpay_dsl.wechat.crypto.ciphers import DecryptionError, aead_decrypt, ecb_decrypt
from wxpay_dsl.wechat.errors import BadSignatureError
from wxpay_dsl.wechat.merchant_keys import MerchantKeys
from wxpay_dsl.wechat.v2 import fields as fields_v2
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

from .v3 import no_constant

__all__ = ["merchant_of", "open_v2", "read_v2"]

Fields = Mapping[str, str]

#: Actual notifications have about 20 fields, with many coupons a few hundred.
_ELEMENT_LIMIT: Final = 2000
_CHINA: Final = timezone(timedelta(hours=8))
_TIMES: Final = ("time_end", "success_time", "event_create_time", "vehicle_event_createtime", "operate_time")
_FORMATS: Final = ("%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S")
_read_json: Final = JSONDecoder(parse_constant=no_constant).decode


def read_v2(body: bytes) -> dict[str, str]:
    """The fields of a body, not verified. Raises MalformedNotificationError."""
    try:
        return xml.loads(body, limit=LIMIT, element_limit=_ELEMENT_LIMIT)
    except xml.XmlError as error:
        raise MalformedNotificationError(str(error)) from None


def merchant_of(fields: Fields) -> str:
    """The merchant id (商户号) in the fields, or ``""``."""
    return fields.get("mch_id") or fields.get("mchid") or fields.get("combine_mch_id") or ""


def open_v2(
    fields: Fields, merchant_keys: MerchantKeys, schema_of: Callable[[str], Schema | None]
) -> Notification[dict[str, Any]]:
    """Verifies the signature of the fields, MD5 or HMAC-SHA256 by its length, and returns the notification.

    ``schema_of(type)`` returns the schema of the resource, by which the texts of APIv2 are converted. Fields without a
    value are dropped, because no signature covers them.

    ``signed`` is False for a refund (``req_info``), which has no signature and is accepted because it decrypts; and for
    ``v2/unknown``, because the merchant's key also signs pages, links and requests.
    Raises BadSignatureError, NotificationDecryptionError, MalformedNotificationError; ConfigurationError if
    ``merchant_keys`` has no APIv2 key.
    """
    # No variable holds the key: error trackers send the variables of each frame, and anyone can cause an error here.
    if not merchant_keys.apiv2_key:
        raise ConfigurationError(
            f"`apiv2_key` (APIv2密钥) of {merchant_keys.mchid} is needed for an APIv2 notification"
        )
    fields = {name: value for name, value in fields.items() if value}
    if "req_info" not in fields or "sign" in fields:
        _verify(fields, merchant_keys)
    kind, resource, identity = _shape(fields, merchant_keys)
    resource.pop("sign", None)
    name = f"v2/{kind}"
    schema = schema_of(name)
    if "sign" in fields:
        _refuse_ambiguous(fields, schema)
    return Notification(
        identity,
        name,
        # Outside of the ciphertext, an unsigned refund could have any date.
        _time(resource) or (_time(fields) if "sign" in fields else None),
        fields_v2.read(schema, resource),
        merchant_keys.mchid,
        dialect="v2",
        signed="sign" in fields and kind != _UNKNOWN,
        envelope=fields,
    )


def _verify(fields: Fields, merchant_keys: MerchantKeys) -> None:
    if signing_v2.verify(fields, merchant_keys.apiv2_key or ""):
        return
    if "sign" not in fields:
        message = "it has no `sign`, so nothing shows that it is WeChat Pay's"
    else:
        message = (
            "`sign` is not that of these fields under the APIv2 key (APIv2密钥): is the key the one set on the "
            "merchant platform, and did the body arrive as it was sent?"
        )
    raise BadSignatureError(SUBJECT, message)


def _refuse_ambiguous(fields: Fields, schema: Schema | None) -> None:
    """Raises MalformedNotificationError for a value in which a field of this kind of notification may be hidden.

    ``sign`` is the same for ``a=1&b=2`` in one field and in two, so an attacker who has a genuine notification could
    move its ``trade_state`` into the value before it.
    """
    names_of_kind = _DECISIVE if schema is None else _DECISIVE | schema.properties.keys()
    names = sorted(name for name in fields if name != "sign")
    for name, following in pairwise([*names, "\U0010ffff"]):
        for hidden in signing_v2.hidden_names(fields[name]):
            # A merchant may put any query string into `attach`, which can hide only fields that are sorted after it.
            if name == "attach" and not name < hidden < following:
                continue
            if name not in _DECISIVE and _is_json(fields[name]):
                continue  # sub_order_list, which contains texts of the merchant; nothing can be appended to JSON
            if hidden in names_of_kind or name in _DECISIVE:
                raise MalformedNotificationError(
                    f"the value of `{name[:40]}` contains `&{hidden[:40]}=`, so that other fields would have the "
                    f"same signature: was it changed on its way? Query the order instead"
                )


def _is_json(text: str) -> bool:
    try:
        return isinstance(_read_json(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _shape(fields: Fields, merchant_keys: MerchantKeys) -> tuple[str, dict[str, Any], str]:
    """The kind of notification, its resource, and its id. None of ``fields`` is empty."""
    if "req_info" in fields:
        resource = _refund(fields["req_info"], merchant_keys)
        parts = [resource.get("refund_id") or resource.get("out_refund_no", ""), resource.get("refund_status", "")]
        return "refund-processed", resource, _identity("refund-processed", parts, resource)
    if "event_ciphertext" in fields:
        resource = _encrypted_event(fields, merchant_keys)
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
        # Parameters that are signed for a page (JSAPI, app, coupons) name no merchant; notifications do.
        raise MalformedNotificationError("it names no merchant (`mch_id`), and is no known kind of notification")
    return _UNKNOWN, dict(fields), _identity(_UNKNOWN, [], fields)


def _payment(fields: Fields) -> str:
    """The kind of a payment's notification: ``transaction-success`` only if it was paid."""
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
    """How a kind of signed notification is recognised. Every name is that of a field that is not empty."""

    kind: str | Callable[[Fields], str]
    #: The fields that it must have.
    required: frozenset[str]
    #: The fields that distinguish it from others of its kind.
    identity: tuple[str, ...]


_UNKNOWN: Final = "unknown"
#: A state such as ``SUCCESS`` or ``PAY_BACK``.
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
#: The fields that determine what happened, to which order, for whom, and the amount.
_DECISIVE: Final = frozenset(
    {"mch_id", "mchid", "combine_mch_id", "trade_state", "req_info", "openid", "contract_code", "plan_id"}
    | {"total_fee", "cash_fee", "settlement_total_fee"}
    | {"event_ciphertext", "event_type", "event_id", "event_nonce", "event_associated_data"}
    | frozenset(_TIMES).union(*(shape.required.union(shape.identity) for shape in _SHAPES))
)


def _identity(kind: str, parts: list[str], fields: Mapping[str, Any]) -> str:
    """The id of a notification: the same in each of its deliveries, and derived from signed fields only."""
    if not any(parts):
        # Without distinguishing fields, use a digest of the content, except the nonce, which differs in each delivery.
        content = sorted((name, value) for name, value in fields.items() if name not in ("nonce_str", "sign"))
        parts = [hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()]
    return "/".join([kind, *parts]).rstrip("/")


def _refund(req_info: str, merchant_keys: MerchantKeys) -> dict[str, str]:
    try:
        plaintext = ecb_decrypt(req_info, merchant_keys.apiv2_key or "")
    except DecryptionError:
        raise NotificationDecryptionError(
            "the APIv2 key (APIv2密钥) does not decrypt `req_info`: is it another merchant's, or was it changed?"
        ) from None
    try:
        return xml.loads(plaintext, limit=LIMIT, element_limit=_ELEMENT_LIMIT, root="root")
    except xml.XmlError as error:
        raise MalformedNotificationError(f"the decrypted `req_info`: {error}") from None


def _encrypted_event(fields: Fields, merchant_keys: MerchantKeys) -> dict[str, Any]:
    """The resource of a WeChat Pay Score (微信支付分) event: APIv2 XML around a resource encrypted as in APIv3."""
    if merchant_keys.aead is None:
        raise ConfigurationError(
            f"`apiv3_key` (APIv3密钥) of {merchant_keys.mchid} is needed to decrypt `event_ciphertext`"
        )
    nonce, associated_data = fields.get("event_nonce", ""), fields.get("event_associated_data", "")
    try:
        plaintext = aead_decrypt(fields["event_ciphertext"], merchant_keys.aead, nonce, associated_data)
    except DecryptionError:
        raise NotificationDecryptionError(
            "the APIv3 key (APIv3密钥) does not decrypt `event_ciphertext`: another merchant's, or was it changed?"
        ) from None
    try:
        resource = _read_json(plaintext.decode())
    except (ValueError, RecursionError) as error:
        message = f"the decrypted `event_ciphertext` is not JSON ({type(error).__name__})"
        raise MalformedNotificationError(message) from None
    if not isinstance(resource, dict):
        raise MalformedNotificationError("the decrypted `event_ciphertext` is not a JSON object")
    return resource


def _time(fields: Mapping[str, Any]) -> datetime | None:
    for name in _TIMES:
        text = fields.get(name)
        for form in _FORMATS if isinstance(text, str) else ():
            try:
                return datetime.strptime(str(text), form).replace(tzinfo=_CHINA)
            except ValueError:
                continue
    return None
