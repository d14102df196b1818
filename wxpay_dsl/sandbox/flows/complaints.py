"""Complaints, their notifications, and the URL that a merchant sets for these."""

from __future__ import annotations

from typing import Final

from wxpay_dsl.sandbox.domain import complaints
from wxpay_dsl.sandbox.domain.complaints import Complaint
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, Setting, State

__all__ = ["create_complaint", "delete_notify_url", "find", "find_notify_url", "set_notify_url"]

_DEFAULT_DETAIL: Final = "商品与描述不符"


def create_complaint(state: State, order: Transaction, detail: str, phone: str) -> Complaint:
    """Creates the payer's complaint about a paid order, and notifies the merchant.

    ``detail``: the text of the complaint; a default text if empty.
    """
    complaint = complaints.create_complaint(order, detail or _DEFAULT_DETAIL, phone, state.now)
    state.complaints.put(complaint)
    resource = {"complaint_id": complaint.complaint_id, "action_type": "CREATE_COMPLAINT"}
    url = find_notify_url(state, order.mchid) or ""
    state.emit(Event(order.mchid, "COMPLAINT.CREATE", "complaint", resource, url, "产生新投诉"))
    return complaint


def find(state: State, mchid: str, complaint_id: str) -> Complaint:
    """Returns a merchant's complaint. Raises Refusal RESOURCE_NOT_EXISTS if it has none with this id."""
    complaint = state.complaints.get(complaint_id)
    if complaint is None or complaint.mchid != mchid:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "投诉单不存在")
    return complaint


def find_notify_url(state: State, mchid: str) -> str | None:
    """Returns the URL at which a merchant is notified of complaints, None if it has set none."""
    setting = state.settings.get(_setting(mchid))
    return None if setting is None else str(setting.value)


def set_notify_url(state: State, mchid: str, url: str) -> None:
    """Sets the URL at which a merchant is notified of complaints."""
    state.settings.put(Setting(_setting(mchid), url))


def delete_notify_url(state: State, mchid: str) -> None:
    """Deletes the URL at which a merchant is notified of complaints."""
    state.settings.drop(_setting(mchid))


def _setting(mchid: str) -> str:
    return f"complaint-url:{mchid}"
