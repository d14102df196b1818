"""How a payer's complaint (消费者投诉) begins, and where its merchant wants to be notified of it.

https://pay.weixin.qq.com/doc/v3/merchant/4012072452
"""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import complaints, numbers
from wxpay_dsl.sandbox.domain.complaints import Complaint
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.state.state import Event, State

__all__ = ["create", "notify_url", "notify_url_setting"]

_DETAIL = "商品与描述不符"


def create(state: State, transaction: Transaction, detail: str, phone: str) -> Complaint:
    """The payer of a paid transaction complains about it; the merchant is notified (``COMPLAINT.CREATE``)."""
    text = detail or _DETAIL
    complaint = Complaint(
        mchid=transaction.mchid,
        complaint_id=numbers.complaint_id(state.now),
        at=state.now,
        detail=text,
        transaction_id=transaction.transaction_id,
        out_trade_no=transaction.out_trade_no,
        amount=transaction.total,
        openid=transaction.openid,
        phone=phone,
        problem="不满意商品",
    )
    complaint = complaints.speak(complaint, "投诉人", "USER_CREATE_COMPLAINT", text, [], state.now)
    state.complaints.put(complaint)
    resource = {"complaint_id": complaint.complaint_id, "action_type": "CREATE_COMPLAINT"}
    url = notify_url(state, transaction.mchid)
    state.emit(Event(transaction.mchid, "COMPLAINT.CREATE", "complaint", resource, url, "产生新投诉"))
    return complaint


def notify_url(state: State, mchid: str) -> str:
    """The URL that a merchant set for notifications of complaints; empty if it set none."""
    setting = state.settings.get(notify_url_setting(mchid))
    return str(setting.value) if setting is not None else ""


def notify_url_setting(mchid: str) -> str:
    """The name of the setting that holds a merchant's URL."""
    return f"complaint-url:{mchid}"
