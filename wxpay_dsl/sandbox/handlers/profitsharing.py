"""分账: receivers, orders of shares, their return, and the release of what is left."""

from __future__ import annotations

from functools import partial

from wxpay_dsl.sandbox.domain.sharing import MAX_RATIO, Receiver, Share, ShareReturn
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import payments, sharing
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import v3

__all__ = ["handlers"]


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/profitsharing``; its bill is with the other bills."""
    base = "/v3/profitsharing"
    return {
        f"POST {base}/receivers/add": partial(_add_receiver, state),
        f"POST {base}/receivers/delete": partial(_delete_receiver, state),
        f"POST {base}/orders": partial(_share, state),
        f"GET {base}/orders/{{out_order_no}}": partial(_query, state),
        f"POST {base}/orders/unfreeze": partial(_unfreeze, state),
        f"POST {base}/return-orders": partial(_give_back, state),
        f"GET {base}/return-orders/{{out_return_no}}": partial(_query_return, state),
        f"GET {base}/transactions/{{transaction_id}}/amounts": partial(_amounts, state),
        f"GET {base}/merchant-configs/{{sub_mchid}}": _ratio,
    }


def _owner(request: Request) -> str:
    mchid: str = {**request.query, **request.body}.get("sub_mchid") or request.mchid
    return mchid


def _add_receiver(state: State, request: Request) -> Response:
    body = request.body
    names = ("type", "account", "relation_type", "custom_relation", "name")
    told = {name: body[name] for name in names if body.get(name)}
    state.receivers.put(Receiver(_owner(request), **told))
    sub = {"sub_mchid": body["sub_mchid"]} if body.get("sub_mchid") else {}
    return Response(data={**sub, **told})


def _delete_receiver(state: State, request: Request) -> Response:
    body = request.body
    if state.receivers.get(_owner(request), body["type"], body["account"]) is None:
        raise Refusal(400, "INVALID_REQUEST", "分账接收方关系不存在")
    state.receivers.drop(_owner(request), body["type"], body["account"])
    sub = {"sub_mchid": body["sub_mchid"]} if body.get("sub_mchid") else {}
    return Response(data={**sub, "type": body["type"], "account": body["account"]})


def _payment(state: State, request: Request, transaction_id: str, mchid: str) -> Transaction:
    try:
        return payments.find_paid(state, request.mchid, mchid, transaction_id)
    except Refusal:
        raise Refusal(400, "INVALID_REQUEST", "微信订单号不存在") from None


def _share(state: State, request: Request) -> Response:
    body, mchid = request.body, _owner(request)
    wanted = Share(
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
    return Response(data=v3.share(sharing.share(state, wanted, payment)))


def _unfreeze(state: State, request: Request) -> Response:
    body, mchid = request.body, _owner(request)
    wanted = Share(mchid, body["out_order_no"], request.mchid, body["transaction_id"], state.now)
    payment = _payment(state, request, body["transaction_id"], mchid)
    return Response(data=v3.share(sharing.unfreeze(state, wanted, payment)))


def _query(state: State, request: Request) -> Response:
    order = sharing.find(state, _owner(request), request.path["out_order_no"])
    if order.transaction_id != request.query["transaction_id"]:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账单不存在")
    return Response(data=v3.share(order))


def _give_back(state: State, request: Request) -> Response:
    body, mchid = request.body, _owner(request)
    order = (
        state.shares.find("order_id", body["order_id"])
        if body.get("order_id")
        else state.shares.get(mchid, body.get("out_order_no", ""))
    )
    if order is None or order.mchid != mchid:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账单不存在")
    wanted = ShareReturn(
        mchid=mchid,
        out_return_no=body["out_return_no"],
        out_order_no=order.out_order_no,
        order_id=order.order_id,
        return_mchid=body["return_mchid"],
        amount=body["amount"],
        description=body["description"],
        created=state.now,
    )
    return Response(data=v3.share_return(sharing.give_back(state, wanted, order), request.mchid))


def _query_return(state: State, request: Request) -> Response:
    found = state.share_returns.get(_owner(request), request.path["out_return_no"])
    if found is None or found.out_order_no != request.query["out_order_no"]:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账回退单不存在")
    return Response(data=v3.share_return(found, request.mchid))


def _amounts(state: State, request: Request) -> Response:
    found = state.transactions.find("transaction_id", request.path["transaction_id"])
    if found is None or request.mchid not in (found.caller, found.mchid):
        raise Refusal(400, "INVALID_REQUEST", "微信订单号不存在")
    return Response(data={"transaction_id": found.transaction_id, "unsplit_amount": sharing.left(state, found)})


def _ratio(request: Request) -> Response:
    return Response(data={"sub_mchid": request.path["sub_mchid"], "max_ratio": MAX_RATIO})
