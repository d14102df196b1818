"""Complaints as fields of APIv3."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain.complaints import Complaint
from wxpay_dsl.sandbox.domain.times import rfc3339

from .fields import Fields, optional, pick

__all__ = ["complaint", "history"]


def complaint(one: Complaint) -> Fields:
    """A complaint; ``payer_phone`` is encrypted when the response is sent."""
    return {
        **pick(one, "complaint_id", "problem_type"),
        "complaint_time": rfc3339(one.at),
        "complaint_detail": one.detail,
        "complaint_state": one.state,
        "complainted_mchid": one.mchid,
        "payer_openid": one.openid,
        "complaint_order_info": [pick(one, "transaction_id", "out_trade_no", "amount")],
        "complaint_full_refunded": one.full_refunded,
        "incoming_user_response": one.waiting,
        "problem_description": one.problem,
        "user_complaint_times": 1,
        "in_platform_service": False,
        "need_immediate_service": False,
        **optional(payer_phone=one.phone),
    }


def history(one: Complaint) -> list[Fields]:
    """The negotiation history of a complaint, oldest entry first."""
    return [{**entry, "operate_time": rfc3339(entry["operate_time"])} for entry in one.history]
