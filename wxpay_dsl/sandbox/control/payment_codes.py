"""Payments by code (付款码), whose outcome depends on the last digits of the code, so that tests can choose it.

A code is 18 digits that begin with 10 to 15. With ``99`` at its end the payer must enter a password: the payment is
pending until the payer confirms it. With ``98`` the balance is insufficient. Any other code is paid at once.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import evolve

from wxpay_dsl.sandbox.domain.transactions import PAID, Transaction, mark_user_paying
from wxpay_dsl.sandbox.flows import payments
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import State

__all__ = ["PAYER", "by_code"]

#: The openid of the default payer.
PAYER: Final = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

_CODE: Final = re.compile(r"1[0-5][0-9]{16}\Z")


def by_code(state: State, order: Transaction, code: str) -> Transaction:
    """Pay an order by a payment code; for an order that is already paid or pending, return it again.

    Raises Refusal: 400 AUTH_CODE_INVALID for a malformed code, 403 NOT_ENOUGH, or what placing an order raises.
    """
    if not _CODE.match(code):
        detail = {"field": "/payer/auth_code", "value": code, "issue": "18 digits from 10 to 15", "location": "body"}
        raise Refusal(400, "AUTH_CODE_INVALID", "付款码无效，请重新扫码", detail)
    existing = state.transactions.get(order.mchid, order.out_trade_no)
    if existing is not None and existing.state in (*PAID, "USERPAYING"):
        # A merchant that lost the response repeats the call.
        return existing if existing.contents == order.contents else payments.create_order(state, order)
    placed = payments.create_order(state, order)
    if code.endswith("98"):
        state.transactions.put(evolve(placed, state="PAYERROR"))
        raise Refusal(403, "NOT_ENOUGH", "用户账户余额不足", keeps=True)
    if code.endswith("99"):
        return state.transactions.put(mark_user_paying(placed))
    return payments.pay(state, placed, PAYER)
