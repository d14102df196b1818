"""微信支付分: service orders of merchants and partners."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
from wxpay_dsl.sandbox.domain.times import read_compact
from wxpay_dsl.sandbox.flows import payscore
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import payscore as view

__all__ = ["handlers"]

#: What a request says and each answer gives back.
_TOLD: Final = ("time_range", "location", "risk_fund", "attach", "device")


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/payscore/serviceorder`` and its partners' form."""
    found: dict[str, Handler] = {}
    for base in ("/v3/payscore/serviceorder", "/v3/payscore/partner/serviceorder"):
        one = f"{base}/{{out_order_no}}"
        found |= {
            f"POST {base}": partial(_create, state),
            f"GET {base}": partial(_query, state),
            f"POST {base}/direct-complete": partial(_create_complete, state),
            f"POST {one}/cancel": partial(_cancel, state),
            f"POST {one}/complete": partial(_complete, state),
            f"POST {one}/modify": partial(_modify, state),
            f"POST {one}/pay": partial(_pay, state),
            f"POST {one}/sync": partial(_sync, state),
            f"POST {one}/send-pendingmessage": partial(_message, state),
            f"POST {one}/send-prepaidmessage": partial(_message, state),
        }
    return found


def _owner(request: Request) -> str:
    mchid: str = {**request.query, **request.body}.get("sub_mchid") or request.mchid
    return mchid


def _wanted(state: State, request: Request) -> ServiceOrder:
    body = request.body
    return ServiceOrder(
        mchid=_owner(request),
        out_order_no=body["out_order_no"],
        caller=request.mchid,
        service_id=body["service_id"],
        appid=body["appid"],
        created=state.now,
        introduction=body.get("service_introduction", ""),
        openid=body.get("openid", ""),
        told={name: body[name] for name in _TOLD if name in body},
        notify_url=body.get("notify_url", ""),
        payments=tuple(body.get("post_payments") or ()),
        discounts=tuple(body.get("post_discounts") or ()),
    )


def _create(state: State, request: Request) -> Response:
    asks = request.body.get("need_user_confirm", True)
    order = payscore.create(state, _wanted(state, request), confirmed=not asks)
    fields = view.order(order)
    return Response(data={**fields, "package": order.package} if asks else fields)


def _create_complete(state: State, request: Request) -> Response:
    body = request.body
    order = payscore.create(state, _wanted(state, request), confirmed=True)
    payments, discounts = body.get("post_payments") or (), body.get("post_discounts") or ()
    total = body.get("total_amount")
    if total is None:
        total = sum(one.get("amount", 0) for one in payments) - sum(one.get("amount", 0) for one in discounts)
    told = _told(request)
    return Response(data=view.order(payscore.complete(state, order, total, payments, discounts, told)))


def _named(state: State, request: Request) -> ServiceOrder:
    return payscore.find(state, request.mchid, state.service_orders.get(_owner(request), request.path["out_order_no"]))


def _query(state: State, request: Request) -> Response:
    query = request.query
    if not query.get("out_order_no") and not query.get("query_id"):
        detail = {"field": "out_order_no", "value": None, "issue": "or query_id: missing", "location": "query"}
        raise Refusal(400, "PARAM_ERROR", "商户服务订单号和回跳查询ID必须二选一", detail)
    found = (
        state.service_orders.get(_owner(request), query["out_order_no"])
        if query.get("out_order_no")
        else state.service_orders.find("package", query["query_id"])
    )
    order = payscore.find(state, request.mchid, found)
    if order.service_id != query["service_id"]:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "查询单据不存在")
    return Response(data=view.order(order))


def _cancel(state: State, request: Request) -> Response:
    return Response(data=view.brief(payscore.cancel(state, _named(state, request), request.body["reason"])))


def _told(request: Request) -> dict[str, Any]:
    """What completion says anew; its parts add to what creation said."""
    names = (*_TOLD, "profit_sharing", "goods_tag")
    return {name: request.body[name] for name in names if name in request.body}


def _complete(state: State, request: Request) -> Response:
    body, order = request.body, _named(state, request)
    told = {
        name: {**order.told.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in _told(request).items()
    }
    payments, discounts = body["post_payments"], body.get("post_discounts") or ()
    return Response(data=view.order(payscore.complete(state, order, body["total_amount"], payments, discounts, told)))


def _modify(state: State, request: Request) -> Response:
    body, order = request.body, _named(state, request)
    payments, discounts = body["post_payments"], body.get("post_discounts") or ()
    changed = payscore.modify(state, order, body["total_amount"], payments, discounts, body["reason"])
    return Response(data=view.order(changed))


def _pay(state: State, request: Request) -> Response:
    order = _named(state, request)
    if order.state != "DOING" or order.description != "MCH_COMPLETE":
        raise Refusal(400, "INVALID_REQUEST", "仅服务订单支付状态为待支付时，才可使用此能力")
    state.later("collect", order.mchid, order.out_order_no)
    return Response(data=view.brief(order))


def _sync(state: State, request: Request) -> Response:
    # A day, or a day and a time.
    moment = read_compact(request.body["detail"]["paid_time"].ljust(14, "0")) or state.now
    return Response(data=view.order(payscore.sync(state, _named(state, request), moment)))


def _message(state: State, request: Request) -> Response:
    _named(state, request)
    return Response(204)
