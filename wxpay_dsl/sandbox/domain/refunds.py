"""A refund (退款): created, then successful, closed, or abnormal and redirected to another bank card.

https://pay.weixin.qq.com/doc/v3/merchant/4012791862
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .transactions import PAID, Transaction

__all__ = ["Refund", "apply_abnormal_refund", "close", "create_refund", "mark_abnormal", "succeed"]

#: Seconds after the payment within which it can be refunded.
_YEAR: Final = 365 * 86400.0


@frozen
class Refund:
    """A refund (退款). Amounts are in fen, times are Unix time in seconds."""

    mchid: str
    out_refund_no: str
    caller: str
    out_trade_no: str
    transaction_id: str
    amount: int
    total: int
    created: float
    refund_id: str = ""
    currency: str = "CNY"
    reason: str = ""
    funds_account: str = "AVAILABLE"
    notify_url: str = ""
    dialect: str = "v3"
    #: ``PROCESSING SUCCESS CLOSED ABNORMAL``
    status: str = "PROCESSING"
    #: ``ORIGINAL``, and after an abnormal refund ``OTHER_BANKCARD``.
    channel: str = "ORIGINAL"
    account: str = "支付用户零钱"
    finished: float = 0.0


def create_refund(
    requested: Refund, transaction: Transaction, existing: Refund | None, balance: int, now: float
) -> Refund:
    """Creates a refund, or returns the ``existing`` one with the same ``out_refund_no``.

    ``balance``: the merchant's balance in fen. Raises Refusal: RESOURCE_NOT_EXISTS if the order is not paid,
    INVALID_REQUEST if the amounts do not fit the order or the existing refund, TRADE_OVERDUE a year after the payment,
    NOT_ENOUGH if the balance is too low.
    """
    if existing is not None:
        same = (existing.transaction_id, existing.amount, existing.total) == (
            transaction.transaction_id,
            requested.amount,
            requested.total,
        )
        if not same:
            raise Refusal(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
        return existing
    if transaction.state not in PAID:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在或未支付，不能发起退款")
    if requested.total != transaction.total or requested.currency != transaction.currency:
        raise Refusal(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
    if transaction.refunded >= transaction.total:
        raise Refusal(400, "INVALID_REQUEST", "订单已全额退款")
    if requested.amount <= 0 or transaction.refunded + requested.amount > transaction.total:
        raise Refusal(400, "INVALID_REQUEST", "累计退款金额大于支付金额")
    if now > transaction.paid_at + _YEAR:
        raise Refusal(403, "TRADE_OVERDUE", "订单已经超过可退款的期限")
    if balance < requested.amount:
        raise Refusal(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")
    return evolve(requested, refund_id=numbers.refund_id(now), created=now)


def succeed(refund: Refund, now: float) -> Refund:
    """Marks the refund as successful. Raises Refusal INVALID_REQUEST unless it is processing."""
    _expect(refund, "PROCESSING")
    return evolve(refund, status="SUCCESS", finished=now)


def mark_abnormal(refund: Refund) -> Refund:
    """Marks the refund as abnormal (退款异常): the payer's card accepts no money.

    Raises Refusal INVALID_REQUEST unless it is processing.
    """
    _expect(refund, "PROCESSING")
    return evolve(refund, status="ABNORMAL")


def close(refund: Refund) -> Refund:
    """Closes the refund (退款关闭). Raises Refusal INVALID_REQUEST if it is successful or closed."""
    _expect(refund, "PROCESSING", "ABNORMAL")
    return evolve(refund, status="CLOSED")


def apply_abnormal_refund(refund: Refund, out_refund_no: str) -> Refund:
    """Redirects an abnormal refund to another bank card. Raises Refusal INVALID_REQUEST in any other state."""
    if refund.out_refund_no != out_refund_no:
        raise Refusal(400, "INVALID_REQUEST", "商户退款单号与微信支付退款单号不一致")
    _expect(refund, "ABNORMAL")
    return evolve(refund, status="PROCESSING", channel="OTHER_BANKCARD", account="收款用户银行卡")


def _expect(refund: Refund, *states: str) -> None:
    if refund.status not in states:
        raise Refusal(400, "INVALID_REQUEST", f"退款单状态为{refund.status}，不能进行此操作")
