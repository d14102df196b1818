"""Signed parameters that let a front end request a payment (调起支付): JSAPI, mini program, app, H5.

Each function returns a new ``dict`` with the names that WeChat's JavaScript or app SDK expects, or a URL. The
``prepare_…`` functions return the same before it is signed, for keys in an HSM or KMS. ``timestamp`` (Unix seconds)
defaults to now, ``nonce`` to a random text. All raise :class:`ValidationError` for an argument that cannot be right.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from attrs import field, frozen

from wxpay_dsl.core.errors import FieldError, ValidationError
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.authorization import nonce as new_nonce

from .arguments import optional_errors, prepay_id_error, require, text_error, url_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = [
    "Unsigned",
    "app",
    "app_v2",
    "h5_url",
    "jsapi",
    "jsapi_v2",
    "mini_program",
    "mini_program_v2",
    "prepare_app",
    "prepare_jsapi",
]


def _read_only(fields: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(fields))


@frozen
class Unsigned:
    """Parameters before they are signed."""

    fields: Mapping[str, str] = field(converter=_read_only)
    #: The bytes to sign with the merchant's private key: SHA-256 with RSA.
    message: bytes
    #: The name under which the parameters carry the signature.
    signature_name: str

    def signed(self, signature: str) -> dict[str, str]:
        """The complete parameters. ``signature`` is base64, made over :attr:`message`."""
        return {**self.fields, self.signature_name: signature}


def prepare_jsapi(prepay_id: str, appid: str, *, timestamp: int | None = None, nonce: str | None = None) -> Unsigned:
    """The parameters of :func:`jsapi` before they are signed."""
    require(
        "payment_params.jsapi",
        prepay_id=prepay_id_error(prepay_id),
        appid=text_error(appid),
        **optional_errors(timestamp, nonce),
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

    ``appid`` is the one that the order was placed with (``sub_appid`` if it had one), ``key`` the merchant's private
    key. Keys of the result: ``appId timeStamp nonceStr package signType paySign``.

    https://pay.weixin.qq.com/doc/v3/merchant/4012365339
    """
    unsigned = prepare_jsapi(prepay_id, appid, timestamp=timestamp, nonce=nonce)
    return unsigned.signed(signing_v3.sign(unsigned.message, key))


#: APIv3 parameters of ``wx.requestPayment`` (小程序调起支付): the same; it ignores ``appId``.
mini_program = jsapi


def prepare_app(
    prepay_id: str, appid: str, partnerid: str, *, timestamp: int | None = None, nonce: str | None = None
) -> Unsigned:
    """The parameters of :func:`app` before they are signed."""
    fields = _app_fields("payment_params.app", prepay_id, appid, partnerid, timestamp=timestamp, nonce=nonce)
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

    ``partnerid`` is the merchant id (商户号), of the sub-merchant if the order has one. Keys of the result:
    ``appid partnerid prepayid package noncestr timestamp sign``.

    https://pay.weixin.qq.com/doc/v3/merchant/4012365340
    """
    unsigned = prepare_app(prepay_id, appid, partnerid, timestamp=timestamp, nonce=nonce)
    return unsigned.signed(signing_v3.sign(unsigned.message, key))


def jsapi_v2(
    prepay_id: str,
    appid: str,
    apiv2_key: str | Secret,
    sign_type: str = signing_v2.MD5,
    *,
    timestamp: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """APIv2 parameters of JSAPI, signed with the APIv2 key (API密钥).

    ``sign_type`` must be the one of the order (统一下单).

    https://pay.weixin.qq.com/doc/v2/merchant/4011935213
    """
    # Masked before anything can raise: error trackers send the variables of each frame.
    apiv2_key = Secret.of(apiv2_key)
    require(
        "payment_params.jsapi_v2",
        prepay_id=prepay_id_error(prepay_id),
        appid=text_error(appid),
        **optional_errors(timestamp, nonce),
    )
    fields = {
        "appId": appid,
        "timeStamp": _timestamp(timestamp),
        "nonceStr": nonce or new_nonce(),
        "package": f"prepay_id={prepay_id}",
        "signType": sign_type,
    }
    return {**fields, "paySign": signing_v2.sign(fields, apiv2_key, sign_type)}


#: APIv2 parameters of ``wx.requestPayment``: the same.
mini_program_v2 = jsapi_v2


def app_v2(
    prepay_id: str,
    appid: str,
    partnerid: str,
    apiv2_key: str | Secret,
    sign_type: str = signing_v2.MD5,
    *,
    timestamp: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """APIv2 parameters of the app SDK, signed with the APIv2 key (API密钥).

    ``sign_type`` must be the one of the order (统一下单).

    https://pay.weixin.qq.com/doc/v2/merchant/4011937148
    """
    apiv2_key = Secret.of(apiv2_key)
    fields = _app_fields("payment_params.app_v2", prepay_id, appid, partnerid, timestamp=timestamp, nonce=nonce)
    return {**fields, "sign": signing_v2.sign(fields, apiv2_key, sign_type)}


def h5_url(url: str, redirect_url: str | None = None) -> str:
    """The URL of the page that opens WeChat from a browser (H5支付).

    ``url`` is the ``h5_url`` of APIv3 or the ``mweb_url`` of APIv2. The user returns to ``redirect_url`` (absolute,
    not yet percent-encoded), paid or not: query the order there.

    https://pay.weixin.qq.com/wiki/doc/api/H5.php?chapter=15_4
    """
    require(
        "payment_params.h5_url",
        url=url_error(url, "https"),
        redirect_url=None if redirect_url is None else url_error(redirect_url, "https", "http"),
    )
    if redirect_url is None:
        return url
    parts = urlsplit(url)
    if any(pair.startswith("redirect_url=") for pair in parts.query.split("&")):
        raise ValidationError("payment_params.h5_url", (FieldError("url", "has a redirect_url already"),))
    added = f"redirect_url={quote(redirect_url, safe='')}"
    return parts._replace(query=f"{parts.query}&{added}" if parts.query else added).geturl()


def _app_fields(
    operation: str, prepay_id: str, appid: str, partnerid: str, *, timestamp: int | None, nonce: str | None
) -> dict[str, str]:
    require(
        operation,
        prepay_id=prepay_id_error(prepay_id),
        appid=text_error(appid),
        partnerid=text_error(partnerid),
        **optional_errors(timestamp, nonce),
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
    # A string, because WeChat's SDKs accept nothing else.
    return str(int(time.time()) if seconds is None else seconds)


def _lines(fields: Mapping[str, str], *names: str) -> bytes:
    return "".join(f"{fields[name]}\n" for name in names).encode()
