"""A payer's complaint (消费者投诉): opened, answered, closed.

https://pay.weixin.qq.com/doc/v3/merchant/4012072452
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .converters import entries

__all__ = ["Complaint", "complete", "judge_refund", "reply", "speak"]


@frozen
class Complaint:
    """A complaint (投诉单). Amounts are fen, times Unix time."""

    mchid: str
    complaint_id: str
    at: float
    detail: str
    transaction_id: str
    out_trade_no: str
    amount: int
    openid: str = ""
    phone: str = ""
    problem: str = ""
    problem_type: str = "OTHERS"
    #: ``PENDING PROCESSING PROCESSED``
    state: str = "PENDING"
    full_refunded: bool = False
    #: Whether the user said something that the merchant did not answer.
    waiting: bool = False
    #: 协商历史; of each: ``log_id operator operate_time operate_type operate_details image_list``.
    history: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries, repr=False)


def speak(complaint: Complaint, operator: str, kind: str, text: str, images: list[str], now: float) -> Complaint:
    """Somebody adds something to the history."""
    entry = {
        "log_id": numbers.complaint_id(now),
        "operator": operator,
        "operate_time": now,
        "operate_type": kind,
        "operate_details": text,
        "image_list": images,
    }
    return evolve(complaint, history=(*complaint.history, entry), waiting=operator == "投诉人")


def reply(complaint: Complaint, text: str, images: list[str], now: float) -> Complaint:
    """The merchant answers. Raises Refusal INVALID_REQUEST once it is over."""
    _expect_open(complaint)
    answered = speak(complaint, "商户", "MERCHANT_RESPONSE", text, images, now)
    return evolve(answered, state="PROCESSING")


def judge_refund(complaint: Complaint, *, approved: bool, remark: str, now: float) -> Complaint:
    """The merchant says whether it will refund. Raises Refusal INVALID_REQUEST once it is over."""
    _expect_open(complaint)
    kind = "MERCHANT_APPROVE_REFUND" if approved else "MERCHANT_REJECT_REFUND"
    return evolve(speak(complaint, "商户", kind, remark, [], now), state="PROCESSING")


def complete(complaint: Complaint, now: float) -> Complaint:
    """The merchant is done with it. Raises Refusal INVALID_REQUEST once it is over."""
    _expect_open(complaint)
    done = speak(complaint, "商户", "MERCHANT_CONFIRM_COMPLETE", "", [], now)
    return evolve(done, state="PROCESSED")


def _expect_open(complaint: Complaint) -> None:
    if complaint.state == "PROCESSED":
        raise Refusal(400, "INVALID_REQUEST", "投诉单已处理完成")
