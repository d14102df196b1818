"""Orders and payments, with their ledger entries and notifications."""

from __future__ import annotations

from attrs import evolve

from wxpay_dsl.sandbox.domain import combined, numbers, refunds, transactions
from wxpay_dsl.sandbox.domain.accounts import fee
from wxpay_dsl.sandbox.domain.combined import CombinedOrder
from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.transactions import PAID, Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import transactions as view
from wxpay_dsl.sandbox.views import v2

__all__ = [
    "close",
    "create_combined_order",
    "create_order",
    "decline",
    "find_order",
    "find_transaction",
    "pay",
    "pay_combined",
    "record_payment",
    "reverse",
    "sub_orders",
]


def create_order(state: State, order: Transaction) -> Transaction:
    """Creates an order, or renews its payment link. Raises Refusal."""
    existing = state.transactions.get(order.mchid, order.out_trade_no)
    return state.transactions.put(transactions.create_order(order, existing, state.now))


def create_combined_order(state: State, order: CombinedOrder, parts: list[Transaction]) -> CombinedOrder:
    """Creates a combined order and all of its sub-orders. Raises Refusal."""
    existing = state.combined.get(order.mchid, order.out_trade_no)
    for part in parts:
        create_order(state, part)
    return state.combined.put(combined.create_order(order, existing, state.now))


def find_order(state: State, caller: str, mchid: str, out_trade_no: str) -> Transaction:
    """Returns the order as of now. Raises Refusal ORDER_NOT_EXIST if the caller has none with this number."""
    return _expect_own(state, state.transactions.get(mchid, out_trade_no), caller, mchid)


def find_transaction(state: State, caller: str, mchid: str, transaction_id: str) -> Transaction:
    """Returns the paid order with this id, as of now. Raises Refusal ORDER_NOT_EXIST if the caller has none."""
    return _expect_own(state, state.transactions.find("transaction_id", transaction_id), caller, mchid)


def _expect_own(state: State, order: Transaction | None, caller: str, mchid: str) -> Transaction:
    if order is None or order.mchid != mchid or caller not in (order.caller, order.mchid):
        raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
    return transactions.current(order, state.now)


def close(state: State, order: Transaction) -> Transaction:
    """Closes an unpaid order. Raises Refusal."""
    return state.transactions.put(transactions.close(order, state.now))


def pay(state: State, order: Transaction, openid: str) -> Transaction:
    """Pays an order as the user ``openid``. Raises Refusal."""
    paid = record_payment(state, transactions.pay(order, state.now, openid))
    if paid.notify_url and not paid.combined:
        _notify(state, paid)
    return paid


def record_payment(state: State, paid: Transaction) -> Transaction:
    """Stores a paid order, and books the payment and its fee."""
    state.transactions.put(paid)
    state.book(paid.mchid, "交易", paid.total, paid.transaction_id)
    state.book(paid.mchid, "扣除交易手续费", -fee(paid.total), paid.transaction_id)
    return paid


def pay_combined(state: State, order: CombinedOrder, openid: str) -> CombinedOrder:
    """Pays all sub-orders of a combined order as the user ``openid``. Raises Refusal."""
    parts = [pay(state, part, openid) for part in sub_orders(state, order)]
    paid = evolve(order, transaction_id=parts[0].transaction_id if parts else "", openid=order.openid or openid)
    state.combined.put(paid)
    resource = view.combined(paid, parts)
    state.emit(Event(order.mchid, "TRANSACTION.SUCCESS", "transaction", resource, order.notify_url, "支付成功"))
    return paid


def sub_orders(state: State, order: CombinedOrder) -> list[Transaction]:
    """Returns the sub-orders of a combined order as of now."""
    parts = (state.transactions.get(mchid, number) for mchid, number in order.parts)
    return [transactions.current(part, state.now) for part in parts if part is not None]


def decline(state: State, order: Transaction) -> Transaction:
    """Records that the payer does not pay. Raises Refusal."""
    return state.transactions.put(transactions.decline(order, state.now))


def reverse(state: State, order: Transaction) -> Transaction:
    """Reverses a payment by code; the whole amount is returned if it was paid. Raises Refusal."""
    reversed_ = state.transactions.put(transactions.reverse(order, state.now))
    if order.state in PAID:
        # Bills list the returned amount as a refund that the service made itself.
        refund = Refund(
            mchid=order.mchid,
            out_refund_no=order.transaction_id,
            caller=order.caller,
            out_trade_no=order.out_trade_no,
            transaction_id=order.transaction_id,
            amount=order.total,
            total=order.total,
            created=state.now,
            refund_id=numbers.refund_id(state.now),
        )
        state.refunds.put(refunds.succeed(refund, state.now))
        state.book(order.mchid, "撤销", -order.total, refund.refund_id)
        state.book(order.mchid, "返还交易手续费", fee(order.total), refund.refund_id)
    return reversed_


def _notify(state: State, paid: Transaction) -> None:
    if paid.dialect == "v2":
        event = Event(
            paid.caller, "v2/transaction-success", "", v2.transaction_event(paid), paid.notify_url, dialect="v2"
        )
    else:
        resource = view.transaction(paid)
        event = Event(paid.caller, "TRANSACTION.SUCCESS", "transaction", resource, paid.notify_url, "支付成功")
    state.emit(event)
