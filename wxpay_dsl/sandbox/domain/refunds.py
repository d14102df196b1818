"""One refund: asked for, on its way, arrived, or stuck and sent another way.

https://pay.weixin.qq.com/doc/v3/merchant/4012791862
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .transactions import PAID, Transaction

__all__ = ["Refund", "ask", "close", "get_stuck", "send_another_way", "succeed"]

_YEAR: Final = 365 * 86400.0


@frozen
class Refund:
    """A refund (退款). Amounts are fen, times Unix time."""

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


def ask(wanted: Refund, transaction: Transaction, known: Refund | None, balance: int, now: float) -> Refund:
    """A new refund, or the ``known`` one under the same number where both want the same.

    ``balance``: fen that the merchant can pay it from. Raises Refusal: RESOURCE_NOT_EXISTS for an order that was not
    paid, INVALID_REQUEST for amounts that do not fit it, NOT_ENOUGH, TRADE_OVERDUE after a year.
    """
    if known is not None:
        same = (known.transaction_id, known.amount, known.total) == (
            transaction.transaction_id,
            wanted.amount,
            wanted.total,
        )
        if not same:
            raise Refusal(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
        return known
    if transaction.state not in PAID:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在或未支付，不能发起退款")
    if wanted.total != transaction.total or wanted.currency != transaction.currency:
        raise Refusal(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
    if transaction.refunded >= transaction.total:
        raise Refusal(400, "INVALID_REQUEST", "订单已全额退款")
    if wanted.amount <= 0 or transaction.refunded + wanted.amount > transaction.total:
        raise Refusal(400, "INVALID_REQUEST", "累计退款金额大于支付金额")
    if now > transaction.paid_at + _YEAR:
        raise Refusal(403, "TRADE_OVERDUE", "订单已经超过可退款的期限")
    if balance < wanted.amount:
        raise Refusal(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")
    return evolve(wanted, refund_id=numbers.refund_id(now), created=now)


def succeed(refund: Refund, now: float) -> Refund:
    """The money has arrived. Raises Refusal INVALID_REQUEST for a refund that is over."""
    _expect(refund, "PROCESSING")
    return evolve(refund, status="SUCCESS", finished=now)


def get_stuck(refund: Refund) -> Refund:
    """The payer's card no longer takes money: an abnormal refund (退款异常). Raises Refusal INVALID_REQUEST."""
    _expect(refund, "PROCESSING")
    return evolve(refund, status="ABNORMAL")


def close(refund: Refund) -> Refund:
    """It will not happen (退款关闭). Raises Refusal INVALID_REQUEST."""
    _expect(refund, "PROCESSING", "ABNORMAL")
    return evolve(refund, status="CLOSED")


def send_another_way(refund: Refund, out_refund_no: str) -> Refund:
    """The merchant sends an abnormal refund to another card. Raises Refusal INVALID_REQUEST."""
    if refund.out_refund_no != out_refund_no:
        raise Refusal(400, "INVALID_REQUEST", "商户退款单号与微信支付退款单号不一致")
    _expect(refund, "ABNORMAL")
    return evolve(refund, status="PROCESSING", channel="OTHER_BANKCARD", account="收款用户银行卡")


def _expect(refund: Refund, *states: str) -> None:
    if refund.status not in states:
        raise Refusal(400, "INVALID_REQUEST", f"退款单状态为{refund.status}，不能进行此操作")
