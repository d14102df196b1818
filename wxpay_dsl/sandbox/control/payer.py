"""What a payer does: finds an order, contract or transfer that waits for the payer, and approves or declines it.

It is found by what the merchant shows the payer (``code_url``, ``prepay_id``, ``h5_url``, the token of a contract, the
package of a payscore order or of a transfer), or by the merchant's number of it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from wxpay_dsl.sandbox.domain.combined import CombinedOrder
from wxpay_dsl.sandbox.domain.contracts import Contract
from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
from wxpay_dsl.sandbox.domain.transactions import Transaction, current
from wxpay_dsl.sandbox.domain.transfers import Transfer
from wxpay_dsl.sandbox.flows import contracts, payments, payscore, transfers
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import State

from .payment_codes import PAYER

__all__ = ["PayerTask", "approve", "decline", "find"]

#: A record that can wait for its payer.
PayerTask = Transaction | CombinedOrder | Contract | ServiceOrder | Transfer


def find(state: State, reference: str) -> PayerTask:
    """The record that a link, a token or a number refers to. Raises Refusal 404 ORDER_NOT_EXIST."""
    token = _token(reference)
    task: PayerTask | None = (
        state.transactions.find("prepay_id", token)
        or state.transactions.find("token", token)
        or state.combined.find("prepay_id", token)
        or state.combined.find("token", token)
        or state.contracts.find("token", token)
        or state.service_orders.find("package", token)
        or state.service_orders.find("order_id", token)
        or state.transfers.find("package", token)
        or state.transfers.find("bill_no", token)
        or _by_number(state, token)
    )
    if task is None:
        raise Refusal(404, "ORDER_NOT_EXIST", f"没有等待用户处理的订单或协议: {reference[:80]}", signed=False)
    return task


def approve(state: State, task: PayerTask, openid: str = "") -> PayerTask:
    """Pay, sign, confirm or accept, as ``openid`` or else a default payer. Raises Refusal if it is not possible."""
    who = openid or PAYER
    if isinstance(task, Transaction):
        order = state.combined.get(task.caller, task.combined) if task.combined else None
        return payments.pay(state, task, who) if order is None else payments.pay_combined(state, order, who)
    if isinstance(task, CombinedOrder):
        return payments.pay_combined(state, task, who)
    if isinstance(task, Contract):
        return contracts.sign(state, task, who)
    if isinstance(task, ServiceOrder):
        return payscore.confirm(state, task, who)
    return transfers.confirm(state, transfers.expect_own(state, task, task.mchid))


def decline(state: State, task: PayerTask) -> PayerTask:
    """Decline to pay or to accept. Raises Refusal if it is not possible."""
    if isinstance(task, Transaction):
        return payments.decline(state, task)
    if isinstance(task, CombinedOrder):
        for part in payments.sub_orders(state, task):
            payments.decline(state, part)
        return task
    if isinstance(task, Transfer):
        return transfers.fail(state, transfers.expect_own(state, task, task.mchid), "PAYEE_ACCOUNT_ABNORMAL")
    # Declining a contract or a payscore order changes nothing.
    return task


def _token(reference: str) -> str:
    """The token in a link, or the reference itself."""
    parts = urlsplit(reference.strip())
    if not parts.scheme:
        return reference.strip().removeprefix("prepay_id=")
    query = parse_qs(parts.query)
    for name in ("pr", "prepay_id"):
        if name in query:
            return query[name][0]
    return parts.path.rpartition("/")[2]


def _by_number(state: State, number: str) -> PayerTask | None:
    """The latest record with this number of the merchant."""
    tables: tuple[tuple[Any, str], ...] = (
        (state.transactions, "out_trade_no"),
        (state.combined, "out_trade_no"),
        (state.service_orders, "out_order_no"),
        (state.transfers, "out_bill_no"),
        (state.contracts, "out_contract_code"),
    )
    for table, name in tables:
        for record in reversed(table.all()):
            if getattr(record, name) == number:
                task: PayerTask = current(record, state.now) if isinstance(record, Transaction) else record
                return task
    return None
