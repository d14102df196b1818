"""The steps that the service takes by itself, once it has answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Pending, State

from . import contracts, payments, payscore, sharing, transfers

__all__ = ["settle"]


def settle(state: State) -> int:
    """Takes every step that is due, each in a unit of work of its own; gives how many."""
    due = state.pending.all()
    for pending in due:
        _take(state, pending)
    return len(due)


def _take(state: State, pending: Pending) -> None:
    with state.unit():
        state.pending.drop(pending.step, *pending.key)
        try:
            _STEPS[pending.step](state, *pending.key)
        except Refusal:
            # The record went another way meanwhile: cancelled, closed, paid in person.
            return


def _refund(state: State, mchid: str, number: str) -> None:
    if (refund := state.refunds.get(mchid, number)) is not None:
        payments.succeed_refund(state, refund)


def _share(state: State, mchid: str, number: str) -> None:
    if (order := state.shares.get(mchid, number)) is not None:
        sharing.finish(state, order)


def _batch(state: State, mchid: str, number: str) -> None:
    if (batch := state.batches.get(mchid, number)) is not None:
        transfers.finish_batch(state, batch)


def _deduct(state: State, mchid: str, number: str) -> None:
    if (order := state.transactions.get(mchid, number)) is not None:
        contracts.collect(state, order)


def _collect(state: State, mchid: str, number: str) -> None:
    if (order := state.service_orders.get(mchid, number)) is not None:
        payscore.collect(state, order)


_STEPS: Final[dict[str, Callable[..., None]]] = {
    "refund": _refund,
    "share": _share,
    "batch": _batch,
    "deduct": _deduct,
    "collect": _collect,
}
