"""Payscore orders as fields of APIv3."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
from wxpay_dsl.sandbox.domain.times import compact

from .fields import Fields, optional, pick, sub_mchid

__all__ = ["order", "order_ids"]


def order_ids(one: ServiceOrder) -> Fields:
    """The ids of an order: all that cancelling and collecting return."""
    return {
        "appid": one.appid,
        "mchid": one.caller,
        **sub_mchid(one),
        **pick(one, "out_order_no", "service_id", "order_id"),
    }


def order(one: ServiceOrder) -> Fields:
    """A service order, as queries return it and as in its notifications."""
    fields: Fields = {
        **order_ids(one),
        "service_introduction": one.introduction,
        "state": one.state,
        **optional(state_description=one.description),
        **one.echoed,
        "post_payments": [dict(payment) for payment in one.payments],
        "post_discounts": [dict(discount) for discount in one.discounts],
        "notify_url": one.notify_url,
        **optional(openid=one.openid),
    }
    if one.description == "MCH_COMPLETE" or one.state == "DONE":
        fields["total_amount"] = one.total
        fields["need_collection"] = one.total > 0
        if one.total:
            fields["collection"] = _collection(one)
    return fields


def _collection(one: ServiceOrder) -> Fields:
    """收款信息: how much is paid, and how."""
    paid = one.total if one.paid_by else 0
    fields: Fields = {
        "state": "USER_PAID" if one.paid_by else "USER_PAYING",
        "total_amount": one.total,
        "paying_amount": one.total - paid,
        "paid_amount": paid,
    }
    if one.paid_by:
        detail = {"seq": 1, "amount": one.total, "paid_type": one.paid_by, "paid_time": compact(one.paid_at)}
        fields["details"] = [{**detail, **optional(transaction_id=one.transaction_id)}]
    return fields
