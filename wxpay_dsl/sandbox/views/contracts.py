"""Contracts of 委托代扣 and 教育续费通, and the deductions of the latter, as fields of APIv3."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain.contracts import LIFETIME, Contract
from wxpay_dsl.sandbox.domain.times import rfc3339
from wxpay_dsl.sandbox.domain.transactions import STATES, Transaction

from .fields import Fields, optional, pick, sub_mchid
from .transactions import payment

__all__ = ["edu_contract", "edu_transaction", "papay_contract"]


def papay_contract(one: Contract) -> Fields:
    """A contract of 委托代扣, as queries return it and as in ENTRUST.SIGN."""
    fields: Fields = {
        "mchid": one.caller,
        **sub_mchid(one),
        **pick(one, "contract_id", "appid", "out_contract_code", "openid"),
        "plan_id": int(one.plan_id),
        "contract_state": one.state,
        **{name: one.echoed.get(name, "") for name in ("contract_display_account", "out_user_code")},
    }
    if one.signed_at:
        fields["contract_signed_time"] = rfc3339(one.signed_at)
        fields["contract_expired_time"] = rfc3339(one.signed_at + LIFETIME)
    if one.ended_at:
        fields["contract_terminate_info"] = {
            "contract_termination_mode": one.ended_by,
            "contract_terminated_time": rfc3339(one.ended_at),
            "contract_termination_remark": one.remark,
        }
    return fields


def edu_contract(one: Contract) -> Fields:
    """A contract of 教育续费通."""
    return {
        "sp_mchid": one.caller,
        **sub_mchid(one),
        **pick(one, "appid", "openid", "plan_id"),
        "contract_information": {
            "contract_id": one.contract_id,
            "contract_status": one.state,
            "create_time": rfc3339(one.signed_at or one.created),
        },
        **optional(**{name: one.echoed.get(name) for name in ("sub_appid", "sub_openid")}),
    }


def edu_transaction(one: Transaction) -> Fields:
    """A deduction of 教育续费通."""
    fields: Fields = {
        "sp_mchid": one.caller,
        **sub_mchid(one),
        **pick(one, "appid", "out_trade_no", "attach"),
        **optional(sub_appid=one.sub_appid),
        "trade_state": one.state,
        "trade_state_description": STATES[one.state],
        "payer": {"openid": one.openid},
        "amount": {"total": one.total, "currency": one.currency},
        "device_information": dict(one.contents.get("device_information") or {}),
        "promotion_detail": [],
    }
    if one.transaction_id:
        fields |= payment(one)
        fields["amount"] |= {"payer_total": one.total, "discount_total": 0}
    return fields
