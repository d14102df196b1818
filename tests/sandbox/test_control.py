"""The control over HTTP, the payer's pages, and access to both."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest

from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.control.access import check_access
from wxpay_dsl.sandbox.protocol.messages import Call, Refusal

from .conftest import Api, Shop, order

NATIVE = "POST /v3/pay/transactions/native"


async def control(shop: Shop, line: str, **fields: Any) -> tuple[int, Any]:
    method, _, path = line.partition(" ")
    data = json.dumps(fields).encode() if method != "GET" else None
    async with shop.session.request(method, f"{shop.sandbox.url}/sandbox{path}", data=data) as response:
        return response.status, json.loads(await response.read())


class TestHttp:
    async def test_a_payment_from_another_language(self, shop: Shop, api: Api) -> None:
        _, placed = await api(NATIVE, **order(shop.sandbox, "Http-1"))
        status, paid = await control(shop, "POST /pay", order=placed["code_url"], openid="oMe")
        assert (status, paid["state"], paid["openid"]) == (200, "SUCCESS", "oMe")
        status, refused = await control(shop, "POST /pay", order="Http-1")
        assert (status, refused["code"]) == (400, "ORDERPAID")
        _, listed = await control(shop, "GET /list/transactions")
        assert [one["out_trade_no"] for one in listed] == ["Http-1"]

    async def test_every_step_has_its_path(self, shop: Shop, api: Api) -> None:
        sandbox = shop.sandbox
        await control(shop, "POST /settings", automatic=False)
        await api(NATIVE, **order(sandbox, "Http-2"))
        assert (await control(shop, "POST /decline", order="Http-2"))[1]["state"] == "NOTPAY"
        await control(shop, "POST /pay", order="Http-2")
        amount = {"refund": 1, "total": 100, "currency": "CNY"}
        refund = {"out_trade_no": "Http-2", "out_refund_no": "R1", "amount": amount}
        await api("POST /v3/refund/domestic/refunds", **refund)
        assert (await control(shop, "POST /refund", refund="R1", end="succeed"))[1]["status"] == "SUCCESS"
        assert (await control(shop, "POST /run-pending"))[1] == {"settled": 0}
        assert (await control(shop, "POST /complaint", order="Http-2", detail="凉了"))[1]["detail"] == "凉了"
        now = sandbox.state.now
        assert (await control(shop, "POST /clock", advance=60))[1]["now"] >= now + 60
        mchid = sandbox.merchant.mchid
        assert (await control(shop, "POST /balance", mchid=mchid, amount=7))[1]["balance"] == 7
        rotated = (await control(shop, "POST /rotate-certificate"))[1]["serial"]
        assert rotated == sandbox.platform.certificates[-1].id
        _, status = await control(shop, "POST /faults", kind="delay", value=0.0, share=0.5)
        assert [(rule["kind"], rule["share"]) for rule in status["faults"]] == [("delay", 0.5)]
        assert (await control(shop, "DELETE /faults"))[1]["faults"] == []
        assert (await control(shop, "POST /settings", mode="certificate"))[1]["mode"] == "certificate"
        _, status = await control(shop, "POST /reset")
        assert (status["mode"], status["automatic"], sandbox.control.list("transactions")) == ("both", True, [])

    async def test_another_merchant_calls_with_the_keys_it_is_given(self, shop: Shop) -> None:
        _, keys = await control(shop, "POST /merchants", mchid="1900000888")
        assert (await control(shop, "POST /merchants", mchid="1900000888"))[1] == keys, (
            "adding it again changes nothing"
        )
        credentials = {**shop.sandbox.credentials, **keys}
        async with Wechatpay(**credentials) as wxpay:
            response = await wxpay.v3.pay.transactions.native.post(
                order(shop.sandbox, "Http-3") | {"mchid": "1900000888"}
            )
        assert response.data["code_url"]
        assert shop.sandbox.control.list("transactions")[0]["mchid"] == "1900000888"

    @pytest.mark.parametrize(
        ("line", "fields", "status", "code"),
        [
            ("POST /pay", {}, 400, "PARAM_ERROR"),
            ("POST /pay", {"order": "none"}, 404, "ORDER_NOT_EXIST"),
            ("POST /clock", {"advance": "soon"}, 400, "PARAM_ERROR"),
            ("POST /balance", {"mchid": "1900000109", "amount": 1.9}, 400, "PARAM_ERROR"),
            ("POST /balance", {"mchid": "1900000109", "amount": "1_0"}, 400, "PARAM_ERROR"),
            ("POST /balance", {"mchid": "1900000109", "amount": True}, 400, "PARAM_ERROR"),
            ("POST /faults", {"kind": "none"}, 400, "PARAM_ERROR"),
            ("POST /settings", {"mode": "none"}, 400, "PARAM_ERROR"),
            ("POST /merchants", {"mchid": "me"}, 400, "PARAM_ERROR"),
            ("POST /refund", {"refund": "none", "end": "succeed"}, 404, "RESOURCE_NOT_EXISTS"),
            ("GET /list/none", {}, 404, "RESOURCE_NOT_EXISTS"),
            ("POST /none", {}, 404, "RESOURCE_NOT_EXISTS"),
            ("GET /pay", {}, 404, "RESOURCE_NOT_EXISTS"),
        ],
    )
    async def test_what_makes_no_sense_is_said(
        self, shop: Shop, line: str, fields: dict[str, Any], status: int, code: str
    ) -> None:
        answered, answer = await control(shop, line, **fields)
        assert (answered, answer["code"]) == (status, code)

    async def test_a_body_that_is_no_object(self, shop: Shop) -> None:
        for body in (b"[1]", b"{", b"\xff"):
            async with shop.session.post(f"{shop.sandbox.url}/sandbox/pay", data=body) as response:
                assert response.status == 400


class TestGuard:
    @pytest.mark.parametrize(
        ("peer", "headers", "admitted"),
        [
            ("127.0.0.1", {"Host": "127.0.0.1:8080"}, True),
            ("::1", {"Host": "[::1]:8080"}, True),
            ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://localhost:8080"}, True),
            ("192.168.1.7", {"Host": "127.0.0.1:8080"}, False),
            ("127.0.0.1", {"Host": "evil.example:8080"}, False),
            ("127.0.0.1", {"Host": "127.0.0.1:8080", "Origin": "https://evil.example"}, False),
            ("127.0.0.1", {"Host": "127.0.0.1:8080", "Origin": "null"}, False),
            ("127.0.0.1", {}, False),
            (None, {"Host": "127.0.0.1:8080"}, False),
        ],
    )
    def test_this_machine_alone_and_no_page_of_somebody_else(
        self, peer: str | None, headers: dict[str, str], admitted: bool
    ) -> None:
        call = Call("POST", "/sandbox/pay", headers)
        if admitted:
            check_access(call, peer)
        else:
            with pytest.raises(Refusal, match="NO_AUTH"):
                check_access(call, peer)

    async def test_the_service_s_own_sandbox_paths_are_not_the_control(self, shop: Shop) -> None:
        response, _ = await shop.send("GET", "/sandboxnew/none")
        assert response.status == 404


class TestPages:
    async def get(self, shop: Shop, path: str) -> tuple[int, str]:
        async with shop.session.get(shop.sandbox.url + path) as response:
            assert response.content_type == "text/html"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            return response.status, await response.text()

    async def click(self, shop: Shop, path: str, button: str) -> aiohttp.ClientResponse:
        async with shop.session.post(shop.sandbox.url + path, data={"do": button}, allow_redirects=False) as response:
            await response.read()
            return response

    async def test_an_order_is_found_and_paid_by_clicking(self, shop: Shop, api: Api) -> None:
        await api(NATIVE, **order(shop.sandbox, "Page-1", 1234, description="<茶> & 饼"))
        _, listed = await self.get(shop, "/sandbox")
        link = re.search(r'href="(/sandbox/pay/[^"]+)"', listed)
        assert link is not None
        _, page = await self.get(shop, link[1])
        assert "¥12.34" in page
        assert "&lt;茶&gt; &amp; 饼" in page
        assert (await self.click(shop, link[1], "decline")).status == 200
        assert shop.sandbox.control.list("transactions")[0]["state"] == "NOTPAY"
        assert (await self.click(shop, link[1], "approve")).status == 200
        assert shop.sandbox.control.list("transactions")[0]["state"] == "SUCCESS"
        _, page = await self.get(shop, link[1])
        assert "<button" not in page
        assert "没有等待处理" in (await self.get(shop, "/sandbox/"))[1]

    async def test_an_h5_payment_returns_to_the_merchant(self, shop: Shop, api: Api) -> None:
        scene = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
        fields = order(shop.sandbox, "Page-2", scene_info=scene)
        _, placed = await api("POST /v3/pay/transactions/h5", **fields)
        url = placed["h5_url"] + "&redirect_url=https%3A%2F%2Fshop.example%2Fdone"
        path = url.removeprefix(shop.sandbox.url)
        assert path.startswith("/sandbox/pay/")
        clicked = await self.click(shop, path, "approve")
        assert (clicked.status, clicked.headers["Location"]) == (302, "https://shop.example/done")
        assert shop.sandbox.control.list("transactions")[0]["state"] == "SUCCESS"

    async def test_a_contract_is_signed_by_clicking(self, shop: Shop, api: Api) -> None:
        _, presigned = await api(
            "POST /v3/edu-papay/contracts/presign",
            appid="wx8888888888888888",
            openid="oParent",
            plan_id="12535",
            user_id="1",
            period_start_date="2026-03-19",
            trade_scene="EDUCATION_PERIOD",
        )
        path = f"/sandbox/sign/{presigned['presign_token']}"
        assert "签约" in (await self.get(shop, path))[1]
        await self.click(shop, path, "approve")
        assert shop.sandbox.control.list("contracts")[0]["state"] == "SIGNED"

    async def test_a_link_that_leads_nowhere(self, shop: Shop) -> None:
        status, page = await self.get(shop, "/sandbox/pay/none")
        assert (status, "ORDER_NOT_EXIST" in page) == (404, True)

    async def test_a_form_of_somebody_else_s_page_does_nothing(self, shop: Shop, api: Api) -> None:
        _, placed = await api(NATIVE, **order(shop.sandbox, "Page-3"))
        token = placed["code_url"].rpartition("=")[2]
        headers = {"Origin": "https://evil.example"}
        url = f"{shop.sandbox.url}/sandbox/pay/{token}"
        async with shop.session.post(url, data={"do": "approve"}, headers=headers) as response:
            assert response.status == 403
        assert shop.sandbox.control.list("transactions")[0]["state"] == "NOTPAY"


async def test_a_sandbox_beyond_loopback_keeps_its_control_to_itself() -> None:
    async with Sandbox(host="0.0.0.0", allow_remote=True) as sandbox:  # noqa: S104 - it is what is tested
        port = sandbox.url.rpartition(":")[2]
        async with aiohttp.ClientSession() as session:
            own = f"http://127.0.0.1:{port}/sandbox/status"
            async with session.get(own) as response:
                assert response.status == 200
            async with session.get(own, headers={"Host": f"box.example:{port}"}) as response:
                assert response.status == 403
