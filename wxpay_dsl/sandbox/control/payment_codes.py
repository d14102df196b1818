"""Payments by code (付款码): what becomes of one is told by the code's last digits, so that tests can choose.

A code is 18 digits that begin with 10 to 15. One that ends in ``99`` asks its owner for the password, so that the
payment is under way until the payer confirms; in ``98`` there is not enough money; any other is paid at once.
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

#: The openid of a payer of whom nothing else is known.
PAYER: Final = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

_CODE: Final = re.compile(r"1[0-5][0-9]{16}\Z")


def by_code(state: State, order: Transaction, code: str) -> Transaction:
    """Pays an order by a payment code; a payment that was made already is given again.

    Raises Refusal: PARAM_ERROR for no code, NOT_ENOUGH, or as placing does.
    """
    if not _CODE.match(code):
        detail = {"field": "/payer/auth_code", "value": code, "issue": "18 digits from 10 to 15", "location": "body"}
        raise Refusal(400, "AUTH_CODE_INVALID", "付款码无效，请重新扫码", detail)
    known = state.transactions.get(order.mchid, order.out_trade_no)
    if known is not None and known.state in (*PAID, "USERPAYING"):
        # Asking again for what is paid, or being paid, is how a lost answer is found out about.
        return known if known.contents == order.contents else payments.create_order(state, order)
    placed = payments.create_order(state, order)
    if code.endswith("98"):
        state.transactions.put(evolve(placed, state="PAYERROR"))
        raise Refusal(403, "NOT_ENOUGH", "用户账户余额不足", keeps=True)
    if code.endswith("99"):
        return state.transactions.put(mark_user_paying(placed))
    return payments.pay(state, placed, PAYER)
