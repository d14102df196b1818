"""Payscore orders, with the payment that ends them and the notifications that follow."""

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

__all__ = ["cancel", "collect", "complete", "confirm", "create", "find", "modify", "sync"]


def create(state: State, wanted: ServiceOrder, *, confirmed: bool) -> ServiceOrder:
    """Creates an order; ``confirmed``: without asking the user. Raises Refusal."""
    known = state.service_orders.get(wanted.mchid, wanted.out_order_no)
    return state.service_orders.put(payscore.create(wanted, known, confirmed=confirmed, now=state.now))


def find(state: State, caller: str, found: ServiceOrder | None) -> ServiceOrder:
    """The order as it is now. Raises Refusal RESOURCE_NOT_EXISTS for none, or somebody else's."""
    if found is None or caller not in (found.caller, found.mchid):
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "查询单据不存在")
    return payscore.current(found, state.now)


def confirm(state: State, order: ServiceOrder, openid: str) -> ServiceOrder:
    """The user agrees. Raises Refusal."""
    agreed = state.service_orders.put(payscore.confirm(order, openid, state.now))
    _tell(state, agreed, "PAYSCORE.USER_CONFIRM", "微信支付分服务订单确认成功")
    return agreed


def cancel(state: State, order: ServiceOrder, reason: str) -> ServiceOrder:
    """The merchant gives up. Raises Refusal."""
    return state.service_orders.put(payscore.cancel(order, reason, state.now))


def complete(
    state: State,
    order: ServiceOrder,
    total: int,
    payments: Sequence[Mapping[str, Any]],
    discounts: Sequence[Mapping[str, Any]],
    told: Mapping[str, Any],
) -> ServiceOrder:
    """The service is rendered; what is due is collected after the answer. Raises Refusal."""
    done = state.service_orders.put(payscore.complete(order, total, payments, discounts, told, state.now))
    if done.state == "DOING":
        state.later("collect", done.mchid, done.out_order_no)
    return done


def modify(
    state: State,
    order: ServiceOrder,
    total: int,
    payments: Sequence[Mapping[str, Any]],
    discounts: Sequence[Mapping[str, Any]],
    reason: str,
) -> ServiceOrder:
    """The amount goes down. Raises Refusal."""
    return state.service_orders.put(payscore.modify(order, total, payments, discounts, reason))


def collect(state: State, order: ServiceOrder) -> ServiceOrder:
    """The user's money comes, as a transaction that can be refunded like any. Raises Refusal."""
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
            profit_sharing=bool(paid.told.get("profit_sharing")),
            state="SUCCESS",
            transaction_id=paid.transaction_id,
            paid_at=paid.paid_at,
            bank_type="OTHERS",
        ),
    )
    _tell(state, paid, "PAYSCORE.USER_PAID", "微信支付分服务订单支付成功")
    return paid


def sync(state: State, order: ServiceOrder, paid_at: float) -> ServiceOrder:
    """The merchant was paid some other way. Raises Refusal."""
    state.pending.drop("collect", order.mchid, order.out_order_no)
    return state.service_orders.put(payscore.sync(order, paid_at))


def _tell(state: State, order: ServiceOrder, kind: str, summary: str) -> None:
    if order.notify_url:
        state.emit(Event(order.caller, kind, "payscore", view.order(order), order.notify_url, summary))
