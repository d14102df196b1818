"""微信支付分: creates, completes, changes, cancels and collects service orders, for merchants and partners."""

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

from .parameters import owner

__all__ = ["handlers"]

#: Fields of the request that each response repeats.
_ECHOED: Final = ("time_range", "location", "risk_fund", "attach", "device")


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/payscore/serviceorder`` and ``/v3/payscore/partner/serviceorder``."""
    table: dict[str, Handler] = {}
    for base in ("/v3/payscore/serviceorder", "/v3/payscore/partner/serviceorder"):
        one = f"{base}/{{out_order_no}}"
        table |= {
            f"POST {base}": partial(_create, state),
            f"GET {base}": partial(_query, state),
            f"POST {base}/direct-complete": partial(_create_completed, state),
            f"POST {one}/cancel": partial(_cancel, state),
            f"POST {one}/complete": partial(_complete, state),
            f"POST {one}/modify": partial(_modify, state),
            f"POST {one}/pay": partial(_pay, state),
            f"POST {one}/sync": partial(_sync, state),
            f"POST {one}/send-pendingmessage": partial(_send_message, state),
            f"POST {one}/send-prepaidmessage": partial(_send_message, state),
        }
    return table


def _read_order(state: State, request: Request) -> ServiceOrder:
    body = request.body
    return ServiceOrder(
        mchid=owner(request),
        out_order_no=body["out_order_no"],
        caller=request.mchid,
        service_id=body["service_id"],
        appid=body["appid"],
        created=state.now,
        introduction=body.get("service_introduction", ""),
        openid=body.get("openid", ""),
        echoed={name: body[name] for name in _ECHOED if name in body},
        notify_url=body.get("notify_url", ""),
        payments=tuple(body.get("post_payments") or ()),
        discounts=tuple(body.get("post_discounts") or ()),
    )


def _create(state: State, request: Request) -> Response:
    needs_confirmation = request.body.get("need_user_confirm", True)
    order = payscore.create_order(state, _read_order(state, request), confirmed=not needs_confirmation)
    fields = view.order(order)
    return Response(data={**fields, "package": order.package} if needs_confirmation else fields)


def _create_completed(state: State, request: Request) -> Response:
    body = request.body
    order = payscore.create_order(state, _read_order(state, request), confirmed=True)
    payments, discounts = body.get("post_payments") or (), body.get("post_discounts") or ()
    total = body.get("total_amount")
    if total is None:
        total = sum(one.get("amount", 0) for one in payments) - sum(one.get("amount", 0) for one in discounts)
    completed = payscore.complete(state, order, total, payments, discounts, _echoed_fields(request))
    return Response(data=view.order(completed))


def _find(state: State, request: Request) -> ServiceOrder:
    order = state.service_orders.get(owner(request), request.path["out_order_no"])
    return payscore.expect_own(state, request.mchid, order)


def _query(state: State, request: Request) -> Response:
    query = request.query
    if not query.get("out_order_no") and not query.get("query_id"):
        detail = {"field": "out_order_no", "value": None, "issue": "or query_id: missing", "location": "query"}
        raise Refusal(400, "PARAM_ERROR", "商户服务订单号和回跳查询ID必须二选一", detail)
    found = (
        state.service_orders.get(owner(request), query["out_order_no"])
        if query.get("out_order_no")
        else state.service_orders.find("package", query["query_id"])
    )
    order = payscore.expect_own(state, request.mchid, found)
    if order.service_id != query["service_id"]:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "查询单据不存在")
    return Response(data=view.order(order))


def _cancel(state: State, request: Request) -> Response:
    return Response(data=view.order_ids(payscore.cancel(state, _find(state, request), request.body["reason"])))


def _echoed_fields(request: Request) -> dict[str, Any]:
    """The fields of a completion that its response repeats, as creation does."""
    names = (*_ECHOED, "profit_sharing", "goods_tag")
    return {name: request.body[name] for name in names if name in request.body}


def _complete(state: State, request: Request) -> Response:
    body, order = request.body, _find(state, request)
    # Objects add to those of the creation.
    echoed = {
        name: {**order.echoed.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in _echoed_fields(request).items()
    }
    payments, discounts = body["post_payments"], body.get("post_discounts") or ()
    return Response(data=view.order(payscore.complete(state, order, body["total_amount"], payments, discounts, echoed)))


def _modify(state: State, request: Request) -> Response:
    body, order = request.body, _find(state, request)
    payments, discounts = body["post_payments"], body.get("post_discounts") or ()
    changed = payscore.modify(state, order, body["total_amount"], payments, discounts, body["reason"])
    return Response(data=view.order(changed))


def _pay(state: State, request: Request) -> Response:
    order = _find(state, request)
    payscore.request_collection(state, order)
    return Response(data=view.order_ids(order))


def _sync(state: State, request: Request) -> Response:
    # paid_time is a date, or a date and time.
    paid_at = read_compact(request.body["detail"]["paid_time"].ljust(14, "0")) or state.now
    return Response(data=view.order(payscore.sync(state, _find(state, request), paid_at)))


def _send_message(state: State, request: Request) -> Response:
    _find(state, request)
    return Response(204)
