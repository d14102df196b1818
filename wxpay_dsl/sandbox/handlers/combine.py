"""合单支付: several orders paid at once."""

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
from wxpay_dsl.sandbox.views import v3

from .pay import check_number, expiry, link

__all__ = ["handlers"]

_KINDS: Final = {"jsapi": "JSAPI", "miniprogram": "JSAPI", "app": "APP", "native": "NATIVE", "h5": "MWEB"}
_MOST: Final = 50


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/combine-transactions``."""
    base = "/v3/combine-transactions"
    found: dict[str, Handler] = {f"POST {base}/{word}": partial(_place, state, kind) for word, kind in _KINDS.items()}
    found[f"GET {base}/out-trade-no/{{combine_out_trade_no}}"] = partial(_query, state)
    found[f"POST {base}/out-trade-no/{{combine_out_trade_no}}/close"] = partial(_close, state)
    return found


def _place(state: State, kind: str, request: Request) -> Response:
    body = request.body
    require_own_mchid(request, body.get("combine_mchid"))
    check_number(body["combine_out_trade_no"], "合单商户订单号", "/combine_out_trade_no")
    subs: list[Mapping[str, Any]] = body["sub_orders"]
    if not 1 <= len(subs) <= _MOST:
        detail = {"field": "/sub_orders", "value": len(subs), "issue": f"1 to {_MOST}", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", f"子单数量为1到{_MOST}", detail)
    openid = (body.get("combine_payer_info") or {}).get("openid", "")
    expires = expiry(body.get("time_expire"), state.now)
    parts = [_part(state, request, kind, sub, openid, expires) for sub in subs]
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
    placed = payments.place_combined(state, order, parts)
    return Response(data=link(kind, placed.token, placed.prepay_id, request.origin))


def _part(
    state: State, request: Request, kind: str, sub: Mapping[str, Any], openid: str, expires: float
) -> Transaction:
    check_number(sub["out_trade_no"])
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


def _order(state: State, request: Request) -> CombinedOrder:
    found = state.combined.get(request.mchid, request.path["combine_out_trade_no"])
    if found is None:
        raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
    return found


def _query(state: State, request: Request) -> Response:
    order = _order(state, request)
    return Response(data=v3.combined(order, payments.parts_of(state, order)))


def _close(state: State, request: Request) -> Response:
    parts = payments.parts_of(state, _order(state, request))
    named = {sub["out_trade_no"] for sub in request.body["sub_orders"]}
    if named != {part.out_trade_no for part in parts}:
        raise Refusal(400, "INVALID_REQUEST", "关闭合单订单时必须包含全部子单")
    for part in parts:
        payments.close(state, part)
    return Response(204)
