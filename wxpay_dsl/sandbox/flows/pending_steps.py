"""Runs the steps that the service takes after its response, such as finishing refunds and batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Pending, State
from wxpay_dsl.sandbox.state.store import Table

from . import contracts, payscore, refunds, sharing, transfers

__all__ = ["run_pending"]

#: For each kind of step, the table that its key is of, and the function to call with the record.
_STEPS: Final[dict[str, tuple[Callable[[State], Table[Any]], Callable[[State, Any], object]]]] = {
    "refund": (lambda state: state.refunds, refunds.succeed),
    "share": (lambda state: state.profit_sharing_orders, sharing.finish),
    "batch": (lambda state: state.batches, transfers.finish_batch),
    "deduct": (lambda state: state.transactions, contracts.collect),
    "collect": (lambda state: state.service_orders, payscore.collect),
}


def run_pending(state: State) -> int:
    """Runs all pending steps, each in its own unit of work; returns how many there were."""
    steps = state.pending.all()
    for pending in steps:
        _run(state, pending)
    return len(steps)


def _run(state: State, pending: Pending) -> None:
    table_of, step = _STEPS[pending.step]
    with state.unit():
        state.pending.drop(pending.step, *pending.key)
        record = table_of(state).get(*pending.key)
        try:
            if record is not None:
                step(state, record)
        except Refusal:
            # The record has changed meanwhile: it was cancelled, closed, or paid outside of the service.
            return
