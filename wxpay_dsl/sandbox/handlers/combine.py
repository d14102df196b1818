"""合单支付: creates, queries and closes combined orders."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from wxpay_dsl.sandbox.domain.combined import CombinedOrder
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import payments
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request, require_own_mchid
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import transactions as view

from .parameters import check_amount, check_number, expiry
from .pay import payment_link

__all__ = ["handlers"]

_TRADE_TYPES: Final = {"jsapi": "JSAPI", "miniprogram": "JSAPI", "app": "APP", "native": "NATIVE", "h5": "MWEB"}
_MAX_SUB_ORDERS: Final = 50


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/combine-transactions``."""
    base = "/v3/combine-transactions"
    table: dict[str, Handler] = {
        f"POST {base}/{word}": partial(_create_order, state, kind) for word, kind in _TRADE_TYPES.items()
    }
    table[f"GET {base}/out-trade-no/{{combine_out_trade_no}}"] = partial(_query, state)
    table[f"POST {base}/out-trade-no/{{combine_out_trade_no}}/close"] = partial(_close, state)
    return table


def _create_order(state: State, kind: str, request: Request) -> Response:
    body = request.body
    require_own_mchid(request, body.get("combine_mchid"))
    check_number(body["combine_out_trade_no"], "合单商户订单号", "/combine_out_trade_no")
    subs: list[Mapping[str, Any]] = body["sub_orders"]
    if not 1 <= len(subs) <= _MAX_SUB_ORDERS:
        detail = {"field": "/sub_orders", "value": len(subs), "issue": f"1 to {_MAX_SUB_ORDERS}", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", f"子单数量为1到{_MAX_SUB_ORDERS}", detail)
    openid = (body.get("combine_payer_info") or {}).get("openid", "")
    expires = expiry(body.get("time_expire"), state.now)
    parts = [_read_sub_order(state, request, kind, sub, openid, expires) for sub in subs]
    order = CombinedOrder(
        mchid=request.mchid,
        out_trade_no=body["combine_out_trade_no"],
        trade_type=kind,
        created=state.now,
        appid=body.get("combine_appid", ""),
        notify_url=body.get("notify_url", ""),
        openid=openid,
        parts=tuple((part.mchid, part.out_trade_no) for part in parts),
        contents={"kind": kind, "appid": body.get("combine_appid"), "sub_orders": list(subs)},
    )
    order = payments.create_combined_order(state, order, parts)
    return Response(data=payment_link(kind, order.token, order.prepay_id, request.origin))


def _read_sub_order(
    state: State, request: Request, kind: str, sub: Mapping[str, Any], openid: str, expires: float
) -> Transaction:
    check_number(sub["out_trade_no"])
    check_amount(sub["amount"]["total_amount"], field="/sub_orders/amount/total_amount")
    settle = sub.get("settle_info") or {}
    return Transaction(
        mchid=sub.get("sub_mchid") or sub["mchid"],
        out_trade_no=sub["out_trade_no"],
        caller=sub["mchid"],
        trade_type=kind,
        total=sub["amount"]["total_amount"],
        currency=sub["amount"].get("currency", "CNY"),
        created=state.now,
        appid=request.body.get("combine_appid", ""),
        sub_appid=sub.get("sub_appid", ""),
        description=sub.get("description", ""),
        attach=sub.get("attach", ""),
        goods_tag=sub.get("goods_tag", ""),
        expires=expires,
        profit_sharing=bool(settle.get("profit_sharing") or sub.get("profit_sharing")),
        combined=request.body["combine_out_trade_no"],
        openid=openid,
        contents={"kind": kind, **sub},
    )


def _find(state: State, request: Request) -> CombinedOrder:
    order = state.combined.get(request.mchid, request.path["combine_out_trade_no"])
    if order is None:
        raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
    return order


def _query(state: State, request: Request) -> Response:
    order = _find(state, request)
    return Response(data=view.combined(order, payments.sub_orders(state, order)))


def _close(state: State, request: Request) -> Response:
    parts = payments.sub_orders(state, _find(state, request))
    named = {sub["out_trade_no"] for sub in request.body["sub_orders"]}
    if named != {part.out_trade_no for part in parts}:
        raise Refusal(400, "INVALID_REQUEST", "关闭合单订单时必须包含全部子单")
    for part in parts:
        payments.close(state, part)
    return Response(204)
