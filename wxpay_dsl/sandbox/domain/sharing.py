"""Profit sharing (分账): splits a payment among receivers until the remaining amount is unfrozen.

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

__all__ = [
    "MAX_RATIO",
    "ProfitSharingOrder",
    "ProfitSharingReturn",
    "Receiver",
    "create_order",
    "create_return",
    "finish",
    "unfreeze",
    "unsplit_amount",
]

#: The maximum share of a payment (最大分账比例), in hundredths of a percent.
MAX_RATIO: Final = 10000


@frozen
class Receiver:
    """A receiver of profit sharing (分账接收方)."""

    mchid: str
    type: str
    account: str
    relation_type: str = ""
    custom_relation: str = ""
    name: str = ""


@frozen
class ProfitSharingOrder:
    """A profit sharing order (分账单). Amounts are in fen, times are Unix time in seconds."""

    mchid: str
    out_order_no: str
    caller: str
    transaction_id: str
    created: float
    order_id: str = ""
    #: Each receiver has ``type account amount description result detail_id``.
    receivers: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries)
    #: Whether this order also unfreezes the remaining amount for the merchant (解冻剩余资金).
    unfreezes: bool = False
    #: ``PROCESSING FINISHED``
    state: str = "PROCESSING"
    finished: float = 0.0

    @property
    def amount(self) -> int:
        """Fen that the receivers get, without regard to returns."""
        return sum(receiver["amount"] for receiver in self.receivers if receiver["result"] != "CLOSED")


@frozen
class ProfitSharingReturn:
    """A return of shared money by a receiver (分账回退). The amount is in fen, times are Unix time in seconds."""

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


def unsplit_amount(transaction: Transaction, orders: Sequence[ProfitSharingOrder], returned: int) -> int:
    """Returns the fen of a payment that can still be shared: 0 once the remaining amount is unfrozen.

    ``orders``: the profit sharing orders of the payment. ``returned``: fen that receivers have returned.
    """
    if transaction.state not in PAID or not transaction.profit_sharing or any(order.unfreezes for order in orders):
        return 0
    return max(0, transaction.total - transaction.refunded - sum(order.amount for order in orders) + returned)


def create_order(
    requested: ProfitSharingOrder,
    transaction: Transaction,
    existing: ProfitSharingOrder | None,
    unsplit: int,
    receivers: Sequence[Receiver],
    now: float,
) -> ProfitSharingOrder:
    """Creates a profit sharing order, or returns the ``existing`` one with the same ``out_order_no``.

    ``unsplit``: fen of the payment that can still be shared. ``receivers``: those that the merchant has added. Raises
    Refusal: INVALID_REQUEST if the existing order differs, the payment cannot be shared or a receiver was not added,
    PARAM_ERROR for an amount that is not positive, NOT_ENOUGH if the amounts exceed ``unsplit``.
    """
    if existing is not None:
        if _terms(existing) != _terms(requested):
            raise Refusal(400, "INVALID_REQUEST", "商户分账单号重复，且参数与之前请求不一致")
        return existing
    if transaction.state not in PAID:
        raise Refusal(400, "INVALID_REQUEST", "订单未支付，不能分账")
    if not transaction.profit_sharing:
        raise Refusal(400, "INVALID_REQUEST", "非分账订单不支持分账")
    added = {(receiver.type, receiver.account) for receiver in receivers}
    for receiver in requested.receivers:
        if (receiver["type"], receiver["account"]) not in added:
            raise Refusal(400, "INVALID_REQUEST", f"分账接收方{receiver['account']}与分账方没有绑定关系")
        if receiver["amount"] <= 0:
            raise Refusal(400, "PARAM_ERROR", "分账金额必须大于0")
    if sum(receiver["amount"] for receiver in requested.receivers) > unsplit:
        raise Refusal(403, "NOT_ENOUGH", "分账金额不足")
    numbered = tuple(
        {**receiver, "result": "PENDING", "detail_id": numbers.profit_sharing_id(now)}
        for receiver in requested.receivers
    )
    return evolve(requested, order_id=numbers.profit_sharing_id(now), receivers=numbered, created=now)


def unfreeze(
    requested: ProfitSharingOrder,
    transaction: Transaction,
    existing: ProfitSharingOrder | None,
    orders: Sequence[ProfitSharingOrder],
    now: float,
) -> ProfitSharingOrder:
    """Creates an order that unfreezes the remaining amount, or returns the ``existing`` one.

    ``orders``: the profit sharing orders of the payment. Raises Refusal INVALID_REQUEST if the payment cannot be
    shared, or is unfrozen already.
    """
    if existing is not None:
        return existing
    if transaction.state not in PAID or not transaction.profit_sharing:
        raise Refusal(400, "INVALID_REQUEST", "非分账订单不支持解冻")
    if any(order.unfreezes for order in orders):
        raise Refusal(400, "INVALID_REQUEST", "分账订单已完结，剩余资金已解冻")
    return evolve(requested, order_id=numbers.profit_sharing_id(now), unfreezes=True, created=now)


def finish(order: ProfitSharingOrder, now: float) -> ProfitSharingOrder:
    """Finishes the order: all receivers have received their amounts."""
    done = tuple({**receiver, "result": "SUCCESS"} for receiver in order.receivers)
    return evolve(order, state="FINISHED", receivers=done, finished=now)


def create_return(
    requested: ProfitSharingReturn,
    order: ProfitSharingOrder,
    existing: ProfitSharingReturn | None,
    returned: int,
    now: float,
) -> ProfitSharingReturn:
    """Creates a return from a receiver that is a merchant, or returns the ``existing`` one with the same number.

    ``returned``: fen of this order that the receiver has returned before. Raises Refusal: INVALID_REQUEST if the
    existing return differs or the merchant is no receiver of the order, NOT_ENOUGH if the amount exceeds what it got.
    """
    if existing is not None:
        if (existing.order_id, existing.return_mchid, existing.amount) != (
            order.order_id,
            requested.return_mchid,
            requested.amount,
        ):
            raise Refusal(400, "INVALID_REQUEST", "商户回退单号重复，且参数与之前请求不一致")
        return existing
    received = sum(
        receiver["amount"]
        for receiver in order.receivers
        if receiver["type"] == "MERCHANT_ID" and receiver["account"] == requested.return_mchid
    )
    if not received:
        raise Refusal(400, "INVALID_REQUEST", "回退商户不是该分账单的接收方")
    if requested.amount <= 0 or returned + requested.amount > received:
        raise Refusal(403, "NOT_ENOUGH", "回退金额大于可回退的金额")
    return evolve(requested, return_id=numbers.profit_sharing_id(now), created=now, finished=now)


def _terms(order: ProfitSharingOrder) -> tuple[Any, ...]:
    """The fields in which two requests with the same ``out_order_no`` must agree."""
    receivers = [(one["type"], one["account"], one["amount"]) for one in order.receivers]
    return order.transaction_id, receivers, order.unfreezes
