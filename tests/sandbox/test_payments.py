"""Orders from creation to refund: the response of each step, and the error code of each step that is not allowed."""

from __future__ import annotations

from typing import Any

import pytest

from wxpay_dsl.sandbox import Sandbox

from .conftest import Api, order

NATIVE = "POST /v3/pay/transactions/native"
REFUNDS = "POST /v3/refund/domestic/refunds"


async def placed(api: Api, sandbox: Sandbox, number: str, total: int = 100, **more: Any) -> str:
    status, answer = await api(NATIVE, **order(sandbox, number, total, **more))
    assert status == 200, answer
    code_url: str = answer["code_url"]
    return code_url


async def queried(api: Api, sandbox: Sandbox, number: str) -> Any:
    status, answer = await api(f"GET /v3/pay/transactions/out-trade-no/{number}", mchid=sandbox.merchant.mchid)
    assert status == 200, answer
    return answer


async def refunded(api: Api, number: str, refund_no: str, refund: int, total: int = 100) -> tuple[int, Any]:
    amount = {"refund": refund, "total": total, "currency": "CNY"}
    return await api(REFUNDS, out_trade_no=number, out_refund_no=refund_no, amount=amount)


@pytest.mark.parametrize(
    ("kind", "more", "link", "trade_type"),
    [
        ("jsapi", {"payer": {"openid": "oPayer"}}, "prepay_id", "JSAPI"),
        ("app", {}, "prepay_id", "APP"),
        ("native", {}, "code_url", "NATIVE"),
        ("h5", {"scene_info": {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}}, "h5_url", "MWEB"),
    ],
)
async def test_an_order_of_each_kind_is_paid(
    api: Api, sandbox: Sandbox, kind: str, more: dict[str, Any], link: str, trade_type: str
) -> None:
    _, answer = await api(f"POST /v3/pay/transactions/{kind}", **order(sandbox, "Kind-1", **more))
    assert list(answer) == [link]
    before = await queried(api, sandbox, "Kind-1")
    assert (before["trade_state"], "transaction_id" in before) == ("NOTPAY", False)
    sandbox.control.pay(answer[link])
    paid = await queried(api, sandbox, "Kind-1")
    assert (paid["trade_state"], paid["trade_type"]) == ("SUCCESS", trade_type)
    assert paid["amount"] == {"total": 100, "currency": "CNY", "payer_currency": "CNY", "payer_total": 100}
    _, by_id = await api(f"GET /v3/pay/transactions/id/{paid['transaction_id']}", mchid=sandbox.merchant.mchid)
    assert by_id == paid


async def test_the_same_order_again_has_a_new_link(api: Api, sandbox: Sandbox) -> None:
    first = await placed(api, sandbox, "Again-1")
    second = await placed(api, sandbox, "Again-1")
    assert first != second
    with pytest.raises(Exception, match="ORDER_NOT_EXIST"):
        sandbox.control.pay(first)
    sandbox.control.pay(second)


async def test_steps_that_an_order_does_not_allow(api: Api, sandbox: Sandbox) -> None:
    mchid = sandbox.merchant.mchid
    await placed(api, sandbox, "Steps-1")

    async def refused(line: str, **fields: Any) -> tuple[int, str]:
        status, answer = await api(line, **fields)
        return status, answer["code"]

    close = "POST /v3/pay/transactions/out-trade-no/Steps-1/close"
    query = "GET /v3/pay/transactions/out-trade-no"
    assert await refused(NATIVE, **order(sandbox, "Steps-1", 101)) == (403, "OUT_TRADE_NO_USED")
    assert (await refunded(api, "Steps-1", "R1", 1))[1]["code"] == "RESOURCE_NOT_EXISTS", "not paid yet"
    assert await refused(f"{query}/Steps-2", mchid=mchid) == (404, "ORDER_NOT_EXIST")
    sandbox.control.pay("Steps-1")
    assert await refused(close, mchid=mchid) == (400, "ORDERPAID")
    assert await refused(NATIVE, **order(sandbox, "Steps-1")) == (400, "ORDERPAID")
    with pytest.raises(Exception, match="ORDERPAID"):
        sandbox.control.pay("Steps-1")
    await placed(api, sandbox, "Steps-3")
    assert (await api("POST /v3/pay/transactions/out-trade-no/Steps-3/close", mchid=mchid))[0] == 204
    assert (await api("POST /v3/pay/transactions/out-trade-no/Steps-3/close", mchid=mchid))[0] == 204, "idempotent"
    assert await refused(NATIVE, **order(sandbox, "Steps-3")) == (400, "ORDER_CLOSED")
    with pytest.raises(Exception, match="ORDER_CLOSED"):
        sandbox.control.pay("Steps-3")
    assert await refused(f"{query}/Steps-1", mchid="1900000001") == (400, "PARAM_ERROR")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": {"total": 0}}, "/amount/total"),
        ({"out_trade_no": "汉字"}, "/out_trade_no"),
        ({"out_trade_no": "x" * 33}, "/out_trade_no"),
        ({"time_expire": "2020-01-01T00:00:00+08:00"}, "/time_expire"),
        ({"time_expire": "tomorrow"}, "/time_expire"),
    ],
)
async def test_an_invalid_order_is_refused(api: Api, sandbox: Sandbox, change: Any, field: str) -> None:
    status, answer = await api(NATIVE, **{**order(sandbox, "Sense-1"), **change})
    assert (status, answer["code"], answer["detail"]["field"]) == (400, "PARAM_ERROR", field)
    assert sandbox.control.list("transactions") == []


