"""``timeout=`` bounds a whole call, including what must be fetched before it can be sent."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from tests.wechat.loopback import APPID, SECRET
from tests.wechat.loopback import MCHID as MCHID_V2
from tests.wechat.platform_server import Platform, cert, serving, wechatpay
from wxpay_dsl import RequestTimeoutError, Wechatpay
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

RECEIVER = {"appid": APPID, "type": "PERSONAL_OPENID", "account": "o1", "name": "张三丰", "relation_type": "USER"}
ORDER = {"appid": APPID, "out_trade_no": "1217752501201407033233368018"}
#: Seconds that a fetch takes: longer than any test may.
FOREVER = 120.0


async def ends_in_time(call: Any) -> RequestTimeoutError:
    begun = monotonic()
    with pytest.raises(RequestTimeoutError) as raised:
        await call
    assert monotonic() - begun < FOREVER / 2
    assert not raised.value.outcome_unknown
    return raised.value


async def test_of_platform_certificates_that_a_field_is_encrypted_for() -> None:
    platform = Platform(signing=cert(1), slow=FOREVER)
    async with serving(platform), wechatpay(platform) as wxpay:
        error = await ends_in_time(wxpay.v3.profitsharing.receivers.add.post(RECEIVER, timeout=0.3))
        assert str(error).startswith("POST /v3/profitsharing/receivers/add: not ready to be sent within 0.3 s")
        assert (platform.downloads, platform.calls) == (1, 0)


async def test_whoever_has_more_time_waits_for_the_same_download() -> None:
    platform = Platform(signing=cert(1), slow=1.0)
    async with serving(platform), wechatpay(platform) as wxpay:
        patient = asyncio.create_task(wxpay.v3.profitsharing.receivers.add.post(RECEIVER, validate=False))
        await ends_in_time(wxpay.v3.profitsharing.receivers.add.post(RECEIVER, timeout=0.2))
        assert (await patient).status == 200
    assert (platform.downloads, platform.calls) == (1, 1)


async def test_of_the_key_of_a_sandbox_environment() -> None:
    async def service(request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(FOREVER)
        return web.Response()

    platform = Platform(answer=service)
    async with (
        serving(platform),
        Wechatpay(mchid=MCHID_V2, apiv2_key=SECRET, v2_sandbox="sandboxnew", base_url=platform.url) as wxpay,
    ):
        error = await ends_in_time(wxpay.v2.pay.orderquery(ORDER, timeout=0.3))
        assert "not ready to be sent within 0.3 s" in str(error)
    assert [line for line, _, _ in platform.requests] == ["POST /sandboxnew/pay/getsignkey"]


async def test_what_was_spent_is_missing_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes after a while, the answer never: both together take no longer than the call may."""

    async def service(request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path.endswith("getsignkey"):
            assert signing_v2.verify(xml.loads(body), SECRET)
            await asyncio.sleep(0.5)
            answer = {"return_code": "SUCCESS", "sandbox_signkey": "k" * 32}
            return web.Response(body=xml.dumps(answer), content_type="text/xml")
        await asyncio.sleep(FOREVER)
        return web.Response()

    platform = Platform(answer=service)
    async with (
        serving(platform),
        Wechatpay(mchid=MCHID_V2, apiv2_key=SECRET, v2_sandbox="sandboxnew", base_url=platform.url, retries=0) as wxpay,
    ):
        send, left = wxpay.transport.send, []

        async def record(exchange: Any, middlewares: Any, timeout: float, *rest: Any) -> None:
            if not exchange.request.url.endswith("getsignkey"):
                left.append(timeout)
                timeout = 0.01
            await send(exchange, middlewares, timeout, *rest)

        with monkeypatch.context() as patched:
            patched.setattr(wxpay.transport, "send", record)
            await ends_in_time(wxpay.v2.pay.orderquery(ORDER, timeout=30.0))
        assert 0 < left[0] <= 29.5
        error = await ends_in_time(wxpay.v2.pay.orderquery(ORDER, timeout=1.5))
        assert "within 1.5 s" in str(error)
