"""委托代扣: pre-signs, queries and terminates contracts, and deducts under them."""

from __future__ import annotations

from functools import partial
from typing import Final

from attrs import evolve

from wxpay_dsl.sandbox.domain.contracts import Contract, expect_signed
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import contracts
from wxpay_dsl.sandbox.protocol.messages import Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views.contracts import papay_contract

from .parameters import check_amount, check_number, owner

__all__ = ["handlers", "read_deduction"]

_PRODUCT: Final = "papay"
#: Fields of the request that each response repeats.
_ECHOED: Final = ("contract_display_account", "out_user_code")


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/papay`` for merchants and partners."""
    number = "contracts/plan-id/{plan_id}/out-contract-code/{out_contract_code}"
    table: dict[str, Handler] = {
        "POST /v3/papay/sign/contracts/pre-entrust-sign": partial(_presign, state),
        "POST /v3/papay/contracts/{contract_id}/notify": partial(_send_notice, state),
        "POST /v3/papay/contracts/{contract_id}/fail-notify": partial(_send_notice, state),
        "POST /v3/partner-papay/contracts/{contract_id}/notify": partial(_send_notice, state),
        "POST /v3/partner-papay/contracts/{contract_id}/fail-notify": partial(_send_notice, state),
    }
    for kind in ("app", "h5", "jsapi", "mini-program"):
        for base in ("scheduled-deduct-sign", "scheduled-deduct-sign/partner"):
            table[f"POST /v3/papay/{base}/contracts/pre-entrust-sign/{kind}"] = partial(_presign, state)
    for base in ("/v3/papay/sign", "/v3/papay/sign/partner"):
        table[f"GET {base}/{number}"] = partial(_query, state)
        table[f"POST {base}/{number}/terminate"] = partial(_terminate, state)
    for base in ("/v3/papay/pay", "/v3/papay/pay/partner"):
        table[f"POST {base}/transactions/apply"] = partial(_deduct, state)
    return table


def _presign(state: State, request: Request) -> Response:
    body = request.body
    requested = Contract(
        product=_PRODUCT,
        mchid=owner(request),
        out_contract_code=body["out_contract_code"],
        plan_id=str(body["plan_id"]),
        appid=body.get("appid") or body.get("sp_appid", ""),
        caller=request.mchid,
        created=state.now,
        openid=body.get("openid") or body.get("sp_openid", ""),
        echoed={name: body[name] for name in _ECHOED if name in body},
        notify_url=body.get("contract_notify_url", ""),
    )
    contract = contracts.presign(state, requested)
    return Response(
        data={
            "pre_entrustweb_id": contract.token,
            "redirect_url": f"{request.origin}/sandbox/sign/{contract.token}",
            "mini_program_appid": "wxbd687630cd02ce1d",
            "mini_program_username": "gh_a7b0c4bd4e8c",
            "mini_program_path": f"pages/index/index?pre_entrustweb_id={contract.token}",
        }
    )


def _find(state: State, request: Request) -> Contract:
    path = request.path
    contract = state.contracts.get(_PRODUCT, owner(request), str(path["plan_id"]), path["out_contract_code"])
    if contract is not None and contract.state == "PRESIGNED":
        # The service knows a contract only once the user has signed it.
        contract = None
    return contracts.expect_own(contract, _PRODUCT, request.mchid)


def _query(state: State, request: Request) -> Response:
    return Response(data=papay_contract(_find(state, request)))


def _terminate(state: State, request: Request) -> Response:
    remark = request.body["contract_termination_remark"]
    ended = contracts.terminate(state, _find(state, request), "MCH_API_TERMINATE", remark)
    return Response(data=papay_contract(ended))


def _send_notice(state: State, request: Request) -> Response:
    contract = state.contracts.find("contract_id", request.path["contract_id"])
    expect_signed(contracts.expect_own(contract, _PRODUCT, request.mchid))
    return Response(204)


def read_deduction(state: State, request: Request, product: str) -> tuple[Contract, Transaction]:
    """Reads the contract and the order of a deduction, without the fields that differ by product. Raises Refusal."""
    body = request.body
    check_number(body["out_trade_no"])
    contract = contracts.expect_own(state.contracts.find("contract_id", body["contract_id"]), product, request.mchid)
    check_amount(body["amount"]["total"], "扣费金额")
    order = Transaction(
        mchid=contract.mchid,
        out_trade_no=body["out_trade_no"],
        caller=request.mchid,
        trade_type="PAP",
        total=body["amount"]["total"],
        currency=body["amount"].get("currency", "CNY"),
        created=state.now,
        attach=body.get("attach", ""),
        openid=contract.openid,
        contents={"contract_id": contract.contract_id, "amount": body["amount"]},
    )
    return contract, order


def _deduct(state: State, request: Request) -> Response:
    body = request.body
    contract, order = read_deduction(state, request, _PRODUCT)
    order = evolve(
        order,
        appid=body.get("appid") or body.get("sp_appid", ""),
        description=body.get("description", ""),
        notify_url=body.get("transaction_notify_url", ""),
    )
    order = contracts.deduct(state, contract, order)
    amount = {"total": order.total, "currency": order.currency}
    return Response(request.operation.status, {"out_trade_no": order.out_trade_no, "amount": amount})
