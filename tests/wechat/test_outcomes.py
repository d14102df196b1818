"""Operations whose errors are not final: only a query tells whether a transfer to a user was made."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from tests.wechat.loopback import MCHID, Answer, answering, signed, wechatpay
from tests.wechat.platform_server import PUB_KEY_ID, Platform, keys, serving
from tests.wechat.platform_server import wechatpay as wechatpay_v3
from wxpay_dsl import ServiceError, ValidationError
from wxpay_dsl.client import tree
from wxpay_dsl.sandbox.keys.identity import throwaway_merchant
from wxpay_dsl.wechat.v2 import xml

#: Operations that pay a user.
TRANSFERS = {
    "POST /v3/fund-app/mch-transfer/transfer-bills",
    "POST /v3/fund-app/mch-transfer/transfer-bills/pre-transfer-with-authorization",
    "POST /v3/fund-app/mch-transfer/transfer-bills/transfer",
    "POST /v3/fund-app/mch-transfer/transfer-to-qq-wallet-bills",
    "POST /v3/fund-app/mch-transfer/partner/transfer-bills",
    "POST /v3/fund-app/mch-transfer/partner/transfer-bills/pre-transfer-with-authorization",
    "POST /v3/fund-app/mch-transfer/partner/transfer-bills/transfer",
    "POST /v3/fund-app/mch-transfer/partner/charity-transfer-bills",
    "POST /v3/ecommerce/mch-transfer/transfer-bills",
    "POST /v3/platsolution/ecommerce/mch-transfer/transfer-bills",
    "POST /v3/platsolution/mch-transfer/batches/apply",
    "POST /v3/transfer/batches",
    "POST /v3/partner-transfer/batches",
    "POST /mmpaymkttransfers/promotion/transfers",
    "POST /mmpaymkttransfers/promotion/paywwsptrans2pocket",
    "POST /mmpaymkttransfers/sendredpack",
    "POST /mmpaymkttransfers/sendgroupredpack",
    "POST /mmpaymkttransfers/sendminiprogramhb",
    "POST /mmpaymkttransfers/sendworkwxredpack",
    "POST /mmpaysptrans/pay_bank",
}
CERTS = {PUB_KEY_ID: keys()[1].public_key()}
REFUSED = xml.dumps({"return_code": "SUCCESS", "result_code": "FAIL", "err_code": "NOTENOUGH"})
PACKET = {"mch_billno": "1", "wxappid": "wx1", "re_openid": "o", "total_amount": 100, "total_num": 1}


@cache
def container() -> bytes:
    """A client certificate, which the loopback does not ask for."""
    merchant = throwaway_merchant(MCHID)
    return pkcs12.serialize_key_and_certificates(
        b"x", merchant.private_key, merchant.certificate, None, BestAvailableEncryption(MCHID.encode())
    )


def test_these_are_the_operations_that_pay_users() -> None:
    assert {operation.name for operation in tree().operations() if operation.outcome == "query"} == TRANSFERS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_any_other_answer_leaves_a_transfer_of_apiv3_in_doubt(status: int) -> None:
    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        return web.json_response({"code": "NOT_ENOUGH", "message": "x"}, status=status)

    platform = Platform(answer=answer)
    async with serving(platform), wechatpay_v3(platform, platform_keys=CERTS, retries=0) as wxpay:
        bills: Any = wxpay["v3"]["fund-app"]["mch-transfer"]["transfer-bills"]
        with pytest.raises(ServiceError, match="outcome is unknown") as caught:
            await bills.post({"out_bill_no": "1"}, validate=False)
        assert caught.value.outcome_unknown
        with pytest.raises(ServiceError) as asked:
            await bills["out-bill-no"]["1"].get()
        assert not asked.value.outcome_unknown
        with pytest.raises(ServiceError) as other:
            await wxpay.v3.pay.transactions.native.post({}, validate=False)
        assert other.value.outcome_unknown is (status >= 500)


@pytest.mark.parametrize("body", [REFUSED, xml.dumps({"return_code": "FAIL", "return_msg": "签名错误"})], ids=len)
@pytest.mark.parametrize("status", [200, 403, 429])
async def test_and_one_of_apiv2(body: bytes, status: int) -> None:
    def answer(request: web.Request, _: bytes) -> Answer:
        return web.Response(status=status, body=body)

    async with answering(answer) as loopback, wechatpay(loopback, p12=container(), retries=0) as wxpay:
        with pytest.raises(ServiceError) as caught:
            await wxpay.v2.mmpaysptrans.query_bank({"partner_trade_no": "1"}, validate=False)
        assert not caught.value.outcome_unknown
        with pytest.raises(ServiceError) as caught:
            await wxpay.v2.mmpaymkttransfers.sendgroupredpack(PACKET, validate=False)
        assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    "path",
    [
        *("mmpaymkttransfers/promotion/transfers", "mmpaymkttransfers/gettransferinfo"),
        *("mmpaymkttransfers/sendredpack", "mmpaymkttransfers/gethbinfo", "mmpaysptrans/pay_bank"),
    ],
)
async def test_where_the_service_takes_no_sign_type_none_is_sent(path: str) -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        node: Any = wxpay.v2
        for segment in path.split("/"):
            node = node[segment]
        request = await wxpay.client.prepare(node._target(), {}, {"validate": False})
        assert "sign_type" not in request.sections["body"]
        with pytest.raises(ValidationError, match="sign_type: the service does not include it") as caught:
            await wxpay.client.prepare(node._target(), {"sign_type": "HMAC-SHA256"}, {"validate": False})
        assert [fault.path for fault in caught.value.errors] == ["sign_type"]


@pytest.mark.parametrize("path", ["applyment/micro/signcontract", "sandboxnew/pay/getsignkey"])
async def test_an_answer_that_is_never_signed_is_taken_without(path: str) -> None:
    answer = xml.dumps({"return_code": "SUCCESS", "result_code": "SUCCESS", "sandbox_signkey": "k"})
    async with answering(answer) as loopback, wechatpay(loopback, p12=container()) as wxpay:
        node: Any = wxpay.v2
        for segment in path.split("/"):
            node = node[segment]
        response = await node.post({}, validate=False)
        assert response.data["return_code"] == "SUCCESS"
