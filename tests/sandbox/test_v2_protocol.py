"""APIv2 in the sandbox, called without this package's client: accepted and refused calls, and their signatures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.v2 import sandbox_key
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.crypto.keys import load_public_key
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

SHORTURL = {"appid": "wx8888888888888888", "long_url": "weixin://wxpay/bizpayurl?pr=1", "nonce_str": "5K8264ILTKCH16CQ"}


class Merchant:
    """Signs and sends XML without this package's client."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    def signed(self, fields: dict[str, str], key: str = "", sign_type: str = "MD5") -> bytes:
        whole = {"mch_id": self.sandbox.merchant.mchid, **fields}
        sign = signing_v2.sign(whole, key or self.sandbox.merchant.apiv2_key, sign_type)
        return xml.dumps({**whole, "sign": sign})

    async def post(self, path: str, body: bytes) -> dict[str, str]:
        async with self.session.post(self.sandbox.url + path, data=body) as response:
            assert response.status == 200
            assert response.content_type == "text/xml"
            return xml.loads(await response.read())


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        yield Merchant(sandbox, session)


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
async def test_an_answer_is_signed_as_the_request_was(merchant: Merchant, sign_type: str) -> None:
    fields = SHORTURL if sign_type == "MD5" else {**SHORTURL, "sign_type": sign_type}
    answer = await merchant.post("/tools/shorturl", merchant.signed(fields, sign_type=sign_type))
    assert (answer["return_code"], answer["result_code"]) == ("SUCCESS", "SUCCESS")
    assert len(answer["sign"]) == (32 if sign_type == "MD5" else 64)
    assert signing_v2.verify(answer, merchant.sandbox.merchant.apiv2_key)


async def test_what_is_not_understood_is_told_without_a_signature(merchant: Merchant) -> None:
    good = merchant.signed(SHORTURL)
    for body, message in (
        (good.replace(b"pr=1", b"pr=2"), "签名错误"),
        (merchant.signed(SHORTURL, key="k" * 32), "签名错误"),
        (merchant.signed(SHORTURL, sign_type="HMAC-SHA256"), "签名错误"),
        (merchant.signed({**SHORTURL, "mch_id": "1900000999"}), "mch_id参数格式错误"),
        (merchant.signed({**SHORTURL, "mch_id": ""}), "缺少参数mch_id"),
        (merchant.signed({**SHORTURL, "sign_type": "SHA1"}), "签名类型不正确"),
        (good[:-1], "XML格式错误"),
        (b"<!DOCTYPE xml>" + good, "XML格式错误"),
        (b"", "XML格式错误"),
    ):
        answer = await merchant.post("/tools/shorturl", body)
        assert answer == {"return_code": "FAIL", "return_msg": message}


async def test_a_refusal_of_the_business_is_signed(merchant: Merchant) -> None:
    fields = {"appid": "wx8888888888888888", "out_trade_no": "nowhere", "nonce_str": "5K8264ILTKCH16CQ"}
    answer = await merchant.post("/pay/orderquery", merchant.signed(fields))
    assert (answer["return_code"], answer["result_code"]) == ("SUCCESS", "FAIL")
    assert answer["err_code"] == "ORDERNOTEXIST"
    assert signing_v2.verify(answer, merchant.sandbox.merchant.apiv2_key)


async def test_the_sandbox_environments_take_the_key_that_was_exchanged(merchant: Merchant) -> None:
    asked = merchant.signed({"nonce_str": "5K8264ILTKCH16CQ"})
    for path in ("/sandboxnew/pay/getsignkey", "/xdc/apiv2getsignkey/sign/getsignkey"):
        answer = await merchant.post(path, asked)
        assert answer["sandbox_signkey"] == sandbox_key(merchant.sandbox.merchant)
    fields = {"appid": "wx8888888888888888", "out_trade_no": "nowhere", "nonce_str": "5K8264ILTKCH16CQ"}
    for key, code in ((merchant.sandbox.merchant.apiv2_key, "FAIL"), (answer["sandbox_signkey"], "SUCCESS")):
        answered = await merchant.post("/sandboxnew/pay/orderquery", merchant.signed(fields, key=key))
        assert answered["return_code"] == code


async def test_pay_bank_takes_fields_under_the_key_of_getpublickey(merchant: Merchant) -> None:
    asked = merchant.signed({"nonce_str": "5K8264ILTKCH16CQ", "sign_type": "MD5"})
    pem = (await merchant.post("/risk/getpublickey", asked))["pub_key"]
    assert pem.startswith("-----BEGIN RSA PUBLIC KEY-----")
    key = load_public_key(pem)
    fields = {
        "partner_trade_no": "1212121221227",
        "nonce_str": "5K8264ILTKCH16CQ",
        "enc_bank_no": ciphers.oaep_encrypt("6222020200112233445", key),
        "enc_true_name": ciphers.oaep_encrypt("张三", key),
        "bank_code": "1001",
        "amount": "100",
    }
    assert (await merchant.post("/mmpaysptrans/pay_bank", merchant.signed(fields)))["result_code"] == "SUCCESS"
    plain = {**fields, "enc_bank_no": "6222020200112233445"}
    answer = await merchant.post("/mmpaysptrans/pay_bank", merchant.signed(plain))
    assert answer == {"return_code": "FAIL", "return_msg": "enc_bank_no解密失败"}


async def test_the_home_of_a_sandbox_with_tls_is_a_profile_that_trusts_it(tmp_path: Path) -> None:
    async with Sandbox(tls=True, home=tmp_path) as sandbox, Wechatpay(profile=tmp_path / "wxpay.toml") as wxpay:
        assert wxpay.settings.base_url == sandbox.url
        assert sandbox.url.startswith("https://")
        response = await wxpay.v2.mmpaymkttransfers.gethbinfo(
            appid="wx8888888888888888", mch_billno="1", bill_type="MCHT"
        )
        assert response.data["mch_id"] == sandbox.merchant.mchid
