"""Contracts, payscore orders, shares and transfers: each step in its order, and what it is refused with out of it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from wxpay_dsl.sandbox import Sandbox

from .conftest import Api, order


class TestEduPapay:
    """教育续费通: presign, sign, collect, query, terminate."""

    async def signed(self, api: Api, sandbox: Sandbox) -> str:
        _, answer = await api(
            "POST /v3/edu-papay/contracts/presign",
            appid="wx8888888888888888",
            openid="oParent",
            plan_id="12535",
            user_id="20200328",
            period_start_date="2026-03-19",
            trade_scene="EDUCATION_PERIOD",
        )
        contract_id: str = sandbox.control.sign(answer["presign_token"])["contract_id"]
        return contract_id

    def deduction(self, contract_id: str, number: str) -> dict[str, Any]:
        return {
            "appid": "wx8888888888888888",
            "body": "语文课程",
            "out_trade_no": number,
            "notify_url": "https://example.com/",
            "contract_id": contract_id,
            "trade_scene": "EDUCATION_PERIOD",
            "amount": {"total": 888, "currency": "CNY"},
            "device_information": {"device_ip": "127.0.0.1"},
        }

    async def test_a_deduction_must_be_positive(self, api: Api, sandbox: Sandbox) -> None:
        contract_id = await self.signed(api, sandbox)
        deduction = {**self.deduction(contract_id, "Term-0"), "amount": {"total": 0, "currency": "CNY"}}
        status, answer = await api("POST /v3/edu-papay/transactions", **deduction)
        assert (status, answer["code"], answer["detail"]["field"]) == (400, "PARAM_ERROR", "/amount/total")

    async def test_a_term_is_collected(self, api: Api, sandbox: Sandbox) -> None:
        contract_id = await self.signed(api, sandbox)
        _, contract = await api(f"GET /v3/edu-papay/contracts/id/{contract_id}", appid="wx8888888888888888")
        assert contract["contract_information"]["contract_status"] == "SIGNED"
        assert (await api("POST /v3/edu-papay/transactions", **self.deduction(contract_id, "Term-1")))[0] == 204
        _, paid = await api("GET /v3/edu-papay/transactions/out-trade-no/Term-1")
        assert (paid["trade_state"], paid["amount"]["payer_total"], paid["payer"]) == (
            "SUCCESS",
            888,
            {"openid": "oParent"},
        )
        assert (await api(f"GET /v3/edu-papay/transactions/id/{paid['transaction_id']}"))[1] == paid
        amount = {"refund": 888, "total": 888, "currency": "CNY"}
        refund = {"transaction_id": paid["transaction_id"], "out_refund_no": "R1", "amount": amount}
        assert (await api("POST /v3/refund/domestic/refunds", **refund))[0] == 200

    async def test_a_contract_that_is_over_collects_nothing(self, api: Api, sandbox: Sandbox) -> None:
        contract_id = await self.signed(api, sandbox)
        assert (await api(f"DELETE /v3/edu-papay/contracts/{contract_id}"))[0] == 204
        status, answer = await api("POST /v3/edu-papay/transactions", **self.deduction(contract_id, "Term-2"))
        assert (status, answer["code"]) == (400, "INVALID_REQUEST")
        status, answer = await api(f"DELETE /v3/edu-papay/contracts/{contract_id}")
        assert (status, answer["code"]) == (400, "INVALID_REQUEST")
        status, answer = await api("POST /v3/edu-papay/transactions", **self.deduction("unknown", "Term-3"))
        assert (status, answer["code"]) == (404, "RESOURCE_NOT_EXISTS")

    async def test_a_user_s_contracts_are_listed(self, api: Api, sandbox: Sandbox) -> None:
        numbers = [await self.signed(api, sandbox) for _ in range(3)]
        _, page = await api(
            "GET /v3/edu-papay/user/oParent/contracts",
            appid="wx8888888888888888",
            plan_id="12535",
            offset=1,
            limit=1,
        )
        assert page["total_count"] == 3
        assert [one["contract_information"]["contract_id"] for one in page["data"]] == numbers[1:2]


class TestPapay:
    """委托代扣: pre-sign, sign, collect, query, terminate."""

    PRESIGN: ClassVar[dict[str, Any]] = {
        "sign_scene": "SIGN_SCENE_APP",
        "appid": "wx8888888888888888",
        "plan_id": 12535,
        "out_contract_code": "Contract1",
        "contract_display_account": "张三",
        "contract_notify_url": "https://example.com/",
        "out_user_code": "user-1",
        "device_info": {
            "device_type": "DEVICE_TYPE_PHONE",
            "device_os": "Android",
            "device_id": "1",
            "device_running_as_root": False,
            "device_ip": "127.0.0.1",
            "weixin_installed": True,
            "weixin_version": "8",
            "days_since_first_login": "DAYS_SINCE_FIRST_LOGIN_UNKNOW",
        },
    }
    NUMBER = "/v3/papay/sign/contracts/plan-id/12535/out-contract-code/Contract1"

    async def test_from_the_signature_to_the_end(self, api: Api, sandbox: Sandbox) -> None:
        presign = "POST /v3/papay/sign/contracts/pre-entrust-sign"
        _, presigned = await api(presign, **self.PRESIGN)
        assert (await api(f"GET {self.NUMBER}"))[0] == 404, "not signed yet"
        sandbox.control.sign(presigned["pre_entrustweb_id"], openid="oPayer")
        _, contract = await api(f"GET {self.NUMBER}")
        assert (contract["contract_state"], contract["plan_id"], contract["openid"]) == ("SIGNED", 12535, "oPayer")
        assert (await api(presign, **self.PRESIGN))[1]["code"] == "INVALID_REQUEST", "signed already"
        collect = {
            "appid": "wx8888888888888888",
            "out_trade_no": "Month-1",
            "description": "会员",
            "transaction_notify_url": "https://example.com/",
            "contract_id": contract["contract_id"],
            "amount": {"total": 1500, "currency": "CNY"},
        }
        assert (await api("POST /v3/papay/pay/transactions/apply", **collect))[0] in (200, 202)
        _, paid = await api("GET /v3/pay/transactions/out-trade-no/Month-1", mchid=sandbox.merchant.mchid)
        assert (paid["trade_state"], paid["trade_type"]) == ("SUCCESS", "PAP")
        _, ended = await api(f"POST {self.NUMBER}/terminate", contract_termination_remark="不再使用")
        assert ended["contract_state"] == "TERMINATED"
        assert ended["contract_terminate_info"]["contract_termination_mode"] == "MCH_API_TERMINATE"
        again = {**collect, "out_trade_no": "Month-2"}
        assert (await api("POST /v3/papay/pay/transactions/apply", **again))[1]["code"] == "INVALID_REQUEST"

    async def test_the_user_may_end_it_too(self, api: Api, sandbox: Sandbox) -> None:
        _, presigned = await api("POST /v3/papay/sign/contracts/pre-entrust-sign", **self.PRESIGN)
        sandbox.control.terminate(sandbox.control.sign(presigned["redirect_url"])["contract_id"])
        _, ended = await api(f"GET {self.NUMBER}")
        assert ended["contract_terminate_info"]["contract_termination_mode"] == "USER_TERMINATE"


class TestPayscore:
    """微信支付分: created, confirmed, completed, collected."""

    BASE = "/v3/payscore/serviceorder"
    OWN: ClassVar[dict[str, Any]] = {"appid": "wx8888888888888888", "service_id": "500001"}
    DONE: ClassVar[dict[str, Any]] = {**OWN, "post_payments": [{"name": "房费", "amount": 4000}], "total_amount": 4000}

    async def created(self, api: Api, **more: Any) -> Any:
        fields = {
            **self.OWN,
            "out_order_no": "Stay-1",
            "service_introduction": "酒店",
            "time_range": {"start_time": "OnAccept"},
            "risk_fund": {"name": "DEPOSIT", "amount": 10000},
            "notify_url": "https://example.com/",
            **more,
        }
        return (await api(f"POST {self.BASE}", **fields))[1]

    async def state(self, api: Api) -> tuple[str, str]:
        _, found = await api(f"GET {self.BASE}", out_order_no="Stay-1", **self.OWN)
        return found["state"], found.get("state_description", "")

    async def test_step_by_step(self, api: Api, sandbox: Sandbox) -> None:
        sandbox.control.set_auto_complete(automatic=False)
        created = await self.created(api)
        assert (created["state"], bool(created["package"])) == ("CREATED", True)
        assert (await api(f"POST {self.BASE}/Stay-1/complete", **self.DONE))[1]["code"] == "INVALID_REQUEST"
        sandbox.control.confirm(created["package"], openid="oGuest")
        assert await self.state(api) == ("DOING", "USER_CONFIRM")
        wrong = {**self.DONE, "total_amount": 3999}
        assert (await api(f"POST {self.BASE}/Stay-1/complete", **wrong))[1]["code"] == "PARAM_ERROR"
        assert (await api(f"POST {self.BASE}/Stay-1/complete", **self.DONE))[0] == 200
        assert await self.state(api) == ("DOING", "MCH_COMPLETE")
        lower = {**self.DONE, "post_payments": [{"name": "房费", "amount": 3000}], "total_amount": 3000}
        assert (await api(f"POST {self.BASE}/Stay-1/modify", **lower, reason="优惠"))[1]["total_amount"] == 3000
        higher = {**self.DONE, "post_payments": [{"name": "房费", "amount": 3001}], "total_amount": 3001}
        assert (await api(f"POST {self.BASE}/Stay-1/modify", **higher, reason="加价"))[1]["code"] == "INVALID_REQUEST"
        cancel = {**self.OWN, "reason": "用户退房"}
        assert (await api(f"POST {self.BASE}/Stay-1/cancel", **cancel))[1]["code"] == "INVALID_REQUEST"
        sandbox.control.run_pending()
        _, found = await api(f"GET {self.BASE}", out_order_no="Stay-1", **self.OWN)
        assert (found["state"], found["collection"]["paid_amount"]) == ("DONE", 3000)
        transaction_id = found["collection"]["details"][0]["transaction_id"]
        amount = {"refund": 1000, "total": 3000, "currency": "CNY"}
        refund = {"transaction_id": transaction_id, "out_refund_no": "R1", "amount": amount}
        assert (await api("POST /v3/refund/domestic/refunds", **refund))[0] == 200

    async def test_cancelled_before_it_began(self, api: Api) -> None:
        await self.created(api)
        assert (await api(f"POST {self.BASE}/Stay-1/cancel", **self.OWN, reason="不住了"))[0] == 200
        assert await self.state(api) == ("REVOKED", "")

    async def test_paid_in_person(self, api: Api, sandbox: Sandbox) -> None:
        sandbox.control.set_auto_complete(automatic=False)
        await self.created(api, need_user_confirm=False, openid="oGuest")
        await api(f"POST {self.BASE}/Stay-1/complete", **self.DONE)
        detail = {"paid_time": "20260102150405"}
        _, synced = await api(f"POST {self.BASE}/Stay-1/sync", **self.OWN, type="Order_Paid", detail=detail)
        assert (synced["state"], synced["collection"]["details"][0]["paid_type"]) == ("DONE", "MCH")
        assert synced["collection"]["details"][0]["paid_time"] == "20260102150405"
        assert sandbox.control.run_pending() == 0, "nothing is collected once more"

    async def test_not_confirmed_in_time(self, api: Api, sandbox: Sandbox) -> None:
        await self.created(api)
        sandbox.control.advance_clock(31 * 86400)
        assert (await self.state(api))[0] == "EXPIRED"

    async def test_the_same_number_for_something_else(self, api: Api) -> None:
        await self.created(api)
        again = await self.created(api, risk_fund={"name": "DEPOSIT", "amount": 1})
        assert again["code"] == "INVALID_REQUEST"


class TestProfitSharing:
    """分账: receivers, shares, returns, release."""

    RECEIVER: ClassVar[dict[str, Any]] = {"type": "MERCHANT_ID", "account": "1900000110"}

    async def paid(self, api: Api, sandbox: Sandbox, *, shares: bool = True) -> str:
        fields = order(sandbox, "Shared-1", 1000, settle_info={"profit_sharing": shares})
        await api("POST /v3/pay/transactions/native", **fields)
        transaction_id: str = sandbox.control.pay("Shared-1")["transaction_id"]
        return transaction_id

    async def share(self, api: Api, transaction_id: str, number: str, amount: int, **more: Any) -> tuple[int, Any]:
        receiver = {**self.RECEIVER, "amount": amount, "description": "分给门店"}
        fields = {"transaction_id": transaction_id, "out_order_no": number, "receivers": [receiver], **more}
        return await api("POST /v3/profitsharing/orders", **{"unfreeze_unsplit": False, **fields})

    async def add_receiver(self, api: Api) -> None:
        status, _ = await api(
            "POST /v3/profitsharing/receivers/add",
            appid="wx8888888888888888",
            **self.RECEIVER,
            relation_type="STORE",
        )
        assert status == 200

    async def left(self, api: Api, transaction_id: str) -> int:
        _, answer = await api(f"GET /v3/profitsharing/transactions/{transaction_id}/amounts")
        left: int = answer["unsplit_amount"]
        return left

    async def test_shares_returns_and_release(self, api: Api, sandbox: Sandbox) -> None:
        transaction_id = await self.paid(api, sandbox)
        assert (await self.share(api, transaction_id, "S0", 1))[1]["code"] == "INVALID_REQUEST", "no such receiver"
        await self.add_receiver(api)
        assert (await self.share(api, transaction_id, "S1", 300))[1]["state"] == "PROCESSING"
        assert (await self.share(api, transaction_id, "S1", 300))[0] == 200, "the same once more"
        assert (await self.share(api, transaction_id, "S1", 301))[1]["code"] == "INVALID_REQUEST"
        assert (await self.share(api, transaction_id, "S2", 701))[1]["code"] == "NOT_ENOUGH"
        assert await self.left(api, transaction_id) == 700
        give_back = {
            "out_order_no": "S1",
            "out_return_no": "B1",
            "return_mchid": "1900000110",
            "amount": 100,
            "description": "退",
        }
        status, back = await api("POST /v3/profitsharing/return-orders", **give_back)
        assert (status, back["result"]) == (200, "SUCCESS")
        assert await self.left(api, transaction_id) == 800
        too_much = {**give_back, "out_return_no": "B2", "amount": 201}
        assert (await api("POST /v3/profitsharing/return-orders", **too_much))[1]["code"] == "NOT_ENOUGH"
        _, found = await api("GET /v3/profitsharing/return-orders/B1", out_order_no="S1")
        assert found["return_id"] == back["return_id"]
        release = {"transaction_id": transaction_id, "out_order_no": "U1", "description": "解冻"}
        assert (await api("POST /v3/profitsharing/orders/unfreeze", **release))[0] == 200
        assert await self.left(api, transaction_id) == 0
        assert (await self.share(api, transaction_id, "S3", 1))[1]["code"] == "NOT_ENOUGH"
        _, order_ = await api("GET /v3/profitsharing/orders/S1", transaction_id=transaction_id)
        assert (order_["state"], order_["receivers"][0]["result"]) == ("FINISHED", "SUCCESS")

    async def test_a_payment_that_was_not_marked_for_it(self, api: Api, sandbox: Sandbox) -> None:
        transaction_id = await self.paid(api, sandbox, shares=False)
        await self.add_receiver(api)
        assert (await self.share(api, transaction_id, "S1", 1))[1]["code"] == "INVALID_REQUEST"

    @pytest.mark.parametrize("missing", ["type", "account"])
    async def test_a_receiver_needs_type_and_account(self, api: Api, missing: str) -> None:
        receiver = {name: value for name, value in self.RECEIVER.items() if name != missing}
        fields = {"appid": "wx8888888888888888", "relation_type": "STORE", **receiver}
        status, answer = await api("POST /v3/profitsharing/receivers/add", **fields)
        assert (status, answer["code"]) == (400, "PARAM_ERROR")

    async def test_a_receiver_that_was_removed(self, api: Api, sandbox: Sandbox) -> None:
        transaction_id = await self.paid(api, sandbox)
        await self.add_receiver(api)
        remove = {"appid": "wx8888888888888888", **self.RECEIVER}
        assert (await api("POST /v3/profitsharing/receivers/delete", **remove))[0] == 200
        assert (await self.share(api, transaction_id, "S1", 1))[1]["code"] == "INVALID_REQUEST"


class TestTransfers:
    """商家转账: begun, confirmed by the user, or cancelled before that."""

    BASE = "/v3/fund-app/mch-transfer/transfer-bills"

    async def begun(self, api: Api, number: str = "T1", amount: int = 5000) -> tuple[int, Any]:
        return await api(
            f"POST {self.BASE}",
            appid="wx8888888888888888",
            out_bill_no=number,
            openid="oWorker",
            transfer_amount=amount,
            transfer_remark="报销",
            transfer_scene_id="1000",
            transfer_scene_report_infos=[{"info_type": "活动名称", "info_content": "新会员有礼"}],
        )

    async def state(self, api: Api, number: str = "T1") -> str:
        _, found = await api(f"GET {self.BASE}/out-bill-no/{number}")
        state: str = found["state"]
        return state

    async def test_the_user_takes_it(self, api: Api, sandbox: Sandbox) -> None:
        before = sandbox.state.account(sandbox.merchant.mchid).balance
        _, begun = await self.begun(api)
        assert (begun["state"], await self.state(api)) == ("WAIT_USER_CONFIRM", "WAIT_USER_CONFIRM")
        sandbox.control.confirm(begun["package_info"])
        assert await self.state(api) == "SUCCESS"
        assert sandbox.state.account(sandbox.merchant.mchid).balance == before - 5000
        status, answer = await api(f"POST {self.BASE}/out-bill-no/T1/cancel")
        assert (status, answer["code"]) == (400, "INVALID_REQUEST")

    @pytest.mark.parametrize("end", ["cancelled", "declined", "overdue"])
    async def test_what_does_not_arrive_comes_back(self, api: Api, sandbox: Sandbox, end: str) -> None:
        before = sandbox.state.account(sandbox.merchant.mchid).balance
        await self.begun(api)
        if end == "cancelled":
            assert (await api(f"POST {self.BASE}/out-bill-no/T1/cancel"))[1]["state"] == "CANCELLED"
        elif end == "declined":
            sandbox.control.decline("T1")
        else:
            sandbox.control.advance_clock(86401)
        assert await self.state(api) == ("CANCELLED" if end == "cancelled" else "FAIL")
        assert sandbox.state.account(sandbox.merchant.mchid).balance == before
        with pytest.raises(Exception, match="INVALID_REQUEST"):
            sandbox.control.confirm("T1")

    async def test_what_cannot_be_begun(self, api: Api, sandbox: Sandbox) -> None:
        await self.begun(api)
        assert (await self.begun(api))[0] == 200, "the same once more"
        assert (await self.begun(api, amount=5001))[1]["code"] == "ALREADY_EXISTS"
        assert (await self.begun(api, "T2", 200_000))[1]["code"] == "PARAM_ERROR", "a name is needed"
        sandbox.control.set_balance(sandbox.merchant.mchid, 100)
        assert (await self.begun(api, "T3"))[1]["code"] == "NOT_ENOUGH"
        assert (await api(f"GET {self.BASE}/out-bill-no/none"))[1]["code"] == "NOT_FOUND"


class TestBatches:
    """批量转账到零钱: accepted as a whole, then finished."""

    BASE = "/v3/transfer/batches"

    async def created(self, api: Api, *amounts: int, **more: Any) -> tuple[int, Any]:
        details = [
            {
                "out_detail_no": f"Detail{number}",
                "transfer_amount": amount,
                "transfer_remark": "报销",
                "openid": f"oWorker{number}",
            }
            for number, amount in enumerate(amounts)
        ]
        fields = {
            "appid": "wx8888888888888888",
            "out_batch_no": "Batch1",
            "batch_name": "报销",
            "batch_remark": "三月",
            "total_amount": sum(amounts),
            "total_num": len(amounts),
            "transfer_detail_list": details,
            **more,
        }
        return await api(f"POST {self.BASE}", **fields)

    async def test_from_acceptance_to_the_end(self, api: Api, sandbox: Sandbox) -> None:
        sandbox.control.set_auto_complete(automatic=False)
        before = sandbox.state.account(sandbox.merchant.mchid).balance
        status, created = await self.created(api, 100, 200)
        assert (status, created["batch_status"]) == (200, "ACCEPTED")
        assert sandbox.state.account(sandbox.merchant.mchid).balance == before - 300
        assert (await self.created(api, 100, 200))[1]["batch_id"] == created["batch_id"], "the same batch"
        assert (await self.created(api, 100, 201))[1]["code"] == "ALREADY_EXISTS"
        assert sandbox.control.run_pending() == 1
        query = {"need_query_detail": "true", "detail_status": "SUCCESS", "offset": 1, "limit": 1}
        _, found = await api(f"GET {self.BASE}/batch-id/{created['batch_id']}", **query)
        batch, (detail,) = found["transfer_batch"], found["transfer_detail_list"]
        assert (batch["batch_status"], batch["success_amount"], batch["success_num"]) == ("FINISHED", 300, 2)
        assert detail["out_detail_no"] == "Detail1"
        _, one = await api(f"GET {self.BASE}/out-batch-no/Batch1/details/out-detail-no/Detail1")
        assert (one["detail_id"], one["transfer_amount"], one["detail_status"]) == (detail["detail_id"], 200, "SUCCESS")

    @pytest.mark.parametrize(
        ("amounts", "more", "code"),
        [
            ((100, 200), {"total_num": 3}, "PARAM_ERROR"),
            ((100, 200), {"total_amount": 301}, "PARAM_ERROR"),
            ((100, 0), {}, "PARAM_ERROR"),
            ((100, -50), {}, "PARAM_ERROR"),
            ((10**8, 1), {}, "NOT_ENOUGH"),
        ],
    )
    async def test_what_is_refused(
        self, api: Api, sandbox: Sandbox, amounts: tuple[int, ...], more: dict[str, int], code: str
    ) -> None:
        assert (await self.created(api, *amounts, **more))[1]["code"] == code
        assert sandbox.control.list("batches") == []
