"""WeChat Pay's own sandbox environments: one setting, their own key, and no call reaches production by accident."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from tests.wechat.loopback import APPID, MCHID, SECRET, Loopback, answering, signed, wechatpay
from wxpay_dsl import BadSignatureError, ConfigurationError, ReturnCodeError, Wechatpay
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

KEY = "797657811956e3c6ae1b6c5b9ee5cbd7"
ORDER = {"appid": APPID, "out_trade_no": "1217752501201407033233368018"}
PATHS = {
    "sandboxnew": ("/sandboxnew/pay/getsignkey", "/sandboxnew/pay/orderquery"),
    "apiv2sandbox": ("/xdc/apiv2getsignkey/sign/getsignkey", "/xdc/apiv2sandbox/pay/orderquery"),
}


def service(request: web.Request, body: bytes) -> bytes:
    """Returns the sandbox key to a request signed with the merchant's, and signs other responses with it."""
    fields = xml.loads(body)
    if request.path.endswith("getsignkey"):
        assert signing_v2.verify(fields, SECRET)
        # Like the real service: the response with the key is signed with the new key itself.
        return xml.dumps({"return_code": "SUCCESS", "return_msg": "ok", "sandbox_signkey": KEY})
    assert signing_v2.verify(fields, KEY)
    whole = {"return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": MCHID}
    return xml.dumps({**whole, "sign": signing_v2.sign(whole, KEY)})


def paths(loopback: Loopback) -> list[str]:
    return [path for _, path, _, _ in loopback.requests]


@pytest.mark.parametrize("name", PATHS)
async def test_calls_go_there_with_the_key_that_was_exchanged_once(name: str) -> None:
    async with answering(service) as loopback, wechatpay(loopback, v2_sandbox=name) as wxpay:
        responses = await asyncio.gather(*(wxpay.v2.pay.orderquery(ORDER) for _ in range(5)))
        assert all(response.data["mch_id"] == MCHID for response in responses)
        assert paths(loopback)[0] == PATHS[name][0]
        assert paths(loopback)[1:] == [PATHS[name][1]] * 5


async def test_a_refund_needs_no_client_certificate_there() -> None:
    async with answering(service) as loopback, wechatpay(loopback, v2_sandbox="sandboxnew") as wxpay:
        await wxpay.v2.secapi.pay.refund(ORDER, out_refund_no="1", total_fee=1, refund_fee=1)
        await wxpay.v2.sandboxnew.pay.refund(ORDER, out_refund_no="1", total_fee=1, refund_fee=1)
        assert paths(loopback)[1:] == ["/sandboxnew/pay/refund"] * 2


async def test_what_it_does_not_serve_is_refused_rather_than_done_for_real() -> None:
    async with answering(service) as loopback, wechatpay(loopback, v2_sandbox="sandboxnew") as wxpay:
        with pytest.raises(ConfigurationError, match="POST /mmpaymkttransfers/sendredpack: the sandbox environment"):
            await wxpay.v2.mmpaymkttransfers.sendredpack(validate=False)
        assert not loopback.requests


async def test_an_answer_signed_with_the_merchants_own_key_is_not_believed_there() -> None:
    def wrong(request: web.Request, body: bytes) -> bytes:
        return service(request, body) if request.path.endswith("getsignkey") else signed()

    async with answering(wrong) as loopback, wechatpay(loopback, v2_sandbox="apiv2sandbox") as wxpay:
        with pytest.raises(BadSignatureError):
            await wxpay.v2.pay.orderquery(ORDER)


async def test_a_key_that_cannot_be_had_is_the_calls_own_error() -> None:
    answers = iter([xml.dumps({"return_code": "FAIL", "return_msg": "获取沙箱密钥失败"})])

    def handler(request: web.Request, body: bytes) -> bytes:
        return next(answers, b"") or service(request, body)

    async with answering(handler) as loopback, wechatpay(loopback, v2_sandbox="sandboxnew") as wxpay:
        with pytest.raises(ReturnCodeError, match="getsignkey: 200 FAIL 获取沙箱密钥失败"):
            await wxpay.v2.pay.orderquery(ORDER)
        assert (await wxpay.v2.pay.orderquery(ORDER)).data["mch_id"] == MCHID


@pytest.mark.parametrize("settings", [{"v2_sandbox": "sandbox"}, {"v2_sandbox": "xdc"}])
def test_another_name_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="`v2_sandbox` is one of sandboxnew, apiv2sandbox"):
        Wechatpay(mchid=MCHID, apiv2_key=SECRET, **settings)


async def test_a_prefix_in_the_base_url_stays_in_front() -> None:
    async with answering(lambda request, body: b"") as loopback:
        wxpay = Wechatpay(mchid=MCHID, apiv2_key=SECRET, base_url=f"{loopback.url}/proxy", v2_sandbox="sandboxnew")
        async with wxpay:
            with pytest.raises(Exception, match="getsignkey"):
                await wxpay.v2.pay.orderquery(ORDER)
        assert paths(loopback) == ["/proxy/sandboxnew/pay/getsignkey"] * len(loopback.requests)
