"""A complaint of a payer (消费者投诉): created, responded to by the merchant, completed.

https://pay.weixin.qq.com/doc/v3/merchant/4012072452
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .converters import entries
from .transactions import Transaction

__all__ = ["Complaint", "add_entry", "complete", "create_complaint", "respond", "update_refund_progress"]

#: The operators that the history names: the payer, and the merchant.
_PAYER: Final = "投诉人"
_MERCHANT: Final = "商户"


@frozen
class Complaint:
    """A complaint (投诉单). The amount is in fen; ``at``, the time of creation, is Unix time in seconds."""

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
    #: Whether the latest entry of the payer still waits for a response of the merchant.
    waiting: bool = False
    #: The negotiation history (协商历史), oldest first. Each entry has
    #: ``log_id operator operate_time operate_type operate_details image_list``.
    history: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries, repr=False)


def create_complaint(order: Transaction, detail: str, phone: str, now: float) -> Complaint:
    """Creates the payer's complaint about a paid order."""
    complaint = Complaint(
        mchid=order.mchid,
        complaint_id=numbers.complaint_id(now),
        at=now,
        detail=detail,
        transaction_id=order.transaction_id,
        out_trade_no=order.out_trade_no,
        amount=order.total,
        openid=order.openid,
        phone=phone,
        problem="不满意商品",
    )
    return add_entry(complaint, _PAYER, "USER_CREATE_COMPLAINT", detail, [], now)


def add_entry(complaint: Complaint, operator: str, kind: str, text: str, images: list[str], now: float) -> Complaint:
    """Adds an entry to the negotiation history; ``kind`` is the API's ``operate_type``."""
    entry = {
        "log_id": numbers.complaint_id(now),
        "operator": operator,
        "operate_time": now,
        "operate_type": kind,
        "operate_details": text,
        "image_list": images,
    }
    return evolve(complaint, history=(*complaint.history, entry), waiting=operator == _PAYER)


def respond(complaint: Complaint, text: str, images: list[str], now: float) -> Complaint:
    """Adds the merchant's response. Raises Refusal INVALID_REQUEST if the complaint is completed."""
    _expect_open(complaint)
    responded = add_entry(complaint, _MERCHANT, "MERCHANT_RESPONSE", text, images, now)
    return evolve(responded, state="PROCESSING")


def update_refund_progress(complaint: Complaint, *, approved: bool, remark: str, now: float) -> Complaint:
    """Records whether the merchant approves a refund. Raises Refusal INVALID_REQUEST if the complaint is completed."""
    _expect_open(complaint)
    kind = "MERCHANT_APPROVE_REFUND" if approved else "MERCHANT_REJECT_REFUND"
    return evolve(add_entry(complaint, _MERCHANT, kind, remark, [], now), state="PROCESSING")


def complete(complaint: Complaint, now: float) -> Complaint:
    """Completes the complaint. Raises Refusal INVALID_REQUEST if it is completed already."""
    _expect_open(complaint)
    done = add_entry(complaint, _MERCHANT, "MERCHANT_CONFIRM_COMPLETE", "", [], now)
    return evolve(done, state="PROCESSED")


def _expect_open(complaint: Complaint) -> None:
    if complaint.state == "PROCESSED":
        raise Refusal(400, "INVALID_REQUEST", "投诉单已处理完成")
