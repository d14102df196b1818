"""Profit sharing, with the money that moves and the notifications that follow."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import sharing
from wxpay_dsl.sandbox.domain.sharing import Share, ShareReturn
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import v3

__all__ = ["find", "finish", "give_back", "left", "share", "unfreeze"]


def left(state: State, payment: Transaction) -> int:
    """Fen of a payment that may still be shared."""
    shares = _shares(state, payment.transaction_id)
    numbers = {order.order_id for order in shares}
    returned = sum(back.amount for back in state.share_returns.all() if back.order_id in numbers)
    return sharing.unsplit(payment, shares, returned)


def share(state: State, wanted: Share, payment: Transaction) -> Share:
    """Gives parts of a payment to receivers. Raises Refusal."""
    known = state.shares.get(wanted.mchid, wanted.out_order_no)
    receivers = [one for one in state.receivers.all() if one.mchid == wanted.mchid]
    order = sharing.share(wanted, payment, known, left(state, payment), receivers, state.now)
    if known is None:
        state.shares.put(order)
        state.later("share", order.mchid, order.out_order_no)
    return order


def unfreeze(state: State, wanted: Share, payment: Transaction) -> Share:
    """Releases what was not shared. Raises Refusal."""
    known = state.shares.get(wanted.mchid, wanted.out_order_no)
    shares = _shares(state, payment.transaction_id)
    order = sharing.unfreeze(wanted, payment, known, shares, state.now)
    if known is None:
        state.shares.put(order)
        state.later("share", order.mchid, order.out_order_no)
    return order


def find(state: State, mchid: str, out_order_no: str) -> Share:
    """Raises Refusal RESOURCE_NOT_EXISTS."""
    found = state.shares.get(mchid, out_order_no)
    if found is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "分账单不存在")
    return found


def finish(state: State, order: Share) -> Share:
    """The receivers get their money."""
    done = state.shares.put(sharing.finish(order, state.now))
    payment = state.transactions.find("transaction_id", done.transaction_id)
    for receiver in done.receivers:
        state.book(done.mchid, "分账", -receiver["amount"], receiver["detail_id"])
        resource = v3.share_event(done, receiver)
        url = payment.notify_url if payment is not None else ""
        state.emit(Event(done.caller, "PROFITSHARING.SUCCESS", "profitsharing", resource, url, "分账"))
    return done


def give_back(state: State, wanted: ShareReturn, order: Share) -> ShareReturn:
    """A receiver gives a share back. Raises Refusal."""
    known = state.share_returns.get(wanted.mchid, wanted.out_return_no)
    returned = sum(
        back.amount
        for back in state.share_returns.all()
        if back.order_id == order.order_id and back.return_mchid == wanted.return_mchid
    )
    back = sharing.give_back(wanted, order, known, returned, state.now)
    if known is None:
        state.share_returns.put(back)
        state.book(back.mchid, "分账回退", back.amount, back.return_id)
    return back


def _shares(state: State, transaction_id: str) -> list[Share]:
    return [order for order in state.shares.all() if order.transaction_id == transaction_id]
