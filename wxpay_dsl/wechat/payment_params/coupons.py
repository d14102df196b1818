"""Signed parameters that hand out coupons: for the mini-program plug-in (小程序发券插件) and the page (H5发券).

Both are signed with the APIv2 key (HMAC-SHA256) and raise :class:`ValidationError` for arguments that cannot be right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat.v2 import signing as signing_v2

from .arguments import require, text_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["coupon_h5_url", "coupon_mini_program"]

_PAGE: Final = "https://action.weixin.qq.com/busifavor/getcouponinfo"
#: The fields of a coupon that the plug-in requires, and all that it knows.
_REQUIRED: Final = ("stock_id", "out_request_no")
_FIELDS: Final = (*_REQUIRED, "coupon_code", "customize_send_time", "create_coupon_merchant")
#: Number of coupons that the plug-in takes at once.
_LIMIT: Final = 10


def coupon_mini_program(
    coupons: Sequence[Mapping[str, str]], send_coupon_merchant: str, apiv2_key: str | Secret
) -> dict[str, Any]:
    """Parameters of the coupon plug-in of mini programs (小程序发券插件).

    ``coupons``: one to ten mappings with ``stock_id`` (批次号), ``out_request_no`` (发券凭证) and, if the stock demands
    it, ``coupon_code``, ``customize_send_time``, ``create_coupon_merchant``. Keys of the result:
    ``send_coupon_params send_coupon_merchant sign``.

    https://pay.weixin.qq.com/doc/v3/merchant/4012285674
    """
    apiv2_key = Secret.of(apiv2_key)
    field_errors = {
        f"coupons.{index}.{name}": text_error(coupon.get(name))
        for index, coupon in enumerate(coupons)
        for name in _FIELDS
        if name in _REQUIRED or coupon.get(name)
    }
    field_errors |= {
        f"coupons.{index}": f"{name!r:.60} is not one of {', '.join(_FIELDS)}"
        for index, coupon in enumerate(coupons)
        for name in coupon
        if name not in _FIELDS
    }
    amount = None if 0 < len(coupons) <= _LIMIT else f"{len(coupons)} coupons given; 1 to {_LIMIT} are possible"
    require(
        "payment_params.coupon_mini_program",
        coupons=amount,
        send_coupon_merchant=text_error(send_coupon_merchant),
        **field_errors,
    )
    # Each field of each coupon is signed under its name and the coupon's index: stock_id0, stock_id1.
    flat = {f"{name}{index}": value for index, coupon in enumerate(coupons) for name, value in coupon.items()}
    flat["send_coupon_merchant"] = send_coupon_merchant
    return {
        "send_coupon_params": [dict(coupon) for coupon in coupons],
        "send_coupon_merchant": send_coupon_merchant,
        "sign": signing_v2.sign(flat, apiv2_key, signing_v2.HMAC_SHA256),
    }


def coupon_h5_url(
    stock_id: str,
    out_request_no: str,
    send_coupon_merchant: str,
    open_id: str,
    apiv2_key: str | Secret,
    *,
    coupon_code: str | None = None,
) -> str:
    """The URL of the page on which a user accepts a business coupon (H5发券). Redirect the user to it within WeChat.

    Give ``coupon_code`` only if the merchant assigns the codes of the stock.

    https://pay.weixin.qq.com/doc/v3/merchant/4012285783
    """
    apiv2_key = Secret.of(apiv2_key)
    fields = {
        "stock_id": stock_id,
        "out_request_no": out_request_no,
        "send_coupon_merchant": send_coupon_merchant,
        "open_id": open_id,
    }
    if coupon_code:
        fields["coupon_code"] = coupon_code
    require("payment_params.coupon_h5_url", **{name: text_error(value) for name, value in fields.items()})
    fields["sign"] = signing_v2.sign(fields, apiv2_key, signing_v2.HMAC_SHA256)
    # Without this fragment the page shows an error.
    return f"{_PAGE}?{urlencode(fields, quote_via=quote)}#wechat_redirect"
