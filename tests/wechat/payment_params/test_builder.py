"""Payment parameters from the response of an order on the sandbox, verified with the merchant's public key."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from wxpay_dsl import ConfigurationError, ValidationError, Wechatpay, qr
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v3 import signing as signing_v3

APPID = "wx8888888888888888"
ORDER = {"description": "茶", "notify_url": "https://www.weixin.qq.com/wxpay/pay.php"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def wxpay(sandbox: Sandbox) -> AsyncIterator[Wechatpay]:
    async with Wechatpay(**sandbox.credentials) as wxpay:
        yield wxpay


async def order(wxpay: Wechatpay, kind: str, **fields: Any) -> Any:
    given: dict[str, Any] = {**ORDER, "appid": APPID, "mchid": wxpay.settings.mchid, "out_trade_no": f"{kind}-1"}
    return await wxpay["v3"].pay.transactions[kind].post({**given, "amount": {"total": 100}, **fields})


def verified(sandbox: Sandbox, signature: str, *lines: str) -> bool:
    key = load_private_key(sandbox.credentials["private_key"]).public_key()
    return signing_v3.verify("".join(f"{line}\n" for line in lines).encode(), signature, key)


async def test_jsapi_takes_all_from_the_order(sandbox: Sandbox, wxpay: Wechatpay) -> None:
    response = await order(wxpay, "jsapi", payer={"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"})
    given = await wxpay.payment_params.jsapi(response)
    assert given["appId"] == APPID
    assert given["package"] == f"prepay_id={response.data['prepay_id']}"
    lines = (given["appId"], given["timeStamp"], given["nonceStr"], given["package"])
    assert verified(sandbox, given["paySign"], *lines)
    again = await wxpay.payment_params.mini_program(response.data, APPID)
    assert again["package"] == given["package"]
    assert again["nonceStr"] != given["nonceStr"]
    bare = await wxpay.payment_params.jsapi(response.data["prepay_id"], APPID)
    assert bare["package"] == given["package"]


async def test_app_is_paid_to_the_order_s_merchant(sandbox: Sandbox, wxpay: Wechatpay) -> None:
    response = await order(wxpay, "app")
    given = await wxpay.payment_params.app(response)
    assert given["partnerid"] == wxpay.settings.mchid
    assert verified(sandbox, given["sign"], APPID, given["timestamp"], given["noncestr"], response.data["prepay_id"])


@pytest.mark.parametrize(
    ("payer", "appid"), [("sp_openid", "wx1111111111111111"), ("sub_openid", "wx2222222222222222")]
)
async def test_of_a_service_provider_s_order_the_payer_tells_which_appid(
    payer: str, appid: str, wxpay: Wechatpay
) -> None:
    response = await wxpay.v3.pay.partner.transactions.jsapi.post(
        {
            **ORDER,
            "sp_appid": "wx1111111111111111",
            "sp_mchid": wxpay.settings.mchid,
            "sub_appid": "wx2222222222222222",
            "sub_mchid": "1900000110",
            "out_trade_no": "partner-1",
            "amount": {"total": 100},
            "payer": {payer: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        }
    )
    assert (await wxpay.payment_params.jsapi(response))["appId"] == appid


async def test_h5_and_native_are_links(wxpay: Wechatpay) -> None:
    scene = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
    h5 = await order(wxpay, "h5", scene_info=scene)
    link = wxpay.payment_params.h5(h5, "https://www.wechatpay.com.cn")
    assert link == h5.data["h5_url"] + "&redirect_url=https%3A%2F%2Fwww.wechatpay.com.cn"
    native = await order(wxpay, "native")
    assert wxpay.payment_params.native(native) == native.data["code_url"]


async def test_an_order_of_apiv2_is_signed_as_apiv2(sandbox: Sandbox, wxpay: Wechatpay) -> None:
    response = await wxpay.v2.pay.unifiedorder(
        appid=APPID,
        body="茶",
        out_trade_no="v2-1",
        total_fee=100,
        spbill_create_ip="127.0.0.1",
        notify_url=ORDER["notify_url"],
        trade_type="JSAPI",
        openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        sign_type="HMAC-SHA256",
    )
    given = await wxpay.payment_params.jsapi(response)
    assert given["signType"] == "HMAC-SHA256"
    signed = {name: value for name, value in given.items() if name != "paySign"}
    secret = sandbox.credentials["apiv2_key"]
    assert given["paySign"] == signing_v2.sign(signed, secret, "HMAC-SHA256")
    app = await wxpay.payment_params.app(response)
    assert app["partnerid"] == wxpay.settings.mchid


async def test_what_is_missing_is_named(wxpay: Wechatpay) -> None:
    response = await order(wxpay, "native")
    with pytest.raises(ValidationError, match="prepay_id: missing in the response"):
        await wxpay.payment_params.jsapi(response)
    with pytest.raises(ValidationError, match="appid: give the one that the order was placed with"):
        await wxpay.payment_params.jsapi("wx201410272009395522657a690389285100")
    with pytest.raises(ValidationError, match="h5_url"):
        wxpay.payment_params.h5({})


CODE = "weixin://wxpay/bizpayurl?pr=NwY5Mz9&groupid=00"


def test_a_code_in_the_terminal_is_square_and_has_its_three_corners() -> None:
    lines = qr.terminal(CODE).splitlines()
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert len({len(line) for line in plain}) == 1
    assert abs(len(plain) * 2 - len(plain[0])) <= 1


def test_a_code_is_a_picture() -> None:
    assert qr.svg(CODE).startswith("<svg")
    data = qr.png(CODE, scale=4)
    width, height = struct.unpack(">II", data[16:24])
    assert data.startswith(b"\x89PNG")
    assert width == height
    assert width % 4 == 0


async def test_a_code_is_drawn_of_the_reply(wxpay: Wechatpay) -> None:
    response = await order(wxpay, "native")
    assert qr.svg(response) == qr.svg(response.data) == qr.svg(response.data["code_url"])


@pytest.mark.parametrize("code", ["", {}, 5, "a\nb", "x" * 600], ids=str)
def test_what_is_no_link_is_not_drawn(code: Any) -> None:
    with pytest.raises(ValidationError, match="code_url"):
        qr.terminal(code)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'wxpay-dsl\[qr\]'"):
        qr.png(CODE)
