"""What the front end needs to open the cashier (调起支付) or hand out a coupon, signed by the server.

Each function gives a new ``dict`` with the names that WeChat's JavaScript or app SDK expects, or a URL. The
``prepare_…`` ones give the same before it is signed, for keys that are elsewhere (HSM, KMS). ``timestamp``
(Unix seconds) and ``nonce`` are now and random unless given. All raise :class:`ValidationError` for an
argument that cannot be right.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from attrs import field, frozen

from wxpay_dsl.core.errors import Fault, ValidationError
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat import signing_v2, signing_v3
from wxpay_dsl.wechat.authorization import nonce as new_nonce

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = [
    "Unsigned",
    "app",
    "app_v2",
    "coupon_h5_url",
    "coupon_mini_program",
    "h5_url",
    "jsapi",
    "jsapi_v2",
    "mini_program",
    "mini_program_v2",
    "prepare_app",
    "prepare_jsapi",
]

#: Where a service of one's own, for tests, is called without TLS.
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COUPON_PAGE = "https://action.weixin.qq.com/busifavor/getcouponinfo"
#: What the plug-in knows of a coupon, and cannot do without.
_NEEDED = ("stock_id", "out_request_no")
_COUPON = (*_NEEDED, "coupon_code", "customize_send_time", "create_coupon_merchant")
#: The mini-program plug-in takes this many coupons at once.
_COUPON_LIMIT = 10


def _read_only(fields: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(fields))


@frozen
class Unsigned:
    """Parameters, the bytes to sign with the merchant's private key, and the signature's name."""

    fields: Mapping[str, str] = field(converter=_read_only)
    message: bytes
    signature_name: str

    def signed(self, signature: str) -> dict[str, str]:
        """The whole of the parameters. ``signature`` is SHA-256 with RSA over :attr:`message`, in base64."""
        return {**self.fields, self.signature_name: signature}


def prepare_jsapi(prepay_id: str, appid: str, *, timestamp: int | None = None, nonce: str | None = None) -> Unsigned:
    """:func:`jsapi` before it is signed."""
    _require(
        "pay_params.jsapi", prepay_id=_prepay_id_fault(prepay_id), appid=_text_fault(appid), **_own(timestamp, nonce)
    )
    fields = {
        "appId": appid,
        "timeStamp": _timestamp(timestamp),
        "nonceStr": nonce or new_nonce(),
        "package": f"prepay_id={prepay_id}",
        "signType": "RSA",
    }
    return Unsigned(fields, _lines(fields, "appId", "timeStamp", "nonceStr", "package"), "paySign")


def jsapi(
    prepay_id: str, appid: str, key: RSAPrivateKey, *, timestamp: int | None = None, nonce: str | None = None
) -> dict[str, str]:
    """APIv3 parameters of ``WeixinJSBridge``'s ``getBrandWCPayRequest`` (JSAPI调起支付).

    ``appid`` is the one the order was placed with (``sub_appid`` if it had that), ``key`` the merchant's
    private key. Names: ``appId timeStamp nonceStr package signType paySign``.

    https://pay.weixin.qq.com/doc/v3/merchant/4012365339
    """
    unsigned = prepare_jsapi(prepay_id, appid, timestamp=timestamp, nonce=nonce)
    return unsigned.signed(signing_v3.sign(unsigned.message, key))


#: APIv3 parameters of ``wx.requestPayment`` (小程序调起支付): the very same, where ``appId`` may stay in.
mini_program = jsapi


def prepare_app(
    prepay_id: str, appid: str, partnerid: str, *, timestamp: int | None = None, nonce: str | None = None
) -> Unsigned:
    """:func:`app` before it is signed."""
    fields = _app_fields("pay_params.app", prepay_id, appid, partnerid, timestamp=timestamp, nonce=nonce)
    return Unsigned(fields, _lines(fields, "appid", "timestamp", "noncestr", "prepayid"), "sign")


def app(
    prepay_id: str,
    appid: str,
    partnerid: str,
    key: RSAPrivateKey,
    *,
    timestamp: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """APIv3 parameters of the app SDK's ``PayReq`` (APP调起支付).

    ``partnerid`` is the merchant id (商户号; the sub-merchant's where the order is one's). Names:
    ``appid partnerid prepayid package noncestr timestamp sign``.

    https://pay.weixin.qq.com/doc/v3/merchant/4012365340
    """
    unsigned = prepare_app(prepay_id, appid, partnerid, timestamp=timestamp, nonce=nonce)
    return unsigned.signed(signing_v3.sign(unsigned.message, key))


def jsapi_v2(
    prepay_id: str,
    appid: str,
    secret: str | Secret,
    sign_type: str = signing_v2.MD5,
    *,
    timestamp: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """APIv2 parameters of JSAPI, signed with the APIv2 key (API密钥).

    ``sign_type`` must be the one of the order (统一下单).

    https://pay.weixin.qq.com/doc/v2/merchant/4011935213
    """
    secret = Secret.of(secret)  # masked before anything can raise: error trackers send the variables of each frame
    _require(
        "pay_params.jsapi_v2", prepay_id=_prepay_id_fault(prepay_id), appid=_text_fault(appid), **_own(timestamp, nonce)
    )
    fields = {
        "appId": appid,
        "timeStamp": _timestamp(timestamp),
        "nonceStr": nonce or new_nonce(),
        "package": f"prepay_id={prepay_id}",
        "signType": sign_type,
    }
    return {**fields, "paySign": signing_v2.sign(fields, secret, sign_type)}


#: APIv2 parameters of ``wx.requestPayment``: the very same.
mini_program_v2 = jsapi_v2


def app_v2(
    prepay_id: str,
    appid: str,
    partnerid: str,
    secret: str | Secret,
    sign_type: str = signing_v2.MD5,
    *,
    timestamp: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """APIv2 parameters of the app SDK, signed with the APIv2 key (API密钥).

    ``sign_type`` must be the one of the order (统一下单).

    https://pay.weixin.qq.com/doc/v2/merchant/4011937148
    """
    secret = Secret.of(secret)
    fields = _app_fields("pay_params.app_v2", prepay_id, appid, partnerid, timestamp=timestamp, nonce=nonce)
    return {**fields, "sign": signing_v2.sign(fields, secret, sign_type)}


def h5_url(url: str, redirect_url: str | None = None) -> str:
    """The page that opens WeChat from a browser (H5支付): ``h5_url`` of APIv3 or ``mweb_url`` of APIv2.

    ``redirect_url`` (absolute, unencoded) is where the user comes back to, paid or not: query the order
    there.

    https://pay.weixin.qq.com/wiki/doc/api/H5.php?chapter=15_4
    """
    _require(
        "pay_params.h5_url",
        url=_url_fault(url, "https"),
        redirect_url=None if redirect_url is None else _url_fault(redirect_url, "https", "http"),
    )
    if redirect_url is None:
        return url
    parts = urlsplit(url)
    if any(pair.startswith("redirect_url=") for pair in parts.query.split("&")):
        raise ValidationError("pay_params.h5_url", (Fault("url", "it has a redirect_url already"),))
    added = f"redirect_url={quote(redirect_url, safe='')}"
    return parts._replace(query=f"{parts.query}&{added}" if parts.query else added).geturl()


def coupon_mini_program(
    coupons: Sequence[Mapping[str, str]], send_coupon_merchant: str, secret: str | Secret
) -> dict[str, Any]:
    """Parameters of the coupon plug-in of mini programs (小程序发券插件).

    Signed with the APIv2 key (HMAC-SHA256). ``coupons`` are one to ten of ``stock_id`` (批次号),
    ``out_request_no`` (发券凭证) and, as the stock demands it, ``coupon_code``, ``customize_send_time``,
    ``create_coupon_merchant``. Names: ``send_coupon_params send_coupon_merchant sign``.

    https://pay.weixin.qq.com/doc/v3/merchant/4012285674
    """
    secret = Secret.of(secret)
    faults = {
        f"coupons.{index}.{name}": _text_fault(coupon.get(name))
        for index, coupon in enumerate(coupons)
        for name in _COUPON
        if name in _NEEDED or coupon.get(name)
    }
    faults |= {
        f"coupons.{index}": f"{name!r:.60} is none of {', '.join(_COUPON)}"
        for index, coupon in enumerate(coupons)
        for name in coupon
        if name not in _COUPON
    }
    amount = None if 0 < len(coupons) <= _COUPON_LIMIT else f"{len(coupons)} of them; 1 to {_COUPON_LIMIT} are possible"
    _require(
        "pay_params.coupon_mini_program",
        coupons=amount,
        send_coupon_merchant=_text_fault(send_coupon_merchant),
        **faults,
    )
    # Each field of each coupon is signed under its name and the coupon's index: stock_id0, stock_id1.
    flat = {f"{name}{index}": value for index, coupon in enumerate(coupons) for name, value in coupon.items()}
    flat["send_coupon_merchant"] = send_coupon_merchant
    return {
        "send_coupon_params": [dict(coupon) for coupon in coupons],
        "send_coupon_merchant": send_coupon_merchant,
        "sign": signing_v2.sign(flat, secret, signing_v2.HMAC_SHA256),
    }


def coupon_h5_url(
    stock_id: str,
    out_request_no: str,
    send_coupon_merchant: str,
    open_id: str,
    secret: str | Secret,
    *,
    coupon_code: str | None = None,
) -> str:
    """The page on which a user takes a business coupon (H5发券), signed with the APIv2 key (HMAC-SHA256).

    ``coupon_code`` only where the stock's codes are assigned by the merchant. Redirect the user to it within
    WeChat.

    https://pay.weixin.qq.com/doc/v3/merchant/4012285783
    """
    secret = Secret.of(secret)
    fields = {
        "stock_id": stock_id,
        "out_request_no": out_request_no,
        "send_coupon_merchant": send_coupon_merchant,
        "open_id": open_id,
    }
    if coupon_code:
        fields["coupon_code"] = coupon_code
    _require("pay_params.coupon_h5_url", **{name: _text_fault(value) for name, value in fields.items()})
    fields["sign"] = signing_v2.sign(fields, secret, signing_v2.HMAC_SHA256)
    # Without this fragment the page answers an error.
    return f"{_COUPON_PAGE}?{urlencode(fields, quote_via=quote)}#wechat_redirect"


def _app_fields(
    operation: str, prepay_id: str, appid: str, partnerid: str, *, timestamp: int | None, nonce: str | None
) -> dict[str, str]:
    _require(
        operation,
        prepay_id=_prepay_id_fault(prepay_id),
        appid=_text_fault(appid),
        partnerid=_text_fault(partnerid),
        **_own(timestamp, nonce),
    )
    return {
        "appid": appid,
        "partnerid": partnerid,
        "prepayid": prepay_id,
        "package": "Sign=WXPay",
        "noncestr": nonce or new_nonce(),
        "timestamp": _timestamp(timestamp),
    }


def _timestamp(seconds: int | None) -> str:
    # Text, as WeChat's SDKs take nothing else.
    return str(int(time.time()) if seconds is None else seconds)


def _lines(fields: Mapping[str, str], *names: str) -> bytes:
    return "".join(f"{fields[name]}\n" for name in names).encode()


def _require(operation: str, **faults: str | None) -> None:
    found = tuple(Fault(name, message) for name, message in faults.items() if message)
    if found:
        raise ValidationError(operation, found)


def _text_fault(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return "a text is needed here"
    if signing_v2.ambiguous(value):
        return "it has &…= in it, so that its signature would be that of other fields too: a forger's"
    return "it has white space or a line break in it" if any(map(str.isspace, value)) else None


def _own(timestamp: int | None, nonce: str | None) -> dict[str, str | None]:
    """The faults of what is made here unless it is given."""
    return {
        "timestamp": None if timestamp is None or type(timestamp) is int else "whole seconds are needed here",
        "nonce": None if not nonce else _text_fault(nonce),
    }


def _prepay_id_fault(value: object) -> str | None:
    if isinstance(value, str) and value.startswith("prepay_id="):
        return "give the bare id, without prepay_id="
    return _text_fault(value)


def _url_fault(url: str, *schemes: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "this is no URL"
    if parts.scheme in schemes and parts.netloc:
        return None
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return None
    return f"an absolute {' or '.join(schemes)} URL is needed here"
