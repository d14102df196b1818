"""Refunds, with their ledger entries and notifications."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import refunds, transactions
from wxpay_dsl.sandbox.domain.accounts import fee
from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import refunds as view
from wxpay_dsl.sandbox.views import v2

__all__ = ["apply_abnormal_refund", "close", "create_refund", "find_refund", "mark_abnormal", "succeed"]

#: The summary of each notification, by the state of the refund.
_SUMMARIES = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭"}


def create_refund(state: State, requested: Refund, order: Transaction) -> Refund:
    """Creates a refund; it succeeds after the response. Raises Refusal."""
    existing = state.refunds.get(requested.mchid, requested.out_refund_no)
    refund = refunds.create_refund(requested, order, existing, state.account(order.mchid).balance, state.now)
    if existing is None:
        state.refunds.put(refund)
        state.transactions.put(transactions.add_refunded(order, refund.amount))
        state.book(refund.mchid, "退款", -refund.amount, refund.refund_id)
        state.book(refund.mchid, "返还交易手续费", fee(refund.amount), refund.refund_id)
        state.add_pending("refund", refund.mchid, refund.out_refund_no)
    return refund


def find_refund(state: State, caller: str, mchid: str, out_refund_no: str) -> Refund:
    """Returns a refund. Raises Refusal RESOURCE_NOT_EXISTS if the caller has none with this number."""
    refund = state.refunds.get(mchid, out_refund_no)
    if refund is None or caller not in (refund.caller, refund.mchid):
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return refund


def succeed(state: State, refund: Refund) -> Refund:
    """Marks a refund as successful. Raises Refusal."""
    done = state.refunds.put(refunds.succeed(refund, state.now))
    _notify(state, done)
    return done


def mark_abnormal(state: State, refund: Refund) -> Refund:
    """Marks a refund as abnormal: the payer's account accepts no money. Raises Refusal."""
    abnormal = state.refunds.put(refunds.mark_abnormal(refund))
    _notify(state, abnormal)
    return abnormal


def close(state: State, refund: Refund) -> Refund:
    """Closes a refund; the merchant gets the money back. Raises Refusal."""
    closed = state.refunds.put(refunds.close(refund))
    order = state.transactions.find("transaction_id", refund.transaction_id)
    if order is not None:
        state.transactions.put(transactions.add_refunded(order, -refund.amount))
    state.book(refund.mchid, "退款退回", refund.amount, refund.refund_id)
    state.book(refund.mchid, "扣除交易手续费", -fee(refund.amount), refund.refund_id)
    _notify(state, closed)
    return closed


def apply_abnormal_refund(state: State, refund: Refund, out_refund_no: str) -> Refund:
    """Redirects an abnormal refund to another bank card; it succeeds after the response. Raises Refusal."""
    sent = state.refunds.put(refunds.apply_abnormal_refund(refund, out_refund_no))
    state.add_pending("refund", sent.mchid, sent.out_refund_no)
    return sent


def _notify(state: State, refund: Refund) -> None:
    if not refund.notify_url:
        return
    url = refund.notify_url
    if refund.dialect == "v2":
        resource = v2.refund_event(refund, state.transactions.find("transaction_id", refund.transaction_id))
        state.emit(Event(refund.caller, "v2/refund-processed", "", resource, url, dialect="v2"))
        return
    kind, resource = f"REFUND.{refund.status}", view.refund_event(refund)
    state.emit(Event(refund.caller, kind, "refund", resource, url, _SUMMARIES[refund.status]))
