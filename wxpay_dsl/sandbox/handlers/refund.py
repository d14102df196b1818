"""退款: creates and queries refunds, and redirects abnormal ones."""

from __future__ import annotations

from functools import partial

from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import payments, refunds
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import refunds as view

from .parameters import owner

__all__ = ["handlers"]


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/refund``."""
    base = "/v3/refund/domestic/refunds"
    return {
        f"POST {base}": partial(_create, state),
        f"GET {base}/{{out_refund_no}}": partial(_query, state),
        f"POST {base}/{{refund_id}}/apply-abnormal-refund": partial(_apply_abnormal_refund, state),
    }


def _payment(state: State, request: Request, mchid: str) -> Transaction:
    body = request.body
    try:
        if body.get("transaction_id"):
            return payments.find_transaction(state, request.mchid, mchid, body["transaction_id"])
        if body.get("out_trade_no"):
            return payments.find_order(state, request.mchid, mchid, body["out_trade_no"])
    except Refusal:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在") from None
    detail = {"field": "/transaction_id", "value": None, "issue": "or out_trade_no: missing", "location": "body"}
    raise Refusal(400, "PARAM_ERROR", "微信支付订单号和商户订单号必须二选一", detail)


def _create(state: State, request: Request) -> Response:
    body = request.body
    mchid = owner(request)
    order = _payment(state, request, mchid)
    amount = body["amount"]
    requested = Refund(
        mchid=mchid,
        out_refund_no=body["out_refund_no"],
        caller=request.mchid,
        out_trade_no=order.out_trade_no,
        transaction_id=order.transaction_id,
        amount=amount["refund"],
        total=amount["total"],
        created=state.now,
        currency=amount.get("currency", "CNY"),
        reason=body.get("reason", ""),
        funds_account=body.get("funds_account", "AVAILABLE"),
        notify_url=body.get("notify_url", ""),
    )
    return Response(data=view.refund(refunds.create_refund(state, requested, order)))


def _query(state: State, request: Request) -> Response:
    mchid = owner(request)
    return Response(data=view.refund(refunds.find_refund(state, request.mchid, mchid, request.path["out_refund_no"])))


def _apply_abnormal_refund(state: State, request: Request) -> Response:
    mchid = owner(request)
    refund = state.refunds.find("refund_id", request.path["refund_id"])
    if refund is None or refund.mchid != mchid:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return Response(data=view.refund(refunds.apply_abnormal_refund(state, refund, request.body["out_refund_no"])))
