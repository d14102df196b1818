"""Signed payment parameters cannot be reused for another purpose by whoever chooses one of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.notify.conftest import Sender, make_sender
from wxpay_dsl import Notifications, ValidationError, Wechatpay
from wxpay_dsl.wechat.payment_params import signing as payment_params
from wxpay_dsl.wechat.payment_params.coupons import coupon_h5_url, coupon_mini_program
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

#: A value that ends its own field, says that an order was paid, and swallows what follows.
PAID = "x&mch_id=1900000109&out_trade_no=ORDER&result_code=SUCCESS&return_code=SUCCESS&total_fee=1&z=y"


@pytest.fixture(scope="module")
def sender() -> Sender:
    return make_sender()


def h5(value: str, sender: Sender, **more: str) -> Any:
    merchant = sender.merchant
    return coupon_h5_url("S1", value, merchant.mchid, "o1", merchant.apiv2_key, **more)


def plug_in(coupon: dict[str, str], sender: Sender) -> Any:
    merchant = sender.merchant
    return coupon_mini_program([coupon], merchant.mchid, merchant.apiv2_key)


async def test_a_notification_could_be_made_of_such_a_signature(sender: Sender) -> None:
    """Without the refusal below: the signature in a page is a payment's."""
    fields = {"coupon_code": PAID, "open_id": "o1", "out_request_no": "N1", "send_coupon_merchant": "1900000109"}
    fields["stock_id"] = "S1"
    signature = signing_v2.sign(fields, sender.merchant.apiv2_key, signing_v2.HMAC_SHA256)
    joined = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
    before, _, swallowed = joined.partition("&z=")
    forged = dict(pair.split("=", 1) for pair in before.split("&")) | {"z": swallowed, "sign": signature}
    notification = await Notifications(sender.merchant_keys, store="memory").parse({}, xml.dumps(forged))
    assert notification.type == "v2/transaction-success"
    assert notification.resource["out_trade_no"] == "ORDER"


