"""The APIv2 key and the WeCom secret are in no variable of a frame that raises: error trackers send those."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from tests.wechat.loopback import APPID, MCHID, SECRET, Answer, answering, signed, wechatpay
from wxpay_dsl import SdkError, Wechatpay
from wxpay_dsl.wechat.payment_params import signing as payment_params
from wxpay_dsl.wechat.payment_params.coupons import coupon_h5_url, coupon_mini_program
from wxpay_dsl.wechat.v2 import signing as signing_v2

AGENT = "agent-secret-of-wecom"
RED_PACKET = {"mch_billno": "1", "wxappid": APPID, "act_name": "x", "re_openid": "o", "total_amount": 100}


def frames_of(error: BaseException) -> str:
    """Every variable of every frame of this package, of the error and of those below it."""
    found = []
    below: BaseException | None = error
    while below is not None:
        report = traceback.TracebackException.from_exception(below, capture_locals=True)
        report.stack[:] = [frame for frame in report.stack if "/wxpay_dsl/" in frame.filename]
        found += report.format(chain=False)
        below = below.__cause__ or below.__context__
    shown = "".join(found)
    assert " = " in shown, "no frame of this package"
    return shown


def order(**changes: Any) -> dict[str, Any]:
    return {"appid": APPID, "out_trade_no": "1", **changes}


CALLS: dict[str, Callable[[Wechatpay], Awaitable[Any]]] = {
    "another merchant": lambda wxpay: wxpay.v2.pay.orderquery(order(mch_id="1900009999"), validate=False),
    "another merchant, undeclared": lambda wxpay: wxpay.v2.pay.something(order(mch_id="1900009999"), validate=False),
    "sign type": lambda wxpay: wxpay.v2.pay.orderquery(order(sign_type="SHA1"), validate=False),
    "sign type of a link": lambda wxpay: wxpay.signed_url(
        wxpay.v2.papay.entrustweb.get, order(sign_type="SHA1"), validate=False
    ),
    "merchant of a link": lambda wxpay: wxpay.signed_url(
        wxpay.v2.papay.entrustweb.get, order(mch_id="1900009999"), validate=False
    ),
    "merchant of a red packet": lambda wxpay: wxpay.v2.mmpaymkttransfers.sendworkwxredpack(
        {**RED_PACKET, "mch_id": "1900009999"}, validate=False
    ),
    "upload": lambda wxpay: wxpay.v2.secapi.mch.uploadmedia({"media": b"x", "mch_id": "1900009999"}, validate=False),
}
ANSWERS: dict[str, Answer | Callable[[], Answer]] = {
    "page": b"<html></html>",
    "nothing": b"",
    "half": signed()[:-20],
    "unsigned": b"<xml><return_code>SUCCESS</return_code></xml>",
    "changed": signed().replace(b"OK", b"KO"),
    "refused": signed(result_code="FAIL", err_code="ORDERNOTEXIST"),
    "down": lambda: web.Response(status=502, body=b"<xml></xml>"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_no_frame_of_a_call_that_is_refused_holds_them(name: str) -> None:
    async with answering(signed()) as loopback, wechatpay(loopback, wecom_secret=AGENT) as wxpay:
        with pytest.raises(SdkError) as caught:
            await CALLS[name](wxpay)
        assert loopback.requests == []
    shown = frames_of(caught.value)
    assert SECRET not in shown
    assert AGENT not in shown


@pytest.mark.parametrize("name", ANSWERS)
async def test_nor_does_that_of_an_answer_that_is_not_believed(name: str) -> None:
    def answer(request: web.Request, body: bytes) -> Answer:
        made = ANSWERS[name]
        return made() if callable(made) else made

    async with answering(answer) as loopback, wechatpay(loopback, wecom_secret=AGENT, retries=0) as wxpay:
        with pytest.raises(SdkError) as caught:
            await wxpay.v2.pay.orderquery(appid=APPID, out_trade_no="1")
    shown = frames_of(caught.value)
    assert SECRET not in shown
    assert AGENT not in shown


MAKERS: dict[str, Callable[[], Any]] = {
    "jsapi": lambda: payment_params.jsapi_v2("", APPID, SECRET),
    "jsapi, sign type": lambda: payment_params.jsapi_v2("p", APPID, SECRET, "SHA1"),
    "jsapi, half a character": lambda: payment_params.jsapi_v2("\ud800", APPID, SECRET),
    "app": lambda: payment_params.app_v2("p", "", MCHID, SECRET),
    "app, sign type": lambda: payment_params.app_v2("p", APPID, MCHID, SECRET, "SHA1"),
    "plug-in": lambda: coupon_mini_program([], MCHID, SECRET),
    "plug-in, no text": lambda: coupon_mini_program([{"stock_id": "1"}], MCHID, SECRET),
    "coupon page": lambda: coupon_h5_url("", "1", MCHID, "o", SECRET),
    "coupon page, half a character": lambda: coupon_h5_url("\ud800", "1", MCHID, "o", SECRET),
    "sign": lambda: signing_v2.sign({"a": 1.0}, SECRET),  # type: ignore[dict-item]
    "sign, type": lambda: signing_v2.sign({"a": "1"}, SECRET, "SHA1"),
    "sign, half a character": lambda: signing_v2.sign({"a": "\ud800"}, SECRET),
    "verify": lambda: signing_v2.verify({"a": 1.0, "sign": "0" * 32}, SECRET),  # type: ignore[dict-item]
    "workwx_sign": lambda: signing_v2.workwx_sign({"a": "\ud800"}, ["a"], SECRET),
}


@pytest.mark.parametrize("name", MAKERS)
def test_nor_does_one_that_signs_for_the_front_end(name: str) -> None:
    with pytest.raises((SdkError, TypeError, UnicodeEncodeError)) as caught:
        MAKERS[name]()
    assert SECRET not in frames_of(caught.value)
