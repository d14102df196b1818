"""Refunds as fields of APIv3."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.times import rfc3339

from .fields import Fields, optional_time, pick

__all__ = ["refund", "refund_event"]


def refund(one: Refund) -> Fields:
    """A refund, as its creation and its query return it."""
    return {
        **pick(
            one, "refund_id", "out_refund_no", "transaction_id", "out_trade_no", "channel", "status", "funds_account"
        ),
        "user_received_account": one.account,
        "create_time": rfc3339(one.created),
        "amount": {
            **_amount(one),
            "from": [],
            "settlement_refund": one.amount,
            "settlement_total": one.total,
            "discount_refund": 0,
            "currency": one.currency,
            "refund_fee": 0,
        },
        "promotion_detail": [],
        **optional_time(success_time=one.finished),
    }


def refund_event(one: Refund) -> Fields:
    """A refund, as in REFUND.SUCCESS, REFUND.ABNORMAL and REFUND.CLOSED."""
    partner = one.caller != one.mchid
    return {
        **({"sp_mchid": one.caller, "sub_mchid": one.mchid} if partner else {"mchid": one.mchid}),
        **pick(one, "out_trade_no", "transaction_id", "out_refund_no", "refund_id"),
        "refund_status": one.status,
        "user_received_account": one.account,
        "amount": _amount(one),
        **optional_time(success_time=one.finished),
    }


def _amount(one: Refund) -> Fields:
    return {"total": one.total, "refund": one.amount, "payer_total": one.total, "payer_refund": one.amount}
