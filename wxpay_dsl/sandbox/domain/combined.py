"""A combined order (合单): several orders, of several merchants, paid at once.

https://pay.weixin.qq.com/doc/v3/merchant/4012077203
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers

__all__ = ["CombinedOrder", "place"]


def _pairs(given: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((mchid, number) for mchid, number in given)


@frozen
class CombinedOrder:
    """The order that holds the others together. Times are Unix time."""

    mchid: str
    out_trade_no: str
    trade_type: str
    created: float
    appid: str = ""
    notify_url: str = ""
    openid: str = ""
    #: Merchant and number of each part.
    parts: tuple[tuple[str, str], ...] = field(default=(), converter=_pairs)
    contents: Mapping[str, Any] = field(factory=dict, repr=False)
    prepay_id: str = ""
    token: str = ""
    transaction_id: str = ""


def place(order: CombinedOrder, known: CombinedOrder | None, now: float) -> CombinedOrder:
    """The order, ready to be paid. Raises Refusal OUT_TRADE_NO_USED for other contents under a known number."""
    if known is not None and known.contents != order.contents:
        raise Refusal(403, "OUT_TRADE_NO_USED", "合单商户订单号重复")
    return evolve(known or order, prepay_id=numbers.prepay_id(now), token=numbers.token()[:12])
