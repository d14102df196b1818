"""委托代扣: contracts that a user signs once, and what is collected by them."""

from __future__ import annotations

from functools import partial
from typing import Final

from wxpay_dsl.sandbox.domain.contracts import Contract, expect_signed
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import contracts
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views.contracts import papay_contract

from .pay import check_number

__all__ = ["handlers"]

_PRODUCT: Final = "papay"
#: What a request says and each answer gives back.
_TOLD: Final = ("contract_display_account", "out_user_code")


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/papay`` for merchants and partners."""
    number = "contracts/plan-id/{plan_id}/out-contract-code/{out_contract_code}"
    found: dict[str, Handler] = {
        "POST /v3/papay/sign/contracts/pre-entrust-sign": partial(_presign, state),
        "POST /v3/papay/contracts/{contract_id}/notify": partial(_announce, state),
        "POST /v3/papay/contracts/{contract_id}/fail-notify": partial(_announce, state),
        "POST /v3/partner-papay/contracts/{contract_id}/notify": partial(_announce, state),
        "POST /v3/partner-papay/contracts/{contract_id}/fail-notify": partial(_announce, state),
    }
    for kind in ("app", "h5", "jsapi", "mini-program"):
        for base in ("scheduled-deduct-sign", "scheduled-deduct-sign/partner"):
            found[f"POST /v3/papay/{base}/contracts/pre-entrust-sign/{kind}"] = partial(_presign, state)
    for base in ("/v3/papay/sign", "/v3/papay/sign/partner"):
        found[f"GET {base}/{number}"] = partial(_query, state)
        found[f"POST {base}/{number}/terminate"] = partial(_terminate, state)
    for base in ("/v3/papay/pay", "/v3/papay/pay/partner"):
        found[f"POST {base}/transactions/apply"] = partial(_deduct, state)
    return found


def _owner(request: Request) -> str:
    mchid: str = {**request.query, **request.body}.get("sub_mchid") or request.mchid
    return mchid


def _presign(state: State, request: Request) -> Response:
    body = request.body
    wanted = Contract(
        product=_PRODUCT,
        mchid=_owner(request),
        out_contract_code=body["out_contract_code"],
        plan_id=str(body["plan_id"]),
        appid=body.get("appid") or body.get("sp_appid", ""),
        caller=request.mchid,
        created=state.now,
        openid=body.get("openid") or body.get("sp_openid", ""),
        told={name: body[name] for name in _TOLD if name in body},
        notify_url=body.get("contract_notify_url", ""),
    )
    contract = contracts.presign(state, wanted)
    page = f"{request.origin}/sandbox/sign/{contract.token}"
    return Response(
        data={
            "pre_entrustweb_id": contract.token,
            "redirect_url": page,
            "mini_program_appid": "wxbd687630cd02ce1d",
            "mini_program_username": "gh_a7b0c4bd4e8c",
            "mini_program_path": f"pages/index/index?pre_entrustweb_id={contract.token}",
        }
    )


def _named(state: State, request: Request) -> Contract:
    path = request.path
    found = state.contracts.get(_PRODUCT, _owner(request), str(path["plan_id"]), path["out_contract_code"])
    if found is not None and found.state == "PRESIGNED":
        found = None
    return contracts.find(found, _PRODUCT, request.mchid)


def _query(state: State, request: Request) -> Response:
    return Response(data=papay_contract(_named(state, request)))


def _terminate(state: State, request: Request) -> Response:
    remark = request.body["contract_termination_remark"]
    ended = contracts.terminate(state, _named(state, request), "MCH_API_TERMINATE", remark)
    return Response(data=papay_contract(ended))


def _announce(state: State, request: Request) -> Response:
    found = state.contracts.find("contract_id", request.path["contract_id"])
    expect_signed(contracts.find(found, _PRODUCT, request.mchid))
    return Response(204)


def _deduct(state: State, request: Request) -> Response:
    body = request.body
    check_number(body["out_trade_no"])
    contract = contracts.find(state.contracts.find("contract_id", body["contract_id"]), _PRODUCT, request.mchid)
    if body["amount"]["total"] < 1:
        raise Refusal(400, "PARAM_ERROR", "扣费金额必须大于0")
    order = Transaction(
        mchid=contract.mchid,
        out_trade_no=body["out_trade_no"],
        caller=request.mchid,
        trade_type="PAP",
        total=body["amount"]["total"],
        currency=body["amount"].get("currency", "CNY"),
        created=state.now,
        appid=body.get("appid") or body.get("sp_appid", ""),
        description=body.get("description", ""),
        attach=body.get("attach", ""),
        notify_url=body.get("transaction_notify_url", ""),
        openid=contract.openid,
        contents={"contract_id": contract.contract_id, "amount": body["amount"]},
    )
    placed = contracts.deduct(state, contract, order)
    amount = {"total": placed.total, "currency": placed.currency}
    return Response(request.operation.status, {"out_trade_no": placed.out_trade_no, "amount": amount})