async def test_an_order_expires_at_time_expire(api: Api, sandbox: Sandbox) -> None:
    from wxpay_dsl.sandbox.domain.times import rfc3339

    await placed(api, sandbox, "Ends-1", time_expire=rfc3339(sandbox.state.now + 60))
    sandbox.control.advance_clock(61)
    assert (await queried(api, sandbox, "Ends-1"))["trade_state"] == "CLOSED"


async def test_a_declined_order_can_still_be_paid(api: Api, sandbox: Sandbox) -> None:
    await placed(api, sandbox, "Back-1")
    sandbox.control.decline("Back-1")
    assert (await queried(api, sandbox, "Back-1"))["trade_state"] == "NOTPAY"
    sandbox.control.pay("Back-1")
    assert (await queried(api, sandbox, "Back-1"))["trade_state"] == "SUCCESS"


class TestRefunds:
    async def test_in_parts_until_nothing_is_left(self, api: Api, sandbox: Sandbox) -> None:
        await placed(api, sandbox, "Parts-1")
        sandbox.control.pay("Parts-1")
        status, first = await refunded(api, "Parts-1", "R1", 40)
        assert (status, first["status"]) == (200, "PROCESSING")
        _, settled = await api("GET /v3/refund/domestic/refunds/R1")
        assert (settled["status"], settled["amount"]["refund"]) == ("SUCCESS", 40)
        assert (await queried(api, sandbox, "Parts-1"))["trade_state"] == "REFUND"
        assert (await refunded(api, "Parts-1", "R2", 61))[1]["code"] == "INVALID_REQUEST"
        assert (await refunded(api, "Parts-1", "R2", 60))[0] == 200
        assert (await refunded(api, "Parts-1", "R3", 1))[1]["message"] == "订单已全额退款"

    async def test_the_same_number_is_the_same_refund(self, api: Api, sandbox: Sandbox) -> None:
        await placed(api, sandbox, "Same-1")
        sandbox.control.pay("Same-1")
        _, first = await refunded(api, "Same-1", "R1", 40)
        _, again = await refunded(api, "Same-1", "R1", 40)
        assert again["refund_id"] == first["refund_id"]
        assert (await refunded(api, "Same-1", "R1", 41))[1]["code"] == "INVALID_REQUEST"
        assert sandbox.control.list("transactions")[0]["refunded"] == 40

    async def test_the_total_must_be_the_order_s(self, api: Api, sandbox: Sandbox) -> None:
        await placed(api, sandbox, "Total-1")
        sandbox.control.pay("Total-1")
        assert (await refunded(api, "Total-1", "R1", 40, total=99))[1]["code"] == "INVALID_REQUEST"

    async def test_without_enough_balance(self, api: Api, sandbox: Sandbox) -> None:
        await placed(api, sandbox, "Poor-1")
        sandbox.control.pay("Poor-1")
        sandbox.control.set_balance(sandbox.merchant.mchid, 10)
        status, answer = await refunded(api, "Poor-1", "R1", 40)
        assert (status, answer["code"]) == (403, "NOT_ENOUGH")
        sandbox.control.set_balance(sandbox.merchant.mchid, 1000)
        assert (await refunded(api, "Poor-1", "R1", 40))[0] == 200, "the same number, once there is"

    async def test_an_abnormal_refund_is_redirected_to_another_card(self, api: Api, sandbox: Sandbox) -> None:
        sandbox.control.set_auto_complete(automatic=False)
        await placed(api, sandbox, "Stuck-1")
        sandbox.control.pay("Stuck-1")
        _, refund = await refunded(api, "Stuck-1", "R1", 40)
        sandbox.control.complete_refund("R1", "abnormal")
        assert (await api("GET /v3/refund/domestic/refunds/R1"))[1]["status"] == "ABNORMAL"
        status, sent = await api(
            f"{REFUNDS}/{refund['refund_id']}/apply-abnormal-refund", out_refund_no="R1", type="MERCHANT_BANK_CARD"
        )
        assert (status, sent["status"]) == (200, "PROCESSING")
        assert sandbox.control.run_pending() == 1
        assert (await api("GET /v3/refund/domestic/refunds/R1"))[1]["status"] == "SUCCESS"

    async def test_one_that_is_closed_gives_the_money_back(self, api: Api, sandbox: Sandbox) -> None:
        sandbox.control.set_auto_complete(automatic=False)
        await placed(api, sandbox, "Closed-1")
        sandbox.control.pay("Closed-1")
        before = sandbox.control.list("accounts")[0]["balance"]
        await refunded(api, "Closed-1", "R1", 40)
        sandbox.control.complete_refund("R1", "close")
        assert sandbox.control.list("accounts")[0]["balance"] == before
        assert (await queried(api, sandbox, "Closed-1"))["trade_state"] == "SUCCESS"
        assert (await refunded(api, "Closed-1", "R2", 100))[0] == 200

    async def test_after_a_year(self, api: Api, sandbox: Sandbox) -> None:
        await placed(api, sandbox, "Old-1")
        sandbox.control.pay("Old-1")
        sandbox.control.advance_clock(366 * 86400)
        assert (await refunded(api, "Old-1", "R1", 1))[1]["code"] == "TRADE_OVERDUE"

    async def test_an_unknown_refund(self, api: Api) -> None:
        status, answer = await api("GET /v3/refund/domestic/refunds/none")
        assert (status, answer["code"]) == (404, "RESOURCE_NOT_EXISTS")


