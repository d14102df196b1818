"""Writes notifications (通知) as the service does: encrypted once for the merchant, signed for each attempt.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from wxpay_dsl.core.specs.model import Event as EventSpec
from wxpay_dsl.sandbox.domain.deliveries import Delivery
from wxpay_dsl.sandbox.keys.identity import Merchant
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.sandbox.protocol.examples import example
from wxpay_dsl.sandbox.protocol.examples_v2 import first_index
from wxpay_dsl.sandbox.state.state import Event
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.v2 import fields as fields_v2
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml
from wxpay_dsl.wechat.v3 import authorization

__all__ = ["example_event", "notice", "rendered"]

_CHINA: Final = timezone(timedelta(hours=8))
_ALGORITHM: Final = "AEAD_AES_256_GCM"
#: The fields of APIv2 with the time of an event, and their formats.
_TIMES: Final = {
    "time_end": "%Y%m%d%H%M%S",
    "vehicle_event_createtime": "%Y%m%d%H%M%S",
    "success_time": "%Y-%m-%d %H:%M:%S",
}
#: The fields of a refund notification outside its encrypted part (``req_info``).
_OUTSIDE: Final = ("appid", "mch_id", "sub_appid", "sub_mch_id")


def notice(event: Event, merchant: Merchant, now: float) -> Delivery:
    """The notification of an event that happened at ``now`` (Unix time in seconds), due at once."""
    if event.dialect == "v2":
        contents, sign_type = _v2(event, merchant, now)
        identity = str(uuid.uuid4())
    else:
        contents, sign_type = _v3(event, merchant, now), ""
        identity = contents["id"]
    return Delivery(
        event.mchid, event.notify_url, event.event_type, identity, event.dialect, contents, now, sign_type=sign_type
    )


def rendered(delivery: Delivery, merchant: Merchant, platform: Platform, now: int) -> tuple[dict[str, str], bytes]:
    """The headers and the body of an attempt at ``now`` (Unix time in seconds), signed with the current key."""
    if delivery.dialect == "v2":
        fields = {**delivery.contents, "nonce_str": authorization.nonce()}
        if delivery.sign_type:
            fields["sign"] = signing_v2.sign(fields, merchant.apiv2_key, delivery.sign_type)
        return {"Content-Type": "text/xml"}, xml.dumps(fields)
    body = json.dumps(delivery.contents, ensure_ascii=False, separators=(",", ":")).encode()
    pair = platform.signing_pair(platform.public_key.id if platform.mode != "certificate" else None)
    signature = platform.sign(pair, body, now)
    return {"Content-Type": "application/json", "Request-ID": f"{uuid.uuid4()}", **signature}, body


def example_event(spec: EventSpec, mchid: str, notify_url: str) -> Event:
    """An event with the spec's example data, for the merchant ``mchid``."""
    schema = spec.resource or spec.body
    made = dict(example(schema)) if schema is not None else {}
    for name in ("mchid", "sp_mchid", "mch_id", "combine_mchid", "combine_mch_id"):
        if name in made:
            made[name] = mchid
    if spec.dialect == "v2":
        made = {first_index(name): value for name, value in made.items() if name not in ("sign", "nonce_str")}
        # Receivers reject an old notification as a replay.
        now = datetime.now(_CHINA)
        made |= {name: f"{now:{form}}" for name, form in _TIMES.items() if name in made}
        if spec.resource is not None:
            made["mch_id"] = mchid
    return Event(
        mchid,
        spec.name,
        _original_type(spec.name) if spec.dialect == "v3" else "",
        made,
        notify_url,
        spec.summary,
        spec.dialect,
    )


def _original_type(name: str) -> str:
    """The ``original_type`` of the resource: of most events the first word of their type."""
    return name.partition(".")[0].lower()


def _v3(event: Event, merchant: Merchant, now: float) -> dict[str, Any]:
    nonce, kind = secrets.token_hex(6), event.original_type
    plaintext = json.dumps(event.resource, ensure_ascii=False, separators=(",", ":"))
    return {
        "id": str(uuid.uuid4()),
        "create_time": datetime.fromtimestamp(int(now), _CHINA).isoformat(),
        "resource_type": "encrypt-resource",
        "event_type": event.event_type,
        "summary": event.summary,
        "resource": {
            "original_type": kind,
            "algorithm": _ALGORITHM,
            "ciphertext": ciphers.aead_encrypt(plaintext, merchant.apiv3_key, nonce, kind),
            "associated_data": kind,
            "nonce": nonce,
        },
    }


def _v2(event: Event, merchant: Merchant, now: float) -> tuple[dict[str, str], str]:
    """The fields and the signature type, empty if it is not signed."""
    resource = event.resource
    kind = event.event_type.removeprefix("v2/")
    if kind == "refund-processed":
        return fields_v2.written(_refund(resource, merchant)), ""
    if "." in kind:
        return fields_v2.written(_score(kind, resource, merchant, now)), signing_v2.HMAC_SHA256
    return fields_v2.written(resource), str(resource.get("sign_type") or signing_v2.MD5)


def _refund(resource: Mapping[str, Any], merchant: Merchant) -> dict[str, Any]:
    inner = xml.dumps(fields_v2.written({name: value for name, value in resource.items() if name not in _OUTSIDE}))
    plaintext = b"<root>" + inner.removeprefix(b"<xml>").removesuffix(b"</xml>") + b"</root>"
    outer = {name: resource[name] for name in _OUTSIDE if name in resource}
    return {"return_code": "SUCCESS", **outer, "req_info": ciphers.ecb_encrypt(plaintext, merchant.apiv2_key)}


def _score(kind: str, resource: Mapping[str, Any], merchant: Merchant, now: float) -> dict[str, Any]:
    nonce, data = secrets.token_hex(6), "payscore"
    inner = {name: value for name, value in resource.items() if name != "mch_id"}
    time = datetime.fromtimestamp(int(now), _CHINA)
    return {
        "mch_id": merchant.mchid,
        "event_id": f"EV-{time:%Y%m%d%H%M%S}{secrets.randbelow(10**8):08d}",
        "event_create_time": f"{time:%Y%m%d%H%M%S}",
        "event_type": kind,
        "event_algorithm": _ALGORITHM,
        "event_nonce": nonce,
        "event_associated_data": data,
        "event_ciphertext": ciphers.aead_encrypt(
            json.dumps(inner, ensure_ascii=False), merchant.apiv3_key, nonce, data
        ),
        "algorithm": signing_v2.HMAC_SHA256,
    }
