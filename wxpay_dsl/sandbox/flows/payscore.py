"""Payscore orders, with their payment and notifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wxpay_dsl.sandbox.domain import payscore
from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import payscore as view

from .payments import record_payment

__all__ = [
    "cancel",
    "collect",
    "complete",
    "confirm",
    "create_order",
    "expect_own",
    "modify",
    "request_collection",
    "sync",
]


def create_order(state: State, requested: ServiceOrder, *, confirmed: bool) -> ServiceOrder:
    """Creates an order; ``confirmed``: whether it needs no confirmation by the user. Raises Refusal."""
    existing = state.service_orders.get(requested.mchid, requested.out_order_no)
    return state.service_orders.put(payscore.create_order(requested, existing, confirmed=confirmed, now=state.now))


def expect_own(state: State, caller: str, order: ServiceOrder | None) -> ServiceOrder:
    """Returns the order as of now. Raises Refusal RESOURCE_NOT_EXISTS for None, or if it is not the caller's."""
    if order is None or caller not in (order.caller, order.mchid):
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "查询单据不存在")
    return payscore.current(order, state.now)


def confirm(state: State, order: ServiceOrder, openid: str) -> ServiceOrder:
    """Confirms an order as the user ``openid``. Raises Refusal."""
    confirmed = state.service_orders.put(payscore.confirm(order, openid, state.now))
    _notify(state, confirmed, "PAYSCORE.USER_CONFIRM", "微信支付分服务订单确认成功")
    return confirmed


def cancel(state: State, order: ServiceOrder, reason: str) -> ServiceOrder:
    """Cancels an order. Raises Refusal."""
    return state.service_orders.put(payscore.cancel(order, reason, state.now))


def complete(
    state: State,
    order: ServiceOrder,
    total: int,
    payments: Sequence[Mapping[str, Any]],
    discounts: Sequence[Mapping[str, Any]],
    echoed: Mapping[str, Any],
) -> ServiceOrder:
    """Completes an order; ``total``, in fen, is collected after the response. Raises Refusal."""
    done = state.service_orders.put(payscore.complete(order, total, payments, discounts, echoed, state.now))
    if done.state == "DOING":
        state.add_pending("collect", done.mchid, done.out_order_no)
    return done


def request_collection(state: State, order: ServiceOrder) -> None:
    """Collects a completed order after the response. Raises Refusal."""
    payscore.expect_unpaid(order)
    state.add_pending("collect", order.mchid, order.out_order_no)


def modify(
    state: State,
    order: ServiceOrder,
    total: int,
    payments: Sequence[Mapping[str, Any]],
    discounts: Sequence[Mapping[str, Any]],
    reason: str,
) -> ServiceOrder:
    """Lowers the amount of a completed order, in fen. Raises Refusal."""
    return state.service_orders.put(payscore.modify(order, total, payments, discounts, reason))


def collect(state: State, order: ServiceOrder) -> ServiceOrder:
    """Collects a completed order; the payment is a transaction that can be refunded. Raises Refusal."""
    paid = state.service_orders.put(payscore.collect(order, state.now))
    record_payment(
        state,
        Transaction(
            mchid=paid.mchid,
            out_trade_no=paid.order_id,
            caller=paid.caller,
            trade_type="JSAPI",
            total=paid.total,
            created=paid.paid_at,
            appid=paid.appid,
            description=paid.introduction,
            openid=paid.openid,
            profit_sharing=bool(paid.echoed.get("profit_sharing")),
            state="SUCCESS",
            transaction_id=paid.transaction_id,
            paid_at=paid.paid_at,
            bank_type="OTHERS",
        ),
    )
    _notify(state, paid, "PAYSCORE.USER_PAID", "微信支付分服务订单支付成功")
    return paid


def sync(state: State, order: ServiceOrder, paid_at: float) -> ServiceOrder:
    """Marks an order as paid outside of the service at ``paid_at``, Unix time. Raises Refusal."""
    state.pending.drop("collect", order.mchid, order.out_order_no)
    return state.service_orders.put(payscore.sync(order, paid_at))


def _notify(state: State, order: ServiceOrder, kind: str, summary: str) -> None:
    if order.notify_url:
        state.emit(Event(order.caller, kind, "payscore", view.order(order), order.notify_url, summary))