MAKERS: dict[str, Callable[[str, Sender], Any]] = {
    "coupon page, request number": h5,
    "coupon page, code": lambda value, sender: h5("N1", sender, coupon_code=value),
    "coupon page, stock": lambda value, sender: coupon_h5_url(value, "N", "1", "o", sender.merchant.apiv2_key),
    "coupon page, openid": lambda value, sender: coupon_h5_url("S", "N", "1", value, sender.merchant.apiv2_key),
    "plug-in, request number": lambda value, sender: plug_in({"stock_id": "S", "out_request_no": value}, sender),
    "plug-in, code": lambda value, sender: plug_in(
        {"stock_id": "S", "out_request_no": "N", "coupon_code": value}, sender
    ),
    "plug-in, a name": lambda value, sender: plug_in({"stock_id": "S", "out_request_no": "N", value: "1"}, sender),
    "APIv2 JSAPI, prepay id": lambda value, sender: payment_params.jsapi_v2(value, "wx1", sender.merchant.apiv2_key),
    "APIv2 JSAPI, appid": lambda value, sender: payment_params.jsapi_v2("wx1", value, sender.merchant.apiv2_key),
    "APIv2 JSAPI, nonce": lambda value, sender: payment_params.jsapi_v2(
        "p", "wx1", sender.merchant.apiv2_key, nonce=value
    ),
    "APIv2 app, merchant": lambda value, sender: payment_params.app_v2("p", "wx1", value, sender.merchant.apiv2_key),
    "APIv2 app, nonce": lambda value, sender: payment_params.app_v2(
        "p", "wx1", "1", sender.merchant.apiv2_key, nonce=value
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_so_nobody_gets_one(name: str, sender: Sender) -> None:
    with pytest.raises(ValidationError, match=r"signature would be valid for forged fields too|is not one of"):
        MAKERS[name](PAID, sender)


@pytest.mark.parametrize("value", ["M&M", "a=b", "&", "=", "a&&b", "&x"])
def test_what_cannot_be_read_otherwise_is_signed(value: str, sender: Sender) -> None:
    assert not signing_v2.ambiguous(value)
    page = dict(parse_qsl(urlsplit(h5(value, sender)).query))
    assert signing_v2.verify(page, sender.merchant.apiv2_key)


async def test_nor_by_a_request(sender: Sender) -> None:
    """What is sent could come back as its own answer, in other fields."""
    async with Wechatpay(mchid="1900000109", apiv2_key=sender.merchant.apiv2_key) as wxpay:
        for value in (PAID, "x&return_code=SUCCESS", "x&event_ciphertext=A"):
            with pytest.raises(ValidationError, match=r"attach: it contains &\w+=,"):
                await wxpay.client.prepare(
                    wxpay.v2.pay.closeorder._target(), {"out_trade_no": "1", "attach": value}, {"validate": False}
                )
        given = {"out_trade_no": "1", "attach": "a=1&total_fee=2"}
        request = await wxpay.client.prepare(wxpay.v2.pay.closeorder._target(), given, {"validate": False})
        assert request.sections["body"]["attach"] == "a=1&total_fee=2"


async def test_nor_by_a_link_for_a_browser(sender: Sender) -> None:
    async with Wechatpay(mchid="1900000109", apiv2_key=sender.merchant.apiv2_key) as wxpay:
        contract: dict[str, Any] = {"appid": "wx8888888888888888", "plan_id": 12535}
        entrust = wxpay.v2.papay.entrustweb.get
        for account in (PAID, f"https://{PAID}"):
            with pytest.raises(ValidationError, match=r"query\.contract_display_account"):
                await wxpay.signed_url(entrust, contract_display_account=account, **contract)
        for address in (
            f"https://shop.example/back?user={PAID}",
            "https://shop.example/back?user=x&return_code=SUCCESS",
            "https://shop.example/back?user=x&vehicle_event_type=NORMAL",
            "https://shop.example/back?user=x&out_trade_no=ORDER",
        ):
            with pytest.raises(
                ValidationError, match=r"query\.notify_url: it.* would also be valid for (GET|POST|a forged response)"
            ):
                await wxpay.signed_url(entrust, contract_display_account="A", notify_url=address, **contract)
        address = "https://shop.example/back?a=1&b=2"
        url = await wxpay.signed_url(entrust, contract_display_account="M&M", notify_url=address, **contract)
    assert dict(parse_qsl(urlsplit(url).query))["notify_url"] == address


V3: dict[str, Callable[[str], Any]] = {
    "JSAPI, prepay id": lambda value: payment_params.prepare_jsapi(value, "wx1"),
    "JSAPI, appid": lambda value: payment_params.prepare_jsapi("p", value),
    "JSAPI, nonce": lambda value: payment_params.prepare_jsapi("p", "wx1", nonce=value),
    "JSAPI, timestamp": lambda value: payment_params.prepare_jsapi("p", "wx1", timestamp=value),  # type: ignore[arg-type]
    "app, prepay id": lambda value: payment_params.prepare_app(value, "wx1", "1"),
    "app, appid": lambda value: payment_params.prepare_app("p", value, "1"),
    "app, nonce": lambda value: payment_params.prepare_app("p", "wx1", "1", nonce=value),
    "app, timestamp": lambda value: payment_params.prepare_app("p", "wx1", "1", timestamp=value),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("value", ["POST\n/v3/transfer", "a\r\nb", "a\x85b", "a\u2028b", " ", ""], ids=ascii)
@pytest.mark.parametrize("name", V3)
def test_no_value_is_two_lines_of_what_is_signed_for_apiv3(name: str, value: str) -> None:
    """A request is signed by the same key, over five lines of which these could be made."""
    if name.endswith("nonce") and not value:
        return  # one is made
    with pytest.raises(ValidationError):
        V3[name](value)


async def test_a_page_of_a_coupon_stays_on_its_host(sender: Sender) -> None:
    url = urlsplit(h5("N#@evil.example/?", sender))
    assert (url.hostname, url.fragment) == ("action.weixin.qq.com", "wechat_redirect")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "data:text/html,x", "http://evil.example/x", "weixin://x", ""]
)
def test_the_page_that_opens_wechat_is_one(url: str) -> None:
    with pytest.raises(ValidationError):
        payment_params.h5_url(url)
    if url != "http://evil.example/x":  # a shop without TLS is its own affair
        with pytest.raises(ValidationError):
            payment_params.h5_url("https://wx.tenpay.com/x?a=1", url)
