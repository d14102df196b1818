"""Payments and refunds, with the money that moves and the notifications that follow."""

from __future__ import annotations

from attrs import evolve

from wxpay_dsl.sandbox.domain import combined as combining
from wxpay_dsl.sandbox.domain import numbers
from wxpay_dsl.sandbox.domain import refunds as refunding
from wxpay_dsl.sandbox.domain import transactions as paying
from wxpay_dsl.sandbox.domain.accounts import fee
from wxpay_dsl.sandbox.domain.combined import CombinedOrder
from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.transactions import PAID, Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import v2, v3

__all__ = [
    "ask_refund",
    "close",
    "close_refund",
    "decline",
    "find_order",
    "find_paid",
    "find_refund",
    "get_stuck",
    "parts_of",
    "pay",
    "pay_combined",
    "place",
    "place_combined",
    "record_payment",
    "reverse",
    "send_another_way",
    "succeed_refund",
]


def place(state: State, order: Transaction) -> Transaction:
    """Places an order, or places it again. Raises Refusal."""
    known = state.transactions.get(order.mchid, order.out_trade_no)
    return state.transactions.put(paying.place(order, known, state.now))


def place_combined(state: State, order: CombinedOrder, parts: list[Transaction]) -> CombinedOrder:
    """Places a combined order and all its parts. Raises Refusal."""
    known = state.combined.get(order.mchid, order.out_trade_no)
    for part in parts:
        place(state, part)
    return state.combined.put(combining.place(order, known, state.now))


def find_order(state: State, caller: str, mchid: str, out_trade_no: str) -> Transaction:
    """The order as it is now. Raises Refusal ORDER_NOT_EXIST where the caller has none under this number."""
    return _visible(state, state.transactions.get(mchid, out_trade_no), caller, mchid)


def find_paid(state: State, caller: str, mchid: str, transaction_id: str) -> Transaction:
    """The transaction of this id, as it is now. Raises Refusal ORDER_NOT_EXIST."""
    return _visible(state, state.transactions.find("transaction_id", transaction_id), caller, mchid)


def _visible(state: State, found: Transaction | None, caller: str, mchid: str) -> Transaction:
    if found is None or found.mchid != mchid or caller not in (found.caller, found.mchid):
        raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在")
    return paying.current(found, state.now)


def close(state: State, order: Transaction) -> Transaction:
    """Closes an order. Raises Refusal."""
    return state.transactions.put(paying.close(order, state.now))


def pay(state: State, order: Transaction, openid: str) -> Transaction:
    """The payer pays an order. Raises Refusal."""
    paid = record_payment(state, paying.pay(order, state.now, openid))
    if paid.notify_url and not paid.combined:
        _tell(state, paid)
    return paid


def record_payment(state: State, paid: Transaction) -> Transaction:
    """Keeps a payment that was made, and books its money."""
    state.transactions.put(paid)
    state.book(paid.mchid, "交易", paid.total, paid.transaction_id)
    state.book(paid.mchid, "扣除交易手续费", -fee(paid.total), paid.transaction_id)
    return paid


def pay_combined(state: State, order: CombinedOrder, openid: str) -> CombinedOrder:
    """The payer pays a combined order, all of its parts at once. Raises Refusal."""
    parts = [pay(state, part, openid) for part in parts_of(state, order)]
    paid = evolve(order, transaction_id=parts[0].transaction_id if parts else "", openid=order.openid or openid)
    state.combined.put(paid)
    resource = v3.combined(paid, parts)
    state.emit(Event(order.mchid, "TRANSACTION.SUCCESS", "transaction", resource, order.notify_url, "支付成功"))
    return paid


def parts_of(state: State, order: CombinedOrder) -> list[Transaction]:
    """The parts of a combined order, as they are now."""
    found = (state.transactions.get(mchid, number) for mchid, number in order.parts)
    return [paying.current(part, state.now) for part in found if part is not None]


def decline(state: State, order: Transaction) -> Transaction:
    """The payer gives up. Raises Refusal."""
    return state.transactions.put(paying.decline(order, state.now))