class TestPaymentCodes:
    def fields(self, sandbox: Sandbox, number: str, code: str) -> dict[str, Any]:
        fields = order(sandbox, number, payer={"auth_code": code}, scene_info={"store_info": {"id": "1"}})
        del fields["notify_url"]
        return fields

    @pytest.mark.parametrize(
        ("code", "status", "found"),
        [
            ("130061098828009400", 200, "SUCCESS"),
            ("130061098828009499", 200, "USERPAYING"),
            ("130061098828009498", 403, "NOT_ENOUGH"),
            ("990061098828009400", 400, "AUTH_CODE_INVALID"),
        ],
    )
    async def test_the_last_digits_of_the_code_choose_the_outcome(
        self, api: Api, sandbox: Sandbox, code: str, status: int, found: str
    ) -> None:
        answered, answer = await api("POST /v3/pay/transactions/codepay", **self.fields(sandbox, "Code-1", code))
        assert (answered, answer.get("trade_state", answer.get("code"))) == (status, found)

    async def test_a_failed_payment_can_be_queried(self, api: Api, sandbox: Sandbox) -> None:
        await api("POST /v3/pay/transactions/codepay", **self.fields(sandbox, "Code-2", "130061098828009498"))
        assert (await queried(api, sandbox, "Code-2"))["trade_state"] == "PAYERROR"

    async def test_a_payment_under_way_is_confirmed_or_reversed(self, api: Api, sandbox: Sandbox) -> None:
        own = {"appid": "wx8888888888888888", "mchid": sandbox.merchant.mchid}
        for number in ("Code-3", "Code-4"):
            await api("POST /v3/pay/transactions/codepay", **self.fields(sandbox, number, "130061098828009499"))
            assert (await queried(api, sandbox, number))["trade_state"] == "USERPAYING"
        sandbox.control.pay("Code-3")
        assert (await queried(api, sandbox, "Code-3"))["trade_state"] == "SUCCESS"
        before = sandbox.control.list("accounts")[0]["balance"]
        for number in ("Code-3", "Code-4"):
            status, _ = await api(f"POST /v3/pay/transactions/out-trade-no/{number}/reverse", **own)
            assert status == 200
            assert (await queried(api, sandbox, number))["trade_state"] == "REVOKED"
        assert sandbox.control.list("accounts")[0]["balance"] < before
        await placed(api, sandbox, "Code-5")
        status, answer = await api("POST /v3/pay/transactions/out-trade-no/Code-5/reverse", **own)
        assert (status, answer["code"]) == (403, "TRADE_ERROR")


