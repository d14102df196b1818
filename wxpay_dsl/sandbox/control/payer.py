"""The payer, who is not the merchant: finds what there is to pay, sign or confirm, and does it or does not.

What is to be done is told by whatever the merchant shows the payer: ``code_url``, ``prepay_id``, ``h5_url``, the
token of a contract, the package of a payscore order or a transfer; or by the merchant's own number for it.
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

__all__ = ["Errand", "approve", "decline", "find"]

#: Something that waits for a payer.
Errand = Transaction | CombinedOrder | Contract | ServiceOrder | Transfer


def find(state: State, thing: str) -> Errand:
    """What ``thing`` leads to. Raises Refusal ORDER_NOT_EXIST."""
    word = _word(thing)
    found: Errand | None = (
        state.transactions.find("prepay_id", word)
        or state.transactions.find("token", word)
        or state.combined.find("prepay_id", word)
        or state.combined.find("token", word)
        or state.contracts.find("token", word)
        or state.service_orders.find("package", word)
        or state.service_orders.find("order_id", word)
        or state.transfers.find("package", word)
        or state.transfers.find("bill_no", word)
        or _by_number(state, word)
    )
    if found is None:
        raise Refusal(404, "ORDER_NOT_EXIST", f"没有等待用户处理的订单或协议: {thing[:80]}", signed=False)
    return found


def approve(state: State, errand: Errand, openid: str = "") -> Errand:
    """The payer pays, signs, confirms. Raises Refusal."""
    who = openid or PAYER
    if isinstance(errand, Transaction):
        order = state.combined.get(errand.caller, errand.combined) if errand.combined else None
        return payments.pay(state, errand, who) if order is None else payments.pay_combined(state, order, who)
    if isinstance(errand, CombinedOrder):
        return payments.pay_combined(state, errand, who)
    if isinstance(errand, Contract):
        return contracts.sign(state, errand, who)
    if isinstance(errand, ServiceOrder):
        return payscore.confirm(state, errand, who)
    return transfers.confirm(state, transfers.expect_own(state, errand, errand.mchid))


def decline(state: State, errand: Errand) -> Errand:
    """The payer does not. Raises Refusal."""
    if isinstance(errand, Transaction):
        return payments.decline(state, errand)
    if isinstance(errand, CombinedOrder):
        for part in payments.sub_orders(state, errand):
            payments.decline(state, part)
        return errand
    if isinstance(errand, Transfer):
        return transfers.fail(state, transfers.expect_own(state, errand, errand.mchid), "PAYEE_ACCOUNT_ABNORMAL")
    # A contract that is not signed and an order that is not confirmed stay as they are.
    return errand


def _word(thing: str) -> str:
    """The token in a link, or the word itself."""
    parts = urlsplit(thing.strip())
    if not parts.scheme:
        return thing.strip().removeprefix("prepay_id=")
    query = parse_qs(parts.query)
    for name in ("pr", "prepay_id"):
        if name in query:
            return query[name][0]
    return parts.path.rpartition("/")[2]


def _by_number(state: State, number: str) -> Errand | None:
    """By the merchant's own number: the latest that has it."""
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
                errand: Errand = current(record, state.now) if isinstance(record, Transaction) else record
                return errand
    return None
