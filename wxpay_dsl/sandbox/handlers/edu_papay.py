"""教育续费通: pre-signs, queries and terminates contracts, and deducts under them."""

from __future__ import annotations

from functools import partial
from typing import Final

from attrs import evolve

from wxpay_dsl.sandbox.domain import numbers
from wxpay_dsl.sandbox.domain.contracts import Contract, expect_signed
from wxpay_dsl.sandbox.flows import contracts, payments
from wxpay_dsl.sandbox.protocol.messages import Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views.contracts import edu_contract, edu_transaction

from .papay import read_deduction
from .parameters import owner, page

__all__ = ["handlers"]

_PRODUCT: Final = "edu-papay"
#: Fields of the request that each response repeats.
_ECHOED: Final = ("sub_appid", "sub_openid", "user_id", "period_start_date", "trade_scene")
#: Entries of a page by default.
_PAGE: Final = 20


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/edu-papay``."""
    base = "/v3/edu-papay"
    return {
        f"POST {base}/contracts/presign": partial(_presign, state),
        f"GET {base}/contracts/id/{{contract_id}}": partial(_query, state),
        f"DELETE {base}/contracts/{{contract_id}}": partial(_terminate, state),
        f"GET {base}/user/{{openid}}/contracts": partial(_list, state),
        f"POST {base}/user-notifications/{{contract_id}}/send": partial(_send_notice, state),
        f"POST {base}/transactions": partial(_deduct, state),
        f"GET {base}/transactions/id/{{transaction_id}}": partial(_query_by_id, state),
        f"GET {base}/transactions/out-trade-no/{{out_trade_no}}": partial(_query_by_number, state),
    }


def _presign(state: State, request: Request) -> Response:
    body = request.body
    requested = Contract(
        product=_PRODUCT,
        mchid=owner(request),
        out_contract_code=numbers.token(),
        plan_id=body["plan_id"],
        appid=body["appid"],
        caller=request.mchid,
        created=state.now,
        openid=body["openid"],
        echoed={name: body[name] for name in _ECHOED if name in body},
        token=f"presign_token_{numbers.token()}",
    )
    return Response(data={"presign_token": contracts.presign(state, requested).token})


def _find(state: State, request: Request) -> Contract:
    contract = state.contracts.find("contract_id", request.path["contract_id"])
    return contracts.expect_own(contract, _PRODUCT, request.mchid)


def _query(state: State, request: Request) -> Response:
    return Response(data=edu_contract(_find(state, request)))


def _terminate(state: State, request: Request) -> Response:
    contracts.terminate(state, _find(state, request), "MCH_API_TERMINATE", "")
    return Response(204)


def _list(state: State, request: Request) -> Response:
    query = request.query
    listed = [
        one
        for one in state.contracts.all()
        if (one.product, one.mchid, one.openid) == (_PRODUCT, owner(request), request.path["openid"])
        and one.plan_id == query["plan_id"]
        and one.state == query.get("contract_status", one.state)
        and one.state != "PRESIGNED"
    ]
    return Response(data=page([edu_contract(one) for one in listed], query, _PAGE))


def _send_notice(state: State, request: Request) -> Response:
    expect_signed(_find(state, request))
    return Response(204)


def _deduct(state: State, request: Request) -> Response:
    body = request.body
    contract, order = read_deduction(state, request, _PRODUCT)
    order = evolve(
        order,
        appid=body["appid"],
        sub_appid=body.get("sub_appid", ""),
        description=body["body"],
        notify_url=body["notify_url"],
        goods_tag=body.get("goods_tag", ""),
        contents={**order.contents, "device_information": body["device_information"]},
    )
    contracts.deduct(state, contract, order)
    return Response(204)


def _query_by_id(state: State, request: Request) -> Response:
    order = payments.find_transaction(state, request.mchid, owner(request), request.path["transaction_id"])
    return Response(data=edu_transaction(order))


def _query_by_number(state: State, request: Request) -> Response:
    order = payments.find_order(state, request.mchid, owner(request), request.path["out_trade_no"])
    return Response(data=edu_transaction(order))
