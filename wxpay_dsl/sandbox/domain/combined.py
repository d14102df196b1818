"""A combined order (合单): several orders, possibly of several merchants, paid together.

https://pay.weixin.qq.com/doc/v3/merchant/4012077203
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers

__all__ = ["CombinedOrder", "create_order"]


def _pairs(values: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((mchid, number) for mchid, number in values)


@frozen
class CombinedOrder:
    """A combined order (合单支付订单). Times are Unix time in seconds."""

    mchid: str
    out_trade_no: str
    trade_type: str
    created: float
    appid: str = ""
    notify_url: str = ""
    openid: str = ""
    #: ``(mchid, out_trade_no)`` of each sub-order.
    parts: tuple[tuple[str, str], ...] = field(default=(), converter=_pairs)
    contents: Mapping[str, Any] = field(factory=dict, repr=False)
    prepay_id: str = ""
    token: str = ""
    transaction_id: str = ""


def create_order(order: CombinedOrder, existing: CombinedOrder | None, now: float) -> CombinedOrder:
    """Creates a combined order, or renews the payment link of the ``existing`` one.

    Raises Refusal OUT_TRADE_NO_USED if the existing order has other contents.
    """
    if existing is not None and existing.contents != order.contents:
        raise Refusal(403, "OUT_TRADE_NO_USED", "合单商户订单号重复")
    return evolve(existing or order, prepay_id=numbers.prepay_id(now), token=numbers.token()[:12])