def reverse(state: State, order: Transaction) -> Transaction:
    """Takes a payment by code back; what was paid is returned. Raises Refusal."""
    reversed_ = state.transactions.put(paying.reverse(order, state.now))
    if order.state in PAID:
        # Bills show the money's way back as a refund that the service has made by itself.
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
        state.refunds.put(refunding.succeed(refund, state.now))
        state.book(order.mchid, "撤销", -order.total, refund.refund_id)
        state.book(order.mchid, "返还交易手续费", fee(order.total), refund.refund_id)
    return reversed_


def ask_refund(state: State, wanted: Refund, order: Transaction) -> Refund:
    """Asks for a refund; the money arrives after the answer. Raises Refusal."""
    known = state.refunds.get(wanted.mchid, wanted.out_refund_no)
    refund = refunding.ask(wanted, order, known, state.account(order.mchid).balance, state.now)
    if known is None:
        state.refunds.put(refund)
        state.transactions.put(paying.refund(order, refund.amount))
        state.book(refund.mchid, "退款", -refund.amount, refund.refund_id)
        state.book(refund.mchid, "返还交易手续费", fee(refund.amount), refund.refund_id)
        state.later("refund", refund.mchid, refund.out_refund_no)
    return refund


def find_refund(state: State, caller: str, mchid: str, out_refund_no: str) -> Refund:
    """Raises Refusal RESOURCE_NOT_EXISTS where the caller has none under this number."""
    found = state.refunds.get(mchid, out_refund_no)
    if found is None or caller not in (found.caller, found.mchid):
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return found


def succeed_refund(state: State, refund: Refund) -> Refund:
    """The money has arrived. Raises Refusal."""
    done = state.refunds.put(refunding.succeed(refund, state.now))
    _tell_refund(state, done)
    return done


def get_stuck(state: State, refund: Refund) -> Refund:
    """The payer's account takes no money. Raises Refusal."""
    stuck = state.refunds.put(refunding.get_stuck(refund))
    _tell_refund(state, stuck)
    return stuck


def close_refund(state: State, refund: Refund) -> Refund:
    """It will not happen: the money stays with the merchant. Raises Refusal."""
    closed = state.refunds.put(refunding.close(refund))
    order = state.transactions.find("transaction_id", refund.transaction_id)
    if order is not None:
        state.transactions.put(paying.refund(order, -refund.amount))
    state.book(refund.mchid, "退款退回", refund.amount, refund.refund_id)
    state.book(refund.mchid, "扣除交易手续费", -fee(refund.amount), refund.refund_id)
    _tell_refund(state, closed)
    return closed


def send_another_way(state: State, refund: Refund, out_refund_no: str) -> Refund:
    """The merchant sends a stuck refund to another card. Raises Refusal."""
    sent = state.refunds.put(refunding.send_another_way(refund, out_refund_no))
    state.later("refund", sent.mchid, sent.out_refund_no)
    return sent


def _tell(state: State, paid: Transaction) -> None:
    if paid.dialect == "v2":
        event = Event(
            paid.caller, "v2/transaction-success", "", v2.transaction_event(paid), paid.notify_url, dialect="v2"
        )
    else:
        resource = v3.transaction(paid)
        event = Event(paid.caller, "TRANSACTION.SUCCESS", "transaction", resource, paid.notify_url, "支付成功")
    state.emit(event)


def _tell_refund(state: State, refund: Refund) -> None:
    if not refund.notify_url:
        return
    url = refund.notify_url
    if refund.dialect == "v2":
        resource = v2.refund_event(refund, state.transactions.find("transaction_id", refund.transaction_id))
        state.emit(Event(refund.caller, "v2/refund-processed", "", resource, url, dialect="v2"))
        return
    words = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭"}
    kind, resource = f"REFUND.{refund.status}", v3.refund_event(refund)
    state.emit(Event(refund.caller, kind, "refund", resource, url, words[refund.status]))
