"""Complaints in the fields of APIv3."""

from __future__ import annotations

from typing import Any

from wxpay_dsl.sandbox.domain.complaints import Complaint
from wxpay_dsl.sandbox.domain.times import rfc3339

__all__ = ["complaint", "history"]

Fields = dict[str, Any]


def complaint(one: Complaint) -> Fields:
    """A complaint; the service encrypts ``payer_phone``."""
    fields: Fields = {
        "complaint_id": one.complaint_id,
        "complaint_time": rfc3339(one.at),
        "complaint_detail": one.detail,
        "complaint_state": one.state,
        "complainted_mchid": one.mchid,
        "payer_openid": one.openid,
        "complaint_order_info": [
            {"transaction_id": one.transaction_id, "out_trade_no": one.out_trade_no, "amount": one.amount}
        ],
        "complaint_full_refunded": one.full_refunded,
        "incoming_user_response": one.waiting,
        "problem_description": one.problem,
        "user_complaint_times": 1,
        "problem_type": one.problem_type,
        "in_platform_service": False,
        "need_immediate_service": False,
    }
    return {**fields, "payer_phone": one.phone} if one.phone else fields


def history(one: Complaint) -> list[Fields]:
    """What was said, oldest first."""
    return [{**entry, "operate_time": rfc3339(entry["operate_time"])} for entry in one.history]
