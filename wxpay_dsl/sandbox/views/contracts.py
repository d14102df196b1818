"""Contracts (委托代扣, 教育续费通) in the fields of APIv3."""

from __future__ import annotations

from typing import Any

from wxpay_dsl.sandbox.domain.contracts import LIFETIME, Contract
from wxpay_dsl.sandbox.domain.times import rfc3339
from wxpay_dsl.sandbox.domain.transactions import STATES, Transaction

__all__ = ["edu_contract", "edu_transaction", "papay_contract"]

Fields = dict[str, Any]


def papay_contract(one: Contract) -> Fields:
    """A contract of 委托代扣, as queries and ENTRUST.SIGN have it."""
    fields: Fields = {
        "mchid": one.caller,
        "contract_id": one.contract_id,
        "appid": one.appid,
        "plan_id": int(one.plan_id),
        "out_contract_code": one.out_contract_code,
        "contract_display_account": one.told.get("contract_display_account", ""),
        "contract_state": one.state,
        "openid": one.openid,
        "out_user_code": one.told.get("out_user_code", ""),
    }
    if one.caller != one.mchid:
        fields["sub_mchid"] = one.mchid
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
    fields: Fields = {
        "sp_mchid": one.caller,
        "appid": one.appid,
        "openid": one.openid,
        "plan_id": one.plan_id,
        "contract_information": {
            "contract_id": one.contract_id,
            "contract_status": one.state,
            "create_time": rfc3339(one.signed_at or one.created),
        },
    }
    names = ("sub_appid", "sub_openid")
    fields |= {name: one.told[name] for name in names if one.told.get(name)}
    return {**fields, "sub_mchid": one.mchid} if one.caller != one.mchid else fields


def edu_transaction(one: Transaction) -> Fields:
    """A collection of 教育续费通."""
    fields: Fields = {
        "sp_mchid": one.caller,
        "appid": one.appid,
        "out_trade_no": one.out_trade_no,
        "attach": one.attach,
        "trade_state": one.state,
        "trade_state_description": STATES[one.state],
        "payer": {"openid": one.openid},
        "amount": {"total": one.total, "currency": one.currency},
        "device_information": dict(one.contents.get("device_information") or {}),
        "promotion_detail": [],
    }
    if one.partner:
        fields["sub_mchid"] = one.mchid
    if one.sub_appid:
        fields["sub_appid"] = one.sub_appid
    if one.transaction_id:
        fields["transaction_id"] = one.transaction_id
        fields["bank_type"] = one.bank_type
        fields["success_time"] = rfc3339(one.paid_at)
        fields["amount"] |= {"payer_total": one.total, "discount_total": 0}
    return fields
