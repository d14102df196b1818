"""A payscore order (微信支付分): created, confirmed by the user, completed by the merchant, then paid.

https://pay.weixin.qq.com/doc/v3/merchant/4012587900
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .converters import entries

__all__ = [
    "ServiceOrder",
    "cancel",
    "collect",
    "complete",
    "confirm",
    "create_order",
    "current",
    "expect_unpaid",
    "modify",
    "sync",
]

#: Seconds within which the user must confirm an order; after that it expires.
_LIFETIME: Final = 30 * 86400.0


@frozen
class ServiceOrder:
    """A service order (服务订单). Amounts are in fen, times are Unix time in seconds."""

    mchid: str
    out_order_no: str
    caller: str
    service_id: str
    appid: str
    created: float
    order_id: str = ""
    introduction: str = ""
    openid: str = ""
    #: Fields of the request that each response repeats: time_range, location, risk_fund, attach …
    echoed: Mapping[str, Any] = field(factory=dict, repr=False)
    notify_url: str = ""
    package: str = ""
    #: ``CREATED DOING DONE REVOKED EXPIRED``
    state: str = "CREATED"
    #: While ``DOING``: ``USER_CONFIRM``, then ``MCH_COMPLETE``.
    description: str = ""
    total: int = 0
    payments: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries)
    discounts: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries)
    transaction_id: str = ""
    paid_at: float = 0.0
    #: ``NEWTON``: collected by the service; ``MCH``: paid outside of it, as the merchant reported.
    paid_by: str = ""
    reason: str = ""


def create_order(
    requested: ServiceOrder, existing: ServiceOrder | None, *, confirmed: bool, now: float
) -> ServiceOrder:
    """Creates an order, or returns the ``existing`` one with the same ``out_order_no``.

    ``confirmed``: whether it needs no confirmation by the user (免确认). Raises Refusal INVALID_REQUEST if the existing
    order differs.
    """
    if existing is not None:
        if (existing.service_id, existing.appid, existing.echoed) != (
            requested.service_id,
            requested.appid,
            requested.echoed,
        ):
            raise Refusal(400, "INVALID_REQUEST", "订单重入参数校验失败")
        return existing
    order = evolve(requested, order_id=numbers.service_order_id(now), package=numbers.token(), created=now)
    return evolve(order, state="DOING", description="USER_CONFIRM") if confirmed else order


def current(order: ServiceOrder, now: float) -> ServiceOrder:
    """Returns the order as of ``now``: expired if the user did not confirm it in time."""
    if order.state == "CREATED" and now > order.created + _LIFETIME:
        return evolve(order, state="EXPIRED")
    return order


def confirm(order: ServiceOrder, openid: str, now: float) -> ServiceOrder:
    """Confirms the order as the user ``openid``. Raises Refusal INVALID_REQUEST unless it is created."""
    order = current(order, now)
    _expect(order, "CREATED")
    return evolve(order, state="DOING", description="USER_CONFIRM", openid=order.openid or openid)


def cancel(order: ServiceOrder, reason: str, now: float) -> ServiceOrder:
    """Cancels an order. Raises Refusal INVALID_REQUEST once it is completed, expired or paid."""
    order = current(order, now)
    if order.state == "REVOKED":
        return order
    if order.state == "DOING" and order.description == "MCH_COMPLETE":
        raise Refusal(400, "INVALID_REQUEST", "当前订单状态不满足撤销条件")
    _expect(order, "CREATED", "DOING")
    return evolve(order, state="REVOKED", description="", reason=reason)


def complete(
    order: ServiceOrder,
    total: int,
    payments: Sequence[Mapping[str, Any]],
    discounts: Sequence[Mapping[str, Any]],
    echoed: Mapping[str, Any],
    now: float,
) -> ServiceOrder:
    """Completes an order: ``total`` fen are to be collected. ``echoed`` adds to the order's fields of that name.

    Raises Refusal: INVALID_REQUEST in any other state, PARAM_ERROR if payments minus discounts differ from the total.
    """
    order = current(order, now)
    if order.state == "DOING" and order.description == "MCH_COMPLETE" and order.total == total:
        return order
    _expect(order, "DOING")
    if order.description != "USER_CONFIRM":
        raise Refusal(400, "INVALID_REQUEST", "当前订单状态不合法")
    _check_total(total, payments, discounts)
    done = evolve(
        order,
        total=total,
        payments=tuple(payments),
        discounts=tuple(discounts),
        echoed={**order.echoed, **echoed},
        description="MCH_COMPLETE",
    )
    # With nothing to collect, the order is done at once.
    return done if total else evolve(done, state="DONE", description="")


def modify(
    order: ServiceOrder,
    total: int,
    payments: Sequence[Mapping[str, Any]],
    discounts: Sequence[Mapping[str, Any]],
    reason: str,
) -> ServiceOrder:
    """Lowers the amount of a completed order that is not collected yet. Raises Refusal as :func:`complete`."""
    expect_unpaid(order)
    _check_total(total, payments, discounts)
    if total > order.total:
        raise Refusal(400, "INVALID_REQUEST", "修改后的金额不能大于原金额")
    return evolve(order, total=total, payments=tuple(payments), discounts=tuple(discounts), reason=reason)


def collect(order: ServiceOrder, now: float) -> ServiceOrder:
    """Marks the order as paid by the service. Raises Refusal INVALID_REQUEST unless it is waiting for payment."""
    expect_unpaid(order)
    transaction_id = numbers.transaction_id(now)
    return evolve(order, state="DONE", description="", transaction_id=transaction_id, paid_at=now, paid_by="NEWTON")


def sync(order: ServiceOrder, paid_at: float) -> ServiceOrder:
    """Marks the order as paid outside of the service, as the merchant reports.

    Raises Refusal INVALID_REQUEST unless it is waiting for payment.
    """
    expect_unpaid(order)
    return evolve(order, state="DONE", description="", paid_at=paid_at, paid_by="MCH")


def _check_total(total: int, payments: Sequence[Mapping[str, Any]], discounts: Sequence[Mapping[str, Any]]) -> None:
    paid = sum(one.get("amount", 0) for one in payments)
    if total < 0 or total != paid - sum(one.get("amount", 0) for one in discounts):
        raise Refusal(400, "PARAM_ERROR", "最终总金额计算非法")


def _expect(order: ServiceOrder, *states: str) -> None:
    if order.state not in states:
        raise Refusal(400, "INVALID_REQUEST", "当前订单状态不合法")


def expect_unpaid(order: ServiceOrder) -> None:
    """Raises Refusal INVALID_REQUEST unless the order is completed and waiting for payment."""
    if order.state != "DOING" or order.description != "MCH_COMPLETE":
        raise Refusal(400, "INVALID_REQUEST", "仅服务订单支付状态为待支付时，才可使用此能力")
