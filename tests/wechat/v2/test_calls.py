"""Requests of APIv2: completed, encoded by their spec and signed; and what is rejected before it is sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.wechat.loopback import APPID, MCHID, SECRET, answering, signed, wechatpay
from wxpay_dsl import ConfigurationError, ValidationError, Wechatpay
from wxpay_dsl.wechat.v2 import signing as signing_v2

CLOSE = {"appid": APPID, "out_trade_no": "1217752501201407033233368018"}
ORDER = {
    "appid": APPID,
    "body": "image形象店-深圳腾大",
    "out_trade_no": "1217752501201407033233368018",
    "total_fee": 888,
    "spbill_create_ip": "8.8.8.8",
    "auth_code": "120061098828009406",
}


async def test_what_the_caller_leaves_out_is_filled_in_and_signed() -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        await wxpay.v2.pay.closeorder(CLOSE)
    method, target, headers, _ = loopback.requests[0]
    assert (method, target) == ("POST", "/pay/closeorder")
    assert headers["Content-Type"] == "text/xml; charset=utf-8"
    fields = loopback.fields
    assert {name: fields[name] for name in CLOSE} == CLOSE
    assert fields["mch_id"] == MCHID
    assert len(fields["nonce_str"]) == 32
    assert fields["sign_type"] == "MD5"
    assert signing_v2.verify(fields, SECRET)


async def test_each_call_has_a_nonce_of_its_own_unless_the_caller_gives_one() -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        nonces = set()
        for _ in range(3):
            await wxpay.v2.pay.closeorder(CLOSE)
            nonces.add(loopback.fields["nonce_str"])
        assert len(nonces) == 3
        await wxpay.v2.pay.closeorder(CLOSE, nonce_str="ibuaiVcKdpRxkhJA")
        assert loopback.fields["nonce_str"] == "ibuaiVcKdpRxkhJA"


async def test_numbers_json_and_booleans_are_given_as_python_has_them() -> None:
    detail = {"cost_price": 608800, "goods_detail": [{"goods_id": "商品编码", "quantity": 1, "price": 528800}]}
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        await wxpay.v2.pay.micropay(ORDER, detail=detail, attach="]]>&<", device_info=None, limit_pay="")
        fields = loopback.fields
        assert fields["total_fee"] == "888"
        assert fields["detail"] == (
            '{"cost_price":608800,"goods_detail":[{"goods_id":"商品编码","quantity":1,"price":528800}]}'
        )
        assert fields["attach"] == "]]>&<"
        assert "device_info" not in fields
        assert fields["limit_pay"] == ""
        assert signing_v2.verify(fields, SECRET)
        await wxpay.v2.pay.settlementquery(appid=APPID, usetag=1, offset=0, limit=10, query_split=True, validate=False)
        assert loopback.fields["query_split"] == "true"
        assert loopback.fields["mchid"] == MCHID


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("pay.orderquery", "MD5"),  # either will do
        ("pay.profitsharingquery", "HMAC-SHA256"),  # takes no other
        ("risk.getpublickey", "MD5"),  # has to be named; as in its example
        ("tools.shorturl", "MD5"),  # its default
        ("pay.contractorder", None),  # knows no sign_type
    ],
)
async def test_the_signature_type_is_the_one_that_the_operation_takes(chain: str, expected: str | None) -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        request = await prepared(wxpay, chain)
    assert request.get("sign_type") == expected
    assert len(request["sign"]) == (64 if expected == "HMAC-SHA256" else 32)
    assert signing_v2.verify(request, SECRET)


async def prepared(wxpay: Wechatpay, chain: str) -> dict[str, str]:
    """The fields of a request that is not sent."""
    node: Any = wxpay.v2
    for segment in chain.split("."):
        node = node[segment]
    target = node._target()
    request = await wxpay.client.prepare(target, None, {"validate": False})
    fields: dict[str, str] = request.sections["body"]
    return fields


async def test_the_caller_may_choose_hmac() -> None:
    async with answering(signed("HMAC-SHA256")) as loopback, wechatpay(loopback) as wxpay:
        response = await wxpay.v2.pay.closeorder(CLOSE, sign_type="HMAC-SHA256")
        assert len(loopback.fields["sign"]) == 64
        assert signing_v2.verify(loopback.fields, SECRET)
        assert response.data["mch_id"] == MCHID
        with pytest.raises(ValidationError, match="sign_type: expected MD5 or HMAC-SHA256, got 'SHA1'"):
            await wxpay.v2.pay.closeorder(CLOSE, sign_type="SHA1", validate=False)


async def test_a_get_is_signed_in_its_query() -> None:
    page = b"<!doctype html>"
    async with answering(page) as loopback, wechatpay(loopback) as wxpay:
        response = await wxpay.v2.papay.entrustweb.get(
            appid=APPID, plan_id=12535, contract_display_account="微信 代扣&+", notify_url="https://a.example/?b=c"
        )
        assert response.data == page
        fields = dict(parse_qsl(urlsplit(loopback.requests[0][1]).query))
        assert fields["mch_id"] == MCHID
        assert fields["contract_display_account"] == "微信 代扣&+"
        assert fields["nonce_str"]
        assert signing_v2.verify(fields, SECRET)
        with pytest.raises(ValidationError, match="a name occurs twice"):
            await wxpay.v2.papay.entrustweb.get(query={"appid": ["wx1", "wx2"]})


async def test_a_link_for_a_browser_is_signed_and_nothing_is_sent() -> None:
    async with answering(b"") as loopback, wechatpay(loopback) as wxpay:
        url = await wxpay.signed_url(wxpay.v2.papay.entrustweb.get, appid=APPID, plan_id=12535, return_web=1)
        assert url.startswith(f"{loopback.url}/papay/entrustweb?")
        assert signing_v2.verify(dict(parse_qsl(urlsplit(url).query)), SECRET)
        for node in (wxpay.v2.pay.closeorder, "v2.papay.entrustweb"):
            with pytest.raises(ValidationError):
                await wxpay.signed_url(node, validate=False)
        assert not loopback.requests


async def test_no_nonce_where_the_spec_says_so() -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        await wxpay.v2.papay.querycontract(appid=APPID, version="1.0", validate=False)
        assert "nonce_str" not in loopback.fields
        assert signing_v2.verify(loopback.fields, SECRET)


@pytest.mark.parametrize(
    ("chain", "name"),
    [("pay.closeorder", "mch_id"), ("pay.settlementquery", "mchid"), ("pay.combinedorder", "combine_mch_id")],
)
async def test_another_merchants_id_is_refused_before_anything_is_sent(chain: str, name: str) -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        node: Any = wxpay.v2
        for segment in chain.split("."):
            node = node[segment]
        with pytest.raises(ValidationError, match=rf"{name}: '1900000999' is not this client's merchant {MCHID}"):
            await node({name: "1900000999"}, validate=False)
        assert not loopback.requests
        await node({name: MCHID}, validate=False)
        assert loopback.fields[name] == MCHID


async def test_a_path_that_no_spec_declares_is_signed_sent_and_verified() -> None:
    async with answering(signed(answer="42")) as loopback, wechatpay(loopback) as wxpay:
        response = await wxpay.v2.pay.somethingnew(question=[1, {"二": True}], sum=3)
        assert response.data["answer"] == "42"
        assert loopback.fields["question"] == '[1,{"二":true}]'
        assert loopback.fields["mch_id"] == MCHID
        assert signing_v2.verify(loopback.fields, SECRET)
        await wxpay.v2.pay.somethingnew(mchid=MCHID)
        assert "mch_id" not in loopback.fields


RED_PACKET: dict[str, Any] = {
    "mch_billno": "123456",
    "wxappid": "wx8888888888888888",
    "sender_name": "XX活动",
    "re_openid": "oxTWIuGaIt6gTKsQRLau2M0yL16E",
    "total_amount": 1000,
    "wishing": "感谢您参加猜灯谜活动",
    "act_name": "猜灯谜抢红包活动",
    "remark": "猜越多得越多",
}
TRANSFER: dict[str, Any] = {
    "appid": "wx8888888888888888",
    "partner_trade_no": "100000982017072019616",
    "openid": "ohO4Gt7wVPxIT1A9GjFaMYMiZY1s",
    "check_name": "FORCE_CHECK",
    "amount": 100,
    "desc": "六月出差报销费用",
    "spbill_create_ip": "10.2.3.10",
    "ww_msg_type": "NORMAL_MSG",
    "act_name": "示例项目",
}
WECOM = (
    ("mmpaymkttransfers.sendworkwxredpack", RED_PACKET, signing_v2.WORKWX_RED_PACKET),
    ("mmpaymkttransfers.promotion.paywwsptrans2pocket", TRANSFER, signing_v2.WORKWX_TRANSFER),
)


async def test_wecoms_signature_is_made_where_it_is_declared() -> None:
    async with answering(signed()) as loopback:
        wxpay = wechatpay(loopback, wecom_secret="agent-secret")
        for chain, given, names in WECOM:
            node: Any = wxpay.v2
            for segment in chain.split("."):
                node = node[segment]
            request = await wxpay.client.prepare(node._target(), given, {})
            fields = request.sections["body"]
            assert fields["workwx_sign"] == signing_v2.workwx_sign(fields, names, "agent-secret")
            assert signing_v2.verify(fields, SECRET)
        await wxpay.close()


@pytest.mark.parametrize(("chain", "given"), [(chain, given) for chain, given, _ in WECOM])
@pytest.mark.parametrize("wecom_secret", [None, ""])
async def test_without_the_agents_secret_nothing_is_sent(
    chain: str, given: dict[str, Any], wecom_secret: str | None
) -> None:
    async with answering(signed()) as loopback, wechatpay(loopback, wecom_secret=wecom_secret) as wxpay:
        node: Any = wxpay.v2
        for segment in chain.split("."):
            node = node[segment]
        with pytest.raises(ConfigurationError, match=r"workwx_sign.*`wecom_secret`"):
            await node.post(given)
        assert loopback.requests == []
        request = await wxpay.client.prepare(node._target(), {**given, "workwx_sign": "A" * 32}, {})
        assert request.sections["body"]["workwx_sign"] == "A" * 32


async def test_without_the_apiv2_key_the_error_names_the_setting() -> None:
    from wxpay_dsl.sandbox import Sandbox

    async with Sandbox() as sandbox:
        credentials = {**sandbox.credentials, "apiv2_key": None}
        async with Wechatpay(**credentials) as wxpay:
            with pytest.raises(ConfigurationError, match="`apiv2_key`"):
                await wxpay.v2.pay.closeorder(CLOSE)


async def test_a_client_of_apiv2_alone_says_what_apiv3_needs() -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ConfigurationError, match=r"pub_key\.pem"):
            await wxpay.v3.certificates.get()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"total_fee": 8.88},
            r"total_fee: expected integer, got 8.88 \(amounts are integers in the smallest currency unit\)",
        ),
        ({"total_fee": "888"}, "total_fee: expected integer, got '888'"),
        ({"boody": "x"}, "boody: no such field; did you mean 'body'?"),
        ({"body": "a\x00b"}, r"<body>: XML cannot represent the character U\+0000"),
        ({"body": "\ud83d"}, r"body.body: holds a lone surrogate"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_the_fields_name(given: dict[str, Any], message: str) -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ValidationError, match=message):
            await wxpay.v2.pay.micropay({**ORDER, **given}, validate="strict")
        assert not loopback.requests
