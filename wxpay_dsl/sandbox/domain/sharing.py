"""Profit sharing (分账): of a payment that was marked for it, parts go to receivers until the rest is released.

https://pay.weixin.qq.com/doc/v3/merchant/4012068033
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .converters import entries
from .transactions import PAID, Transaction

__all__ = ["MAX_RATIO", "Receiver", "Share", "ShareReturn", "finish", "give_back", "share", "unfreeze", "unsplit"]

#: 最大分账比例, in hundredths of a percent.
MAX_RATIO: Final = 10000


@frozen
class Receiver:
    """Who may be given a share (分账接收方)."""

    mchid: str
    type: str
    account: str
    relation_type: str = ""
    custom_relation: str = ""
    name: str = ""


@frozen
class Share:
    """One order of shares (分账单). Amounts are fen, times Unix time."""

    mchid: str
    out_order_no: str
    caller: str
    transaction_id: str
    created: float
    order_id: str = ""
    #: Of each: ``type account amount description result detail_id``.
    receivers: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries)
    #: Whether what is left goes to the merchant with this order.
    unfreezes: bool = False
    #: ``PROCESSING FINISHED``
    state: str = "PROCESSING"
    finished: float = 0.0

    @property
    def amount(self) -> int:
        """Fen that were given away, before returns."""
        return sum(receiver["amount"] for receiver in self.receivers if receiver["result"] != "CLOSED")


@frozen
class ShareReturn:
    """A share that is given back (分账回退)."""

    mchid: str
    out_return_no: str
    out_order_no: str
    order_id: str
    return_mchid: str
    amount: int
    description: str
    created: float
    return_id: str = ""
    result: str = "SUCCESS"
    finished: float = 0.0


def unsplit(transaction: Transaction, shares: Sequence[Share], returned: int) -> int:
    """Fen of a payment that may still be shared: none once the rest was released."""
    if transaction.state not in PAID or not transaction.profit_sharing or any(share.unfreezes for share in shares):
        return 0
    return max(0, transaction.total - transaction.refunded - sum(share.amount for share in shares) + returned)


def share(
    wanted: Share, transaction: Transaction, known: Share | None, left: int, receivers: Sequence[Receiver], now: float
) -> Share:
    """A new order of shares, or the ``known`` one under its number where both want the same.

    ``left``: fen that may still be shared. Raises Refusal: INVALID_REQUEST, NOT_ENOUGH, NO_AUTH for somebody who was
    never added as a receiver.
    """
    if known is not None:
        if _wanted(known) != _wanted(wanted):
            raise Refusal(400, "INVALID_REQUEST", "商户分账单号重复，且参数与之前请求不一致")
        return known
    if transaction.state not in PAID:
        raise Refusal(400, "INVALID_REQUEST", "订单未支付，不能分账")
    if not transaction.profit_sharing:
        raise Refusal(400, "INVALID_REQUEST", "非分账订单不支持分账")
    known_receivers = {(receiver.type, receiver.account) for receiver in receivers}
    for receiver in wanted.receivers:
        if (receiver["type"], receiver["account"]) not in known_receivers:
            raise Refusal(400, "INVALID_REQUEST", f"分账接收方{receiver['account']}与分账方没有绑定关系")
        if receiver["amount"] <= 0:
            raise Refusal(400, "PARAM_ERROR", "分账金额必须大于0")
    if sum(receiver["amount"] for receiver in wanted.receivers) > left:
        raise Refusal(403, "NOT_ENOUGH", "分账金额不足")
    numbered = tuple(
        {**receiver, "result": "PENDING", "detail_id": numbers.share_id(now)} for receiver in wanted.receivers
    )
    return evolve(wanted, order_id=numbers.share_id(now), receivers=numbered, created=now)


def unfreeze(
    wanted: Share, transaction: Transaction, known: Share | None, shares: Sequence[Share], now: float
) -> Share:
    """The rest goes to the merchant. Raises Refusal INVALID_REQUEST where there is nothing to release."""
    if known is not None:
        return known
    if transaction.state not in PAID or not transaction.profit_sharing:
        raise Refusal(400, "INVALID_REQUEST", "非分账订单不支持解冻")
    if any(share.unfreezes for share in shares):
        raise Refusal(400, "INVALID_REQUEST", "分账订单已完结，剩余资金已解冻")
    return evolve(wanted, order_id=numbers.share_id(now), unfreezes=True, created=now)


def finish(order: Share, now: float) -> Share:
    """The receivers have their money."""
    done = tuple({**receiver, "result": "SUCCESS"} for receiver in order.receivers)
    return evolve(order, state="FINISHED", receivers=done, finished=now)


def give_back(wanted: ShareReturn, order: Share, known: ShareReturn | None, returned: int, now: float) -> ShareReturn:
    """A receiver, a merchant, gives a share back; ``returned``: fen that it gave back of this order before.

    Raises Refusal: INVALID_REQUEST, NOT_ENOUGH.
    """
    if known is not None:
        if (known.order_id, known.return_mchid, known.amount) != (order.order_id, wanted.return_mchid, wanted.amount):
            raise Refusal(400, "INVALID_REQUEST", "商户回退单号重复，且参数与之前请求不一致")
        return known
    got = sum(
        receiver["amount"]
        for receiver in order.receivers
        if receiver["type"] == "MERCHANT_ID" and receiver["account"] == wanted.return_mchid
    )
    if not got:
        raise Refusal(400, "INVALID_REQUEST", "回退商户不是该分账单的接收方")
    if wanted.amount <= 0 or returned + wanted.amount > got:
        raise Refusal(403, "NOT_ENOUGH", "回退金额大于可回退的金额")
    return evolve(wanted, return_id=numbers.share_id(now), created=now, finished=now)


def _wanted(order: Share) -> tuple[Any, ...]:
    receivers = [(one["type"], one["account"], one["amount"]) for one in order.receivers]
    return order.transaction_id, receivers, order.unfreezes
