"""Payscore orders in the fields of APIv3."""

from __future__ import annotations

from typing import Any

from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
from wxpay_dsl.sandbox.domain.times import compact

__all__ = ["brief", "collection", "order"]

Fields = dict[str, Any]


def brief(one: ServiceOrder) -> Fields:
    """Who and which: what cancelling and collecting answer."""
    return {
        **_who(one),
        "out_order_no": one.out_order_no,
        "service_id": one.service_id,
        "order_id": one.order_id,
    }


def order(one: ServiceOrder) -> Fields:
    """A service order whole, as queries and notifications have it."""
    fields: Fields = {
        **brief(one),
        "service_introduction": one.introduction,
        "state": one.state,
        **({"state_description": one.description} if one.description else {}),
        **one.told,
        "post_payments": [dict(payment) for payment in one.payments],
        "post_discounts": [dict(discount) for discount in one.discounts],
        "notify_url": one.notify_url,
    }
    if one.openid:
        fields["openid"] = one.openid
    if one.description == "MCH_COMPLETE" or one.state == "DONE":
        fields["total_amount"] = one.total
        fields["need_collection"] = one.total > 0
    if one.total and (one.description == "MCH_COMPLETE" or one.state == "DONE"):
        fields["collection"] = collection(one)
    return fields


def collection(one: ServiceOrder) -> Fields:
    """收款信息."""
    paid = one.total if one.paid_by else 0
    fields: Fields = {
        "state": "USER_PAID" if one.paid_by else "USER_PAYING",
        "total_amount": one.total,
        "paying_amount": one.total - paid,
        "paid_amount": paid,
    }
    if one.paid_by:
        detail: Fields = {
            "seq": 1,
            "amount": one.total,
            "paid_type": one.paid_by,
            "paid_time": compact(one.paid_at),
        }
        if one.transaction_id:
            detail["transaction_id"] = one.transaction_id
        fields["details"] = [detail]
    return fields


def _who(one: ServiceOrder) -> Fields:
    if one.caller != one.mchid:
        return {"appid": one.appid, "mchid": one.caller, "sub_mchid": one.mchid}
    return {"appid": one.appid, "mchid": one.mchid}
