"""One payment, from the order to the money: placed, paid, closed, reversed.

https://pay.weixin.qq.com/doc/v3/merchant/4012791855
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers

__all__ = [
    "PAID",
    "STATES",
    "Transaction",
    "close",
    "current",
    "decline",
    "keep_paying",
    "pay",
    "place",
    "refund",
    "reverse",
]

#: 交易状态 and what the service says of each.
STATES: Final = {
    "NOTPAY": "订单未支付",
    "USERPAYING": "用户支付中",
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "CLOSED": "订单已关闭",
    "REVOKED": "订单已撤销",
    "PAYERROR": "支付失败",
}
#: The states in which money has come.
PAID: Final = ("SUCCESS", "REFUND")
#: Without an end of its own an order can be paid for seven days.
_LIFETIME: Final = 7 * 86400.0
_BANK: Final = "OTHERS"


@frozen
class Transaction:
    """An order, and the payment that it becomes. Amounts are fen, times Unix time."""

    #: Whose order it is: the sub-merchant's in partner forms.
    mchid: str
    out_trade_no: str
    #: Who placed it; the same as ``mchid`` without a partner.
    caller: str
    trade_type: str
    total: int
    created: float
    appid: str = ""
    sub_appid: str = ""
    description: str = ""
    attach: str = ""
    currency: str = "CNY"
    notify_url: str = ""
    goods_tag: str = ""
    #: 0: after the usual time.
    expires: float = 0.0
    profit_sharing: bool = False
    #: ``v3`` or ``v2``: how it was placed, and how it is told of.
    dialect: str = "v3"
    #: The combined order that it is part of, by its 商户订单号.
    combined: str = ""
    #: Who is to pay, where the order says so.
    openid: str = ""
    sub_openid: str = ""
    #: What two requests under one number must agree in.
    contents: Mapping[str, Any] = field(factory=dict, repr=False)
    prepay_id: str = ""
    #: Of the link or QR code that leads to the payment.
    token: str = ""
    state: str = "NOTPAY"
    transaction_id: str = ""
    paid_at: float = 0.0
    bank_type: str = ""
    #: 已退金额, those under way included.
    refunded: int = 0

    @property
    def partner(self) -> bool:
        """Whether a partner (服务商) placed it for somebody else."""
        return self.caller != self.mchid


def place(order: Transaction, known: Transaction | None, now: float) -> Transaction:
    """The order, ready to be paid; ``known`` is the one under the same number.

    An order that is still open may be placed again with the same contents, and its old link is void then. Raises
    Refusal: ORDERPAID, ORDER_CLOSED, or OUT_TRADE_NO_USED for other contents.
    """
    fresh = evolve(order, prepay_id=numbers.prepay_id(now), token=numbers.token()[:12])
    if known is None:
        return fresh
    known = current(known, now)
    if known.contents != order.contents:
        raise Refusal(403, "OUT_TRADE_NO_USED", "商户订单号重复")
    if known.state in PAID:
        raise Refusal(400, "ORDERPAID", "该订单已支付")
    if known.state not in ("NOTPAY", "USERPAYING"):
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭，请重新下单")
    return evolve(known, prepay_id=fresh.prepay_id, token=fresh.token)


def current(transaction: Transaction, now: float) -> Transaction:
    """The transaction as it is at ``now``: an order that was not paid in time is closed."""
    open_ = transaction.state in ("NOTPAY", "USERPAYING", "PAYERROR")
    if open_ and now > (transaction.expires or transaction.created + _LIFETIME):
        return evolve(transaction, state="CLOSED")
    return transaction


def pay(transaction: Transaction, now: float, openid: str) -> Transaction:
    """The payer pays. Raises Refusal: ORDERPAID, ORDER_CLOSED."""
    transaction = current(transaction, now)
    if transaction.state in PAID:
        raise Refusal(400, "ORDERPAID", "该订单已支付")
    if transaction.state in ("CLOSED", "REVOKED"):
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭")
    return evolve(
        transaction,
        state="SUCCESS",
        transaction_id=transaction.transaction_id or numbers.transaction_id(now),
        paid_at=now,
        bank_type=_BANK,
        openid=transaction.openid or openid,
    )


def keep_paying(transaction: Transaction) -> Transaction:
    """A payment code was shown, and its owner is asked for the password."""
    return evolve(transaction, state="USERPAYING")


def decline(transaction: Transaction, now: float) -> Transaction:
    """The payer gives up: a payment by code has failed for good, any other order stays open.

    Raises Refusal: ORDERPAID, ORDER_CLOSED.
    """
    transaction = current(transaction, now)
    if transaction.state in PAID:
        raise Refusal(400, "ORDERPAID", "该订单已支付")
    if transaction.state in ("CLOSED", "REVOKED"):
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭")
    return evolve(transaction, state="PAYERROR" if transaction.trade_type == "MICROPAY" else "NOTPAY")


def close(transaction: Transaction, now: float) -> Transaction:
    """The merchant closes an order that is not paid; closing it again changes nothing. Raises Refusal: ORDERPAID."""
    transaction = current(transaction, now)
    if transaction.state in PAID:
        raise Refusal(400, "ORDERPAID", "该订单已支付")
    if transaction.state == "USERPAYING":
        raise Refusal(400, "TRADE_ERROR", "用户支付中，请稍后再试")
    return transaction if transaction.state in ("CLOSED", "REVOKED") else evolve(transaction, state="CLOSED")


def reverse(transaction: Transaction, now: float) -> Transaction:
    """The merchant takes a payment by code back, whatever became of it: what was paid is returned whole.

    Raises Refusal: TRADE_ERROR for another kind of payment, or one that is refunded already.
    """
    transaction = current(transaction, now)
    if transaction.trade_type != "MICROPAY":
        raise Refusal(403, "TRADE_ERROR", "只有付款码支付的订单可以撤销")
    if transaction.refunded:
        raise Refusal(403, "TRADE_ERROR", "订单已发起退款，不能撤销")
    return evolve(transaction, state="REVOKED")


def refund(transaction: Transaction, amount: int) -> Transaction:
    """``amount`` fen more (or less, when a refund fails) are given back."""
    refunded = transaction.refunded + amount
    return evolve(transaction, refunded=refunded, state="REFUND" if refunded else "SUCCESS")
