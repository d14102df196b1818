"""APIv2 and APIv3 on one state: each can continue what was created through the other."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.noon import to_noon
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.v2.errors import ResultCodeError, ReturnCodeError

from .conftest import order


@pytest.fixture
def own(sandbox: Sandbox) -> dict[str, str]:
    """The ids of the calling merchant."""
    return {"appid": "wx8888888888888888", "mch_id": sandbox.merchant.mchid}


def unified(own: dict[str, str], number: str, **more: Any) -> dict[str, Any]:
    return {
        **own,
        "body": "一杯茶",
        "out_trade_no": number,
        "total_fee": 100,
        "spbill_create_ip": "127.0.0.1",
        "notify_url": "https://example.com/",
        "trade_type": "NATIVE",
        **more,
    }


async def code_of(call: Any) -> str:
    with pytest.raises(ResultCodeError) as refused:
        await call
    return refused.value.code


@pytest.mark.parametrize(
    ("kind", "more", "link"),
    [
        ("NATIVE", {}, "code_url"),
        ("MWEB", {}, "mweb_url"),
        ("JSAPI", {"openid": "oPayer"}, "prepay_id"),
        ("APP", {}, "prepay_id"),
    ],
)
async def test_an_order_of_each_kind(
    sandbox: Sandbox, own: dict[str, str], kind: str, more: dict[str, str], link: str
) -> None:
    pay = sandbox.client.v2.pay
    placed = await pay.unifiedorder.post(unified(own, "V2-1", trade_type=kind, **more))
    sandbox.control.pay(placed.data[link])
    paid = (await pay.orderquery.post(**own, out_trade_no="V2-1")).data
    assert (paid["trade_state"], paid["trade_type"], paid["cash_fee"]) == ("SUCCESS", kind, 100)
    by_id = (await pay.orderquery.post(**own, transaction_id=paid["transaction_id"])).data
    assert by_id["out_trade_no"] == "V2-1"


async def test_the_two_apis_share_one_state(sandbox: Sandbox, own: dict[str, str]) -> None:
    wxpay, mchid = sandbox.client, sandbox.merchant.mchid
    await wxpay.v2.pay.unifiedorder.post(unified(own, "Both-1"))
    sandbox.control.pay("Both-1")
    found = await wxpay.v3.pay.transactions.outTradeNo["Both-1"].get(mchid=mchid)
    assert found.data["trade_state"] == "SUCCESS"
    await wxpay.v3.refund.domestic.refunds.post(
        out_trade_no="Both-1", out_refund_no="R1", amount={"refund": 30, "total": 100, "currency": "CNY"}
    )
    await wxpay.v2.secapi.pay.refund.post(
        **own, out_trade_no="Both-1", out_refund_no="R2", total_fee=100, refund_fee=20
    )
    refunds = (await wxpay.v2.pay.refundquery.post(**own, out_trade_no="Both-1")).data
    assert (refunds["refund_count"], refunds["refund_fee_0"], refunds["refund_fee_1"]) == (2, 30, 20)
    assert refunds["refund_status_0"] == "SUCCESS"
    one = (await wxpay.v2.pay.refundquery.post(**own, out_refund_no="R2")).data
    assert (one["refund_count"], one["out_refund_no_0"]) == (1, "R2")
    assert (await wxpay.v3.refund.domestic.refunds["R2"].get()).data["amount"]["refund"] == 20
    await wxpay.v3.pay.transactions.native.post(order(sandbox, "Both-2"))
    assert (await wxpay.v2.pay.orderquery.post(**own, out_trade_no="Both-2")).data["trade_state"] == "NOTPAY"


async def test_wrong_steps_have_apiv2_s_codes(sandbox: Sandbox, own: dict[str, str]) -> None:
    v2 = sandbox.client.v2
    refund = {**own, "out_refund_no": "R1", "total_fee": 100}

    async def refused_refund(fee: int, **changes: Any) -> str:
        return await code_of(
            v2.secapi.pay.refund.post({**refund, "out_trade_no": "Wrong-1", "refund_fee": fee, **changes})
        )

    assert await code_of(v2.pay.orderquery.post(**own, out_trade_no="none")) == "ORDERNOTEXIST"
    await v2.pay.unifiedorder.post(unified(own, "Wrong-1"))
    assert await code_of(v2.pay.unifiedorder.post(unified(own, "Wrong-1", total_fee=101))) == "OUT_TRADE_NO_USED"
    assert await refused_refund(1) == "ORDERNOTEXIST", "not paid yet"
    sandbox.control.pay("Wrong-1")
    assert await code_of(v2.pay.unifiedorder.post(unified(own, "Wrong-1"))) == "ORDERPAID"
    assert await code_of(v2.pay.closeorder.post(**own, out_trade_no="Wrong-1")) == "ORDERPAID"
    assert await refused_refund(101) == "INVALID_REQUEST"
    assert await refused_refund(1, total_fee=99) == "INVALID_REQUEST"
    sandbox.control.set_balance(sandbox.merchant.mchid, 0)
    assert await refused_refund(1) == "NOTENOUGH"
    assert await code_of(v2.pay.refundquery.post(**own, out_refund_no="none")) == "REFUNDNOTEXIST"
    await v2.pay.unifiedorder.post(unified(own, "Wrong-2"))
    await v2.pay.closeorder.post(**own, out_trade_no="Wrong-2")
    assert await code_of(v2.pay.unifiedorder.post(unified(own, "Wrong-2"))) == "ORDERCLOSED"
    assert await code_of(v2.pay.closeorder.post(**own, out_trade_no="Wrong-2")) == "ORDERCLOSED"


@pytest.mark.parametrize(
    ("code", "found"),
    [("130061098828009499", "USERPAYING"), ("130061098828009498", "NOTENOUGH"), ("12", "AUTH_CODE_INVALID")],
)
async def test_a_payment_code_that_is_not_paid_at_once(
    sandbox: Sandbox, own: dict[str, str], code: str, found: str
) -> None:
    pay = sandbox.client.v2.pay
    fields = unified(own, "Code-1", auth_code=code)
    del fields["notify_url"], fields["trade_type"]
    assert await code_of(pay.micropay.post(fields)) == found
    if found == "USERPAYING":
        assert await code_of(pay.micropay.post(fields)) == found, "still"
        sandbox.control.pay("Code-1")
        paid = (await pay.micropay.post(fields)).data
        assert (paid["total_fee"], paid["trade_type"]) == (100, "MICROPAY")
        reversed_ = await sandbox.client.v2.secapi.pay.reverse.post(**own, out_trade_no="Code-1")
        assert reversed_.data["recall"] == "N"
        assert (await pay.orderquery.post(**own, out_trade_no="Code-1")).data["trade_state"] == "REVOKED"


async def test_a_day_s_bill(sandbox: Sandbox, own: dict[str, str]) -> None:
    pay = sandbox.client.v2.pay
    day = f"{to_noon(sandbox):%Y%m%d}"
    await pay.unifiedorder.post(unified(own, "Bill-1"))
    sandbox.control.pay("Bill-1")
    with pytest.raises(ReturnCodeError, match="No Bill Exist"):
        await pay.downloadbill.post(**own, bill_date=day, bill_type="ALL")
    sandbox.control.advance_clock(86400)
    plain = (await pay.downloadbill.post(**own, bill_date=day, bill_type="ALL")).data
    packed = (await pay.downloadbill.post(**own, bill_date=day, bill_type="ALL", tar_type="GZIP")).data
    assert "`Bill-1," in plain.decode()
    assert packed in (plain, gzip.compress(plain, mtime=0))
    with pytest.raises(ReturnCodeError, match="invalid bill_date"):
        await pay.downloadbill.post(**own, bill_date="20261399", bill_type="ALL")