async def test_a_partner_s_orders_belong_to_the_sub_merchant(api: Api, sandbox: Sandbox) -> None:
    own = sandbox.merchant.mchid
    fields = {
        "sp_appid": "wx8888888888888888",
        "sp_mchid": own,
        "sub_mchid": "1900000777",
        "description": "一杯茶",
        "out_trade_no": "Partner-1",
        "notify_url": "https://example.com/",
        "amount": {"total": 100},
        "payer": {"sp_openid": "oPayer"},
    }
    _, answer = await api("POST /v3/pay/partner/transactions/jsapi", **fields)
    sandbox.control.pay(answer["prepay_id"])
    query = {"sp_mchid": own, "sub_mchid": "1900000777"}
    _, paid = await api("GET /v3/pay/partner/transactions/out-trade-no/Partner-1", **query)
    assert (paid["sp_mchid"], paid["sub_mchid"], paid["payer"]) == (own, "1900000777", {"sp_openid": "oPayer"})
    status, _ = await api("GET /v3/pay/transactions/out-trade-no/Partner-1", mchid=own)
    assert status == 404, "it is not the partner's own"
    amount = {"refund": 1, "total": 100, "currency": "CNY"}
    refund = {"sub_mchid": "1900000777", "out_trade_no": "Partner-1", "out_refund_no": "R1", "amount": amount}
    assert (await api(REFUNDS, **refund))[0] == 200
    assert (await api("GET /v3/refund/domestic/refunds/R1", sub_mchid="1900000777"))[1]["status"] == "SUCCESS"


async def test_combined_orders_are_paid_and_closed_whole(api: Api, sandbox: Sandbox) -> None:
    own = sandbox.merchant.mchid

    def combined(number: str) -> dict[str, Any]:
        part = {"mchid": own, "attach": "a", "description": "茶", "sub_mchid": "1900000777"}
        return {
            "combine_appid": "wx8888888888888888",
            "combine_mchid": own,
            "combine_out_trade_no": number,
            "sub_orders": [
                {**part, "out_trade_no": f"{number}-{total}", "amount": {"total_amount": total, "currency": "CNY"}}
                for total in (10, 20)
            ],
            "notify_url": "https://example.com/",
        }

    free = combined("Whole-0")
    free["sub_orders"][0]["amount"]["total_amount"] = 0
    status, answer = await api("POST /v3/combine-transactions/native", **free)
    assert (status, answer["code"]) == (400, "PARAM_ERROR")
    _, answer = await api("POST /v3/combine-transactions/native", **combined("Whole-1"))
    sandbox.control.pay(answer["code_url"])
    _, found = await api("GET /v3/combine-transactions/out-trade-no/Whole-1")
    assert [(one["trade_state"], one["amount"]["payer_amount"]) for one in found["sub_orders"]] == [
        ("SUCCESS", 10),
        ("SUCCESS", 20),
    ]
    close = "POST /v3/combine-transactions/out-trade-no"
    subs = [{"mchid": own, "sub_mchid": "1900000777", "out_trade_no": f"Whole-2-{total}"} for total in (10, 20)]
    await api("POST /v3/combine-transactions/native", **combined("Whole-2"))
    status, answer = await api(f"{close}/Whole-2/close", combine_appid="wx8888888888888888", sub_orders=subs[:1])
    assert (status, answer["code"]) == (400, "INVALID_REQUEST")
    assert (await api(f"{close}/Whole-2/close", combine_appid="wx8888888888888888", sub_orders=subs))[0] == 204
    with pytest.raises(Exception, match="ORDER_CLOSED"):
        sandbox.control.pay("Whole-2")
