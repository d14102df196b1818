"""Verifies the ``Authorization`` header of APIv3 over the exact bytes received, as the service does.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wxpay_dsl.sandbox.keys.identity import Merchant
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

from .messages import Call, Refusal

__all__ = ["CLOCK_WINDOW", "authenticate"]

#: Seconds that a request's timestamp may be away from the service's clock.
CLOCK_WINDOW: Final = 300
#: Bytes of the body that an error response repeats.
_SHOWN: Final = 8


def authenticate(
    call: Call,
    signed_body: bytes,
    merchants: Mapping[str, Merchant],
    now: float,
    scheme: str = authorization.RSA_SCHEME,
) -> Merchant:
    """Return the merchant that signed the call.

    ``signed_body``: the body, or the part ``meta`` of an upload. ``merchants``: by merchant id. ``now``: Unix time in
    seconds. ``scheme``: the only scheme accepted; brands (品牌直连) have their own, and ``merchants`` are brands then.

    Raises Refusal, unsigned as the service's own: 400 INVALID_REQUEST without Accept or User-Agent, 401 SIGN_ERROR
    for everything else.
    """
    if not call.headers.get("User-Agent") or not call.headers.get("Accept"):
        raise Refusal(400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent", signed=False)
    header = call.headers.get("Authorization", "")
    if header.partition(" ")[0].startswith("WECHATPAY") and not header.startswith(scheme + " "):
        raise _refusal("Http头Authorization认证类型不正确")
    try:
        given = authorization.parse(header)
    except authorization.AuthorizationError as error:
        detail = {"field": "authorization", "location": "header", "detail": {"issue": error.message}}
        raise _refusal("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》", detail) from None
    message = signing_v3.request_message(call.method, call.target, given.timestamp, given.nonce, signed_body)
    information = _sign_information(call, message, signed_body)
    if abs(now - given.timestamp) > CLOCK_WINDOW:
        text = "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
        raise _refusal(text, _detail("timestamp", "timestamp expired", information))
    merchant = merchants.get(given.mchid)
    if merchant is None:
        raise _refusal("商户号有误，请检查mchid", _detail("mchid", "mchid not exists", information))
    if given.serial.upper() != merchant.serial:
        text = "商户证书序列号有误。请使用签名私钥匹配的证书序列号"
        raise _refusal(text, _detail("serial_no", "serial_no not match", information))
    if not signing_v3.verify(message, given.signature, merchant.private_key.public_key()):
        raise _refusal("错误的签名，验签失败", _detail("signature", "sign not match", information))
    return merchant


def _refusal(message: str, detail: Mapping[str, Any] | None = None) -> Refusal:
    return Refusal(401, "SIGN_ERROR", message, detail, signed=False)


def _detail(name: str, issue: str, information: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "field": name,
        "location": "authorization",
        "detail": {"issue": issue},
        "sign_information": information,
    }


def _sign_information(call: Call, message: bytes, body: bytes) -> Mapping[str, Any]:
    """The message that the service verified, the body truncated, for the merchant to compare with its own."""
    head = message[: len(message) - len(body) - 1]
    shown = body[:_SHOWN].decode("utf-8", "ignore")
    return {
        "method": call.method,
        "url": call.target,
        "truncated_sign_message": f"{head.decode('utf-8', 'replace')}{shown}\n",
        "sign_message_length": len(message),
    }
