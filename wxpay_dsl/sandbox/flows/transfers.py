"""Transfers to users, with their ledger entries and notifications."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import transfers
from wxpay_dsl.sandbox.domain.transfers import Batch, Transfer
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import transfers as view

__all__ = [
    "cancel",
    "confirm",
    "create_batch",
    "create_transfer",
    "expect_own",
    "expect_own_batch",
    "fail",
    "finish_batch",
]


def create_transfer(state: State, requested: Transfer) -> Transfer:
    """Creates a transfer; its amount is booked at once. Raises Refusal."""
    existing = state.transfers.get(requested.mchid, requested.out_bill_no)
    transfer = transfers.create_transfer(requested, existing, state.account(requested.mchid).balance, state.now)
    if existing is None:
        state.transfers.put(transfer)
        state.book(transfer.mchid, "商家转账", -transfer.amount, transfer.bill_no)
    return transfer


def expect_own(state: State, transfer: Transfer | None, mchid: str) -> Transfer:
    """Returns the transfer as of now. Raises Refusal NOT_FOUND for None, or if it is not the merchant's."""
    if transfer is None or transfer.mchid != mchid:
        raise Refusal(404, "NOT_FOUND", "记录不存在")
    current = transfers.current(transfer, state.now)
    return transfer if current is transfer else _finish(state, current)


def confirm(state: State, transfer: Transfer) -> Transfer:
    """Confirms a transfer on behalf of the user. Raises Refusal."""
    return _finish(state, transfers.confirm(transfer, state.now))


def cancel(state: State, transfer: Transfer) -> Transfer:
    """Cancels a transfer; its amount is booked back. Raises Refusal."""
    if transfer.state == "CANCELLED":
        return transfer
    return _finish(state, transfers.cancel(transfer, state.now))


def fail(state: State, transfer: Transfer, reason: str) -> Transfer:
    """Fails a transfer; its amount is booked back. Raises Refusal INVALID_REQUEST if it is over."""
    if transfer.state != "WAIT_USER_CONFIRM":
        raise Refusal(400, "INVALID_REQUEST", f"转账单状态为{transfer.state}")
    return _finish(state, transfers.fail(transfer, reason, state.now))


def _finish(state: State, transfer: Transfer) -> Transfer:
    state.transfers.put(transfer)
    if transfer.state != "SUCCESS":
        state.book(transfer.mchid, "商家转账退回", transfer.amount, transfer.bill_no)
    if transfer.notify_url:
        resource, url = view.transfer(transfer), transfer.notify_url
        kind = "MCHTRANSFER.BILL.FINISHED"
        state.emit(Event(transfer.mchid, kind, "mch_payment", resource, url, "商家转账单据终态通知"))
    return transfer


def create_batch(state: State, requested: Batch) -> Batch:
    """Creates a batch; it is finished after the response. Raises Refusal."""
    existing = state.batches.get(requested.mchid, requested.out_batch_no)
    batch = transfers.create_batch(requested, existing, state.account(requested.mchid).balance, state.now)
    if existing is None:
        state.batches.put(batch)
        state.book(batch.mchid, "批量转账", -batch.total_amount, batch.batch_id)
        state.add_pending("batch", batch.mchid, batch.out_batch_no)
    return batch


def expect_own_batch(batch: Batch | None, mchid: str) -> Batch:
    """Returns the batch. Raises Refusal NOT_FOUND for None, or if it is not the merchant's."""
    if batch is None or batch.mchid != mchid:
        raise Refusal(404, "NOT_FOUND", "批次单不存在")
    return batch


def finish_batch(state: State, batch: Batch) -> Batch:
    """Finishes a batch: all of its details succeed."""
    done = state.batches.put(transfers.finish_batch(batch, state.now))
    if done.notify_url:
        resource = view.batch(done)
        kind, url = "MCHTRANSFER.BATCH.FINISHED", done.notify_url
        state.emit(Event(done.mchid, kind, "mch_payment", resource, url, "商家转账批次完成通知"))
    return done
