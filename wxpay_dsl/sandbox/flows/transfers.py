"""Transfers to users, with the money that moves and the notifications that follow."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import batches, transfers
from wxpay_dsl.sandbox.domain.batches import Batch
from wxpay_dsl.sandbox.domain.transfers import Transfer
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import v3

__all__ = ["accept", "begin", "cancel", "confirm", "fail", "find", "find_batch", "finish_batch"]


def begin(state: State, wanted: Transfer) -> Transfer:
    """Begins a transfer; its money is set aside at once. Raises Refusal."""
    known = state.transfers.get(wanted.mchid, wanted.out_bill_no)
    transfer = transfers.begin(wanted, known, state.account(wanted.mchid).balance, state.now)
    if known is None:
        state.transfers.put(transfer)
        state.book(transfer.mchid, "商家转账", -transfer.amount, transfer.bill_no)
    return transfer


def find(state: State, found: Transfer | None, mchid: str) -> Transfer:
    """The transfer as it is now. Raises Refusal NOT_FOUND for none, or somebody else's."""
    if found is None or found.mchid != mchid:
        raise Refusal(404, "NOT_FOUND", "记录不存在")
    now = transfers.current(found, state.now)
    if now is not found:
        _end(state, now)
    return now


def confirm(state: State, transfer: Transfer) -> Transfer:
    """The user takes the money. Raises Refusal."""
    return _end(state, transfers.confirm(transfer, state.now))


def cancel(state: State, transfer: Transfer) -> Transfer:
    """The merchant takes it back. Raises Refusal."""
    if transfer.state == "CANCELLED":
        return transfer
    return _end(state, transfers.cancel(transfer, state.now))


def fail(state: State, transfer: Transfer, reason: str) -> Transfer:
    """It does not arrive. Raises Refusal."""
    if transfer.state != "WAIT_USER_CONFIRM":
        raise Refusal(400, "INVALID_REQUEST", f"转账单状态为{transfer.state}")
    return _end(state, transfers.fail(transfer, reason, state.now))


def _end(state: State, transfer: Transfer) -> Transfer:
    state.transfers.put(transfer)
    if transfer.state != "SUCCESS":
        state.book(transfer.mchid, "商家转账退回", transfer.amount, transfer.bill_no)
    if transfer.notify_url:
        resource, url = v3.transfer(transfer), transfer.notify_url
        kind = "MCHTRANSFER.BILL.FINISHED"
        state.emit(Event(transfer.mchid, kind, "mch_payment", resource, url, "商家转账单据终态通知"))
    return transfer


def accept(state: State, wanted: Batch) -> Batch:
    """Accepts a batch; the money goes out after the answer. Raises Refusal."""
    known = state.batches.get(wanted.mchid, wanted.out_batch_no)
    batch = batches.accept(wanted, known, state.account(wanted.mchid).balance, state.now)
    if known is None:
        state.batches.put(batch)
        state.book(batch.mchid, "批量转账", -batch.total_amount, batch.batch_id)
        state.later("batch", batch.mchid, batch.out_batch_no)
    return batch


def find_batch(found: Batch | None, mchid: str) -> Batch:
    """Raises Refusal NOT_FOUND for none, or somebody else's."""
    if found is None or found.mchid != mchid:
        raise Refusal(404, "NOT_FOUND", "批次单不存在")
    return found


def finish_batch(state: State, batch: Batch) -> Batch:
    """All details arrive."""
    done = state.batches.put(batches.finish(batch, state.now))
    if done.notify_url:
        resource = v3.batch(done)
        kind, url = "MCHTRANSFER.BATCH.FINISHED", done.notify_url
        state.emit(Event(done.mchid, kind, "mch_payment", resource, url, "商家转账批次完成通知"))
    return done
