"""分账: adds and deletes receivers, creates and queries profit sharing orders and returns, unfreezes the rest."""

from __future__ import annotations

from functools import partial
from typing import Any

from wxpay_dsl.sandbox.domain.sharing import MAX_RATIO, ProfitSharingOrder, ProfitSharingReturn, Receiver
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import payments, sharing
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import sharing as view

from .parameters import owner

__all__ = ["handlers"]


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/profitsharing``, without its bill (see :mod:`.bill`)."""
    base = "/v3/profitsharing"
    return {
        f"POST {base}/receivers/add": partial(_add_receiver, state),
        f"POST {base}/receivers/delete": partial(_delete_receiver, state),
        f"POST {base}/orders": partial(_create_order, state),
        f"GET {base}/orders/{{out_order_no}}": partial(_query, state),
        f"POST {base}/orders/unfreeze": partial(_unfreeze, state),
        f"POST {base}/return-orders": partial(_create_return, state),
        f"GET {base}/return-orders/{{out_return_no}}": partial(_query_return, state),
        f"GET {base}/transactions/{{transaction_id}}/amounts": partial(_amounts, state),
        f"GET {base}/merchant-configs/{{sub_mchid}}": _max_ratio,
    }


def _add_receiver(state: State, request: Request) -> Response:
    body = request.body
    names = ("relation_type", "custom_relation", "name")
    fields = {"type": body["type"], "account": body["account"]}
    fields |= {name: body[name] for name in names if body.get(name)}
    state.receivers.put(Receiver(owner(request), **fields))
    return Response(data={**_sub_mchid(request), **fields})


def _delete_receiver(state: State, request: Request) -> Response:
    body = request.body
    if state.receivers.get(owner(request), body["type"], body["account"]) is None:
        raise Refusal(400, "INVALID_REQUEST", "分账接收方关系不存在")
    state.receivers.drop(owner(request), body["type"], body["account"])
    return Response(data={**_sub_mchid(request), "type": body["type"], "account": body["account"]})


def _sub_mchid(request: Request) -> dict[str, Any]:
    mchid = request.body.get("sub_mchid")
    return {"sub_mchid": mchid} if mchid else {}


def _payment(state: State, request: Request, transaction_id: str, mchid: str) -> Transaction:
    try:
        return payments.find_transaction(state, request.mchid, mchid, transaction_id)
    except Refusal:
        raise Refusal(400, "INVALID_REQUEST", "微信订单号不存在") from None


def _create_order(state: State, request: Request) -> Response:
    body, mchid = request.body, owner(request)
    requested = ProfitSharingOrder(
        mchid=mchid,
        out_order_no=body["out_order_no"],
        caller=request.mchid,
        transaction_id=body["transaction_id"],
        created=state.now,
        receivers=tuple(
            {
                "type": one["type"],
                "account": one["account"],
                "amount": one["amount"],
                "description": one["description"],
                "result": "PENDING",
            }
            for one in body.get("receivers") or ()
        ),
        unfreezes=body["unfreeze_unsplit"],
    )
    payment = _payment(state, request, body["transaction_id"], mchid)
    return Response(data=view.order(sharing.create_order(state, requested, payment)))


def _unfreeze(state: State, request: Request) -> Response:
    body, mchid = request.body, owner(request)
    requested = ProfitSharingOrder(mchid, body["out_order_no"], request.mchid, body["transaction_id"], state.now)
    payment = _payment(state, request, body["transaction_id"], mchid)
    return Response(data=view.order(sharing.unfreeze(state, requested, payment)))


def _query(state: State, request: Request) -> Response:
    order = sharing.find_order(state, owner(request), request.path["out_order_no"])
    if order.transaction_id != request.query["transaction_id"]:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账单不存在")
    return Response(data=view.order(order))


def _create_return(state: State, request: Request) -> Response:
    body, mchid = request.body, owner(request)
    order = (
        state.profit_sharing_orders.find("order_id", body["order_id"])
        if body.get("order_id")
        else state.profit_sharing_orders.get(mchid, body.get("out_order_no", ""))
    )
    if order is None or order.mchid != mchid:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账单不存在")
    requested = ProfitSharingReturn(
        mchid=mchid,
        out_return_no=body["out_return_no"],
        out_order_no=order.out_order_no,
        order_id=order.order_id,
        return_mchid=body["return_mchid"],
        amount=body["amount"],
        description=body["description"],
        created=state.now,
    )
    return Response(data=view.order_return(sharing.create_return(state, requested, order), request.mchid))


def _query_return(state: State, request: Request) -> Response:
    order_return = state.profit_sharing_returns.get(owner(request), request.path["out_return_no"])
    if order_return is None or order_return.out_order_no != request.query["out_order_no"]:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账回退单不存在")
    return Response(data=view.order_return(order_return, request.mchid))


def _amounts(state: State, request: Request) -> Response:
    order = state.transactions.find("transaction_id", request.path["transaction_id"])
    if order is None or request.mchid not in (order.caller, order.mchid):
        raise Refusal(400, "INVALID_REQUEST", "微信订单号不存在")
    return Response(
        data={"transaction_id": order.transaction_id, "unsplit_amount": sharing.unsplit_amount(state, order)}
    )


def _max_ratio(request: Request) -> Response:
    return Response(data={"sub_mchid": request.path["sub_mchid"], "max_max_ratio": MAX_RATIO})
