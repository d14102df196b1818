"""Profit sharing, with its ledger entries and notifications."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import sharing
from wxpay_dsl.sandbox.domain.sharing import ProfitSharingOrder, ProfitSharingReturn
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import sharing as view

__all__ = ["create_order", "create_return", "find_order", "finish", "unfreeze", "unsplit_amount"]


def unsplit_amount(state: State, payment: Transaction) -> int:
    """Returns the fen of a payment that can still be shared."""
    orders = _orders_of(state, payment.transaction_id)
    ids = {order.order_id for order in orders}
    returned = sum(back.amount for back in state.profit_sharing_returns.all() if back.order_id in ids)
    return sharing.unsplit_amount(payment, orders, returned)


def create_order(state: State, requested: ProfitSharingOrder, payment: Transaction) -> ProfitSharingOrder:
    """Creates a profit sharing order; it is finished after the response. Raises Refusal."""
    existing = state.profit_sharing_orders.get(requested.mchid, requested.out_order_no)
    receivers = [one for one in state.receivers.all() if one.mchid == requested.mchid]
    order = sharing.create_order(requested, payment, existing, unsplit_amount(state, payment), receivers, state.now)
    if existing is None:
        state.profit_sharing_orders.put(order)
        state.add_pending("share", order.mchid, order.out_order_no)
    return order


def unfreeze(state: State, requested: ProfitSharingOrder, payment: Transaction) -> ProfitSharingOrder:
    """Unfreezes the remaining amount of a payment. Raises Refusal."""
    existing = state.profit_sharing_orders.get(requested.mchid, requested.out_order_no)
    orders = _orders_of(state, payment.transaction_id)
    order = sharing.unfreeze(requested, payment, existing, orders, state.now)
    if existing is None:
        state.profit_sharing_orders.put(order)
        state.add_pending("share", order.mchid, order.out_order_no)
    return order


def find_order(state: State, mchid: str, out_order_no: str) -> ProfitSharingOrder:
    """Returns a profit sharing order. Raises Refusal RESOURCE_NOT_EXISTS."""
    order = state.profit_sharing_orders.get(mchid, out_order_no)
    if order is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账单不存在")
    return order


def finish(state: State, order: ProfitSharingOrder) -> ProfitSharingOrder:
    """Pays the receivers, and notifies the merchant of each."""
    done = state.profit_sharing_orders.put(sharing.finish(order, state.now))
    payment = state.transactions.find("transaction_id", done.transaction_id)
    for receiver in done.receivers:
        state.book(done.mchid, "分账", -receiver["amount"], receiver["detail_id"])
        resource = view.order_event(done, receiver)
        url = payment.notify_url if payment is not None else ""
        state.emit(Event(done.caller, "PROFITSHARING.SUCCESS", "profitsharing", resource, url, "分账"))
    return done


def create_return(state: State, requested: ProfitSharingReturn, order: ProfitSharingOrder) -> ProfitSharingReturn:
    """Creates a return of shared money by a receiver. Raises Refusal."""
    existing = state.profit_sharing_returns.get(requested.mchid, requested.out_return_no)
    returned = sum(
        back.amount
        for back in state.profit_sharing_returns.all()
        if back.order_id == order.order_id and back.return_mchid == requested.return_mchid
    )
    back = sharing.create_return(requested, order, existing, returned, state.now)
    if existing is None:
        state.profit_sharing_returns.put(back)
        state.book(back.mchid, "分账回退", back.amount, back.return_id)
    return back


def _orders_of(state: State, transaction_id: str) -> list[ProfitSharingOrder]:
    return [order for order in state.profit_sharing_orders.all() if order.transaction_id == transaction_id]
