"""A payscore order (微信支付分): created, confirmed by the user, completed by the merchant, collected.

https://pay.weixin.qq.com/doc/v3/merchant/4012587900
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .converters import entries

__all__ = ["ServiceOrder", "cancel", "collect", "complete", "confirm", "create", "current", "modify", "sync"]

#: A user who does not confirm within thirty days has no order.
_LIFETIME: Final = 30 * 86400.0


@frozen
class ServiceOrder:
    """A service order (服务订单). Amounts are fen, times Unix time."""

    mchid: str
    out_order_no: str
    caller: str
    service_id: str
    appid: str
    created: float
    order_id: str = ""
    introduction: str = ""
    openid: str = ""
    #: What came with the request and goes back with each answer: time_range, location, risk_fund, attach …
    told: Mapping[str, Any] = field(factory=dict, repr=False)
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
    #: ``NEWTON``: by the service; ``MCH``: by the merchant, some other way.
    paid_by: str = ""
    reason: str = ""


def create(wanted: ServiceOrder, known: ServiceOrder | None, *, confirmed: bool, now: float) -> ServiceOrder:
    """A new order, or the ``known`` one; ``confirmed``: the user's consent was given before (免确认).

    Raises Refusal INVALID_REQUEST for other contents under a known number.
    """
    if known is not None:
        if (known.service_id, known.appid, known.told) != (wanted.service_id, wanted.appid, wanted.told):
            raise Refusal(400, "INVALID_REQUEST", "订单重入参数校验失败")
        return known
    order = evolve(wanted, order_id=numbers.service_order_id(now), package=numbers.token(), created=now)
    return evolve(order, state="DOING", description="USER_CONFIRM") if confirmed else order


def current(order: ServiceOrder, now: float) -> ServiceOrder:
    """The order as it is at ``now``: one that was not confirmed in time has expired."""
    if order.state == "CREATED" and now > order.created + _LIFETIME:
        return evolve(order, state="EXPIRED")
    return order


def confirm(order: ServiceOrder, openid: str, now: float) -> ServiceOrder:
    """The user agrees. Raises Refusal INVALID_REQUEST."""
    order = current(order, now)
    _expect(order, "CREATED")
    return evolve(order, state="DOING", description="USER_CONFIRM", openid=order.openid or openid)


def cancel(order: ServiceOrder, reason: str, now: float) -> ServiceOrder:
    """The merchant gives up, before completion. Raises Refusal INVALID_REQUEST."""
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
    told: Mapping[str, Any],
    now: float,
) -> ServiceOrder:
    """The service is rendered: ``total`` fen are to be paid.

    Raises Refusal: INVALID_REQUEST for a wrong state, PARAM_ERROR where payments less discounts are not the total.
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
        told={**order.told, **told},
        description="MCH_COMPLETE",
    )
    # Nothing to collect: it is over.
    return done if total else evolve(done, state="DONE", description="")


def modify(
    order: ServiceOrder,
    total: int,
    payments: Sequence[Mapping[str, Any]],
    discounts: Sequence[Mapping[str, Any]],
    reason: str,
) -> ServiceOrder:
    """The amount of a completed order goes down before it is collected. Raises Refusal as :func:`complete`."""
    _expect_collecting(order)
    _check_total(total, payments, discounts)
    if total > order.total:
        raise Refusal(400, "INVALID_REQUEST", "修改后的金额不能大于原金额")
    return evolve(order, total=total, payments=tuple(payments), discounts=tuple(discounts), reason=reason)


def collect(order: ServiceOrder, now: float) -> ServiceOrder:
    """The money has come. Raises Refusal INVALID_REQUEST."""
    _expect_collecting(order)
    transaction_id = numbers.transaction_id(now)
    return evolve(order, state="DONE", description="", transaction_id=transaction_id, paid_at=now, paid_by="NEWTON")


def sync(order: ServiceOrder, paid_at: float) -> ServiceOrder:
    """The merchant says that the user paid some other way. Raises Refusal INVALID_REQUEST."""
    _expect_collecting(order)
    return evolve(order, state="DONE", description="", paid_at=paid_at, paid_by="MCH")


def _check_total(total: int, payments: Sequence[Mapping[str, Any]], discounts: Sequence[Mapping[str, Any]]) -> None:
    paid = sum(one.get("amount", 0) for one in payments)
    if total < 0 or total != paid - sum(one.get("amount", 0) for one in discounts):
        raise Refusal(400, "PARAM_ERROR", "最终总金额计算非法")


def _expect(order: ServiceOrder, *states: str) -> None:
    if order.state not in states:
        raise Refusal(400, "INVALID_REQUEST", "当前订单状态不合法")


def _expect_collecting(order: ServiceOrder) -> None:
    if order.state != "DOING" or order.description != "MCH_COMPLETE":
        raise Refusal(400, "INVALID_REQUEST", "仅服务订单支付状态为待支付时，才可使用此能力")
