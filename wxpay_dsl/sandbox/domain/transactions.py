"""An order and its payment (支付订单): created, paid, closed, reversed, refunded.

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
    "add_refunded",
    "close",
    "create_order",
    "current",
    "decline",
    "mark_user_paying",
    "pay",
    "reverse",
]

#: The trade states (交易状态), and the service's description of each.
STATES: Final = {
    "NOTPAY": "订单未支付",
    "USERPAYING": "用户支付中",
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "CLOSED": "订单已关闭",
    "REVOKED": "订单已撤销",
    "PAYERROR": "支付失败",
}
#: The states of an order that was paid.
PAID: Final = ("SUCCESS", "REFUND")
#: Seconds that an order without ``time_expire`` can be paid.
_LIFETIME: Final = 7 * 86400.0
_BANK: Final = "OTHERS"


@frozen
class Transaction:
    """An order and its payment. Amounts are in fen, times are Unix time in seconds."""

    #: The merchant that is paid; for partners the sub-merchant.
    mchid: str
    out_trade_no: str
    #: The merchant that created the order: the partner, or the same as ``mchid``.
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
    #: Time after which the order can no longer be paid; 0 for the default of seven days.
    expires: float = 0.0
    profit_sharing: bool = False
    #: ``v3`` or ``v2``: the API that created it, and that its notifications use.
    dialect: str = "v3"
    #: ``combine_out_trade_no`` of the combined order that it belongs to; empty if none.
    combined: str = ""
    #: The payer, if the order names one; after the payment the user who paid.
    openid: str = ""
    sub_openid: str = ""
    #: The fields in which two requests with the same ``out_trade_no`` must agree.
    contents: Mapping[str, Any] = field(factory=dict, repr=False)
    prepay_id: str = ""
    #: Identifies the payment in its link or QR code.
    token: str = ""
    state: str = "NOTPAY"
    transaction_id: str = ""
    paid_at: float = 0.0
    bank_type: str = ""
    #: Refunded amount (已退金额), with refunds that are still processing.
    refunded: int = 0

    @property
    def partner(self) -> bool:
        """Whether a partner (服务商) created the order for a sub-merchant."""
        return self.caller != self.mchid


def create_order(order: Transaction, existing: Transaction | None, now: float) -> Transaction:
    """Creates an order, or renews the ``existing`` one with the same ``out_trade_no``, whose old link becomes invalid.

    Raises Refusal: OUT_TRADE_NO_USED if the existing order has other contents, ORDERPAID or ORDER_CLOSED if it can no
    longer be paid.
    """
    fresh = evolve(order, prepay_id=numbers.prepay_id(now), token=numbers.token()[:12])
    if existing is None:
        return fresh
    existing = current(existing, now)
    if existing.contents != order.contents:
        raise Refusal(403, "OUT_TRADE_NO_USED", "商户订单号重复")
    if existing.state in PAID:
        raise Refusal(400, "ORDERPAID", "该订单已支付")
    if existing.state not in ("NOTPAY", "USERPAYING"):
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭，请重新下单")
    return evolve(existing, prepay_id=fresh.prepay_id, token=fresh.token)


def current(transaction: Transaction, now: float) -> Transaction:
    """Returns the transaction as of ``now``: closed if it was not paid in time."""
    open_ = transaction.state in ("NOTPAY", "USERPAYING", "PAYERROR")
    if open_ and now > (transaction.expires or transaction.created + _LIFETIME):
        return evolve(transaction, state="CLOSED")
    return transaction


def pay(transaction: Transaction, now: float, openid: str) -> Transaction:
    """Pays the order as the user ``openid``. Raises Refusal: ORDERPAID, ORDER_CLOSED."""
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


def mark_user_paying(transaction: Transaction) -> Transaction:
    """Marks a payment by code as waiting for the payer's password (USERPAYING)."""
    return evolve(transaction, state="USERPAYING")


def decline(transaction: Transaction, now: float) -> Transaction:
    """Records that the payer does not pay: a payment by code has failed (PAYERROR), any other order stays open.

    Raises Refusal: ORDERPAID, ORDER_CLOSED.
    """
    transaction = current(transaction, now)
    if transaction.state in PAID:
        raise Refusal(400, "ORDERPAID", "该订单已支付")
    if transaction.state in ("CLOSED", "REVOKED"):
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭")
    return evolve(transaction, state="PAYERROR" if transaction.trade_type == "MICROPAY" else "NOTPAY")


def close(transaction: Transaction, now: float) -> Transaction:
    """Closes an unpaid order; closing it again changes nothing.

    Raises Refusal: ORDERPAID, TRADE_ERROR while the payer enters the password.
    """
    transaction = current(transaction, now)
    if transaction.state in PAID:
        raise Refusal(400, "ORDERPAID", "该订单已支付")
    if transaction.state == "USERPAYING":
        raise Refusal(400, "TRADE_ERROR", "用户支付中，请稍后再试")
    return transaction if transaction.state in ("CLOSED", "REVOKED") else evolve(transaction, state="CLOSED")


def reverse(transaction: Transaction, now: float) -> Transaction:
    """Reverses a payment by code in any state; if it was paid, the whole amount is returned.

    Raises Refusal TRADE_ERROR for another kind of payment, or if a refund was created.
    """
    transaction = current(transaction, now)
    if transaction.trade_type != "MICROPAY":
        raise Refusal(403, "TRADE_ERROR", "只有付款码支付的订单可以撤销")
    if transaction.refunded:
        raise Refusal(403, "TRADE_ERROR", "订单已发起退款，不能撤销")
    return evolve(transaction, state="REVOKED")


def add_refunded(transaction: Transaction, amount: int) -> Transaction:
    """Adds ``amount`` fen to the refunded amount; negative when a refund is closed."""
    refunded = transaction.refunded + amount
    return evolve(transaction, refunded=refunded, state="REFUND" if refunded else "SUCCESS")
