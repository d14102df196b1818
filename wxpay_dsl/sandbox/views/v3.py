"""Records in the fields of APIv3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxpay_dsl.sandbox.domain.batches import Batch
from wxpay_dsl.sandbox.domain.combined import CombinedOrder
from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.sharing import Share, ShareReturn
from wxpay_dsl.sandbox.domain.times import rfc3339
from wxpay_dsl.sandbox.domain.transactions import PAID, STATES, Transaction
from wxpay_dsl.sandbox.domain.transfers import Transfer

__all__ = [
    "batch",
    "batch_detail",
    "combined",
    "queried",
    "refund",
    "refund_event",
    "share",
    "share_event",
    "share_return",
    "transaction",
    "transfer",
]

Fields = dict[str, Any]


def transaction(one: Transaction) -> Fields:
    """A transaction, as TRANSACTION.SUCCESS has it."""
    fields: Fields = _who(one)
    fields["out_trade_no"] = one.out_trade_no
    fields["trade_state"] = one.state
    fields["trade_state_desc"] = STATES[one.state]
    fields["promotion_detail"] = []
    amount: Fields = {"total": one.total, "currency": one.currency, "payer_currency": one.currency}
    if one.attach:
        fields["attach"] = one.attach
    if one.transaction_id:
        fields["transaction_id"] = one.transaction_id
        fields["trade_type"] = one.trade_type
        fields["bank_type"] = one.bank_type
        fields["success_time"] = rfc3339(one.paid_at)
        fields["payer"] = _payer(one)
        amount["payer_total"] = one.total
    fields["amount"] = amount
    return fields


def queried(one: Transaction) -> Fields:
    """A transaction as queries have it: with what the order said, which notifications do not repeat."""
    return {**transaction(one), "description": one.description, "notify_url": one.notify_url}


def combined(order: CombinedOrder, parts: list[Transaction]) -> Fields:
    """A combined order with its parts, as queries and TRANSACTION.SUCCESS have it."""
    fields: Fields = {
        "combine_appid": order.appid,
        "combine_mchid": order.mchid,
        "combine_out_trade_no": order.out_trade_no,
        "combine_payer_info": {"openid": parts[0].openid if parts else order.openid},
        "sub_orders": [_part(order, part) for part in parts],
    }
    if order.transaction_id:
        fields["combine_transaction_id"] = order.transaction_id
    return fields


def refund(one: Refund) -> Fields:
    """A refund, as its request and its query are answered."""
    fields: Fields = {
        "refund_id": one.refund_id,
        "out_refund_no": one.out_refund_no,
        "transaction_id": one.transaction_id,
        "out_trade_no": one.out_trade_no,
        "channel": one.channel,
        "user_received_account": one.account,
        "create_time": rfc3339(one.created),
        "status": one.status,
        "funds_account": one.funds_account,
        "amount": {
            "total": one.total,
            "refund": one.amount,
            "from": [],
            "payer_total": one.total,
            "payer_refund": one.amount,
            "settlement_refund": one.amount,
            "settlement_total": one.total,
            "discount_refund": 0,
            "currency": one.currency,
            "refund_fee": 0,
        },
        "promotion_detail": [],
    }
    if one.finished:
        fields["success_time"] = rfc3339(one.finished)
    return fields


def refund_event(one: Refund) -> Fields:
    """A refund, as REFUND.SUCCESS, REFUND.ABNORMAL and REFUND.CLOSED have it."""
    fields: Fields = {
        "out_trade_no": one.out_trade_no,
        "transaction_id": one.transaction_id,
        "out_refund_no": one.out_refund_no,
        "refund_id": one.refund_id,
        "refund_status": one.status,
        "user_received_account": one.account,
        "amount": {
            "total": one.total,
            "refund": one.amount,
            "payer_total": one.total,
            "payer_refund": one.amount,
        },
    }
    if one.caller != one.mchid:
        fields = {"sp_mchid": one.caller, "sub_mchid": one.mchid, **fields}
    else:
        fields = {"mchid": one.mchid, **fields}
    if one.finished:
        fields["success_time"] = rfc3339(one.finished)
    return fields


def share(order: Share) -> Fields:
    """An order of shares."""
    fields: Fields = {
        "transaction_id": order.transaction_id,
        "out_order_no": order.out_order_no,
        "order_id": order.order_id,
        "state": order.state,
        "receivers": [_receiver(order, receiver) for receiver in order.receivers],
    }
    return _with_sub(order.caller, order.mchid, fields)


def share_event(order: Share, receiver: Mapping[str, Any]) -> Fields:
    """One share that has arrived, as PROFITSHARING.SUCCESS has it."""
    return {
        "mchid": order.caller,
        **({"sub_mchid": order.mchid} if order.caller != order.mchid else {}),
        "transaction_id": order.transaction_id,
        "order_id": order.order_id,
        "out_order_no": order.out_order_no,
        "receiver": {name: receiver[name] for name in ("type", "account", "amount", "description")},
        "success_time": rfc3339(order.finished),
    }


def share_return(back: ShareReturn, caller: str) -> Fields:
    """A share that was given back."""
    fields: Fields = {
        "order_id": back.order_id,
        "out_order_no": back.out_order_no,
        "out_return_no": back.out_return_no,
        "return_id": back.return_id,
        "return_mchid": back.return_mchid,
        "amount": back.amount,
        "description": back.description,
        "result": back.result,
        "create_time": rfc3339(back.created),
        "finish_time": rfc3339(back.finished),
    }
    return _with_sub(caller, back.mchid, fields)


def transfer(one: Transfer) -> Fields:
    """A transfer, as its query is answered and MCHTRANSFER.BILL.FINISHED has it."""
    fields: Fields = {
        # The query says mch_id, the notification mchid.
        "mch_id": one.mchid,
        "mchid": one.mchid,
        "out_bill_no": one.out_bill_no,
        "transfer_bill_no": one.bill_no,
        "appid": one.appid,
        "state": one.state,
        "transfer_amount": one.amount,
        "transfer_remark": one.remark,
        "openid": one.openid,
        "create_time": rfc3339(one.created),
        "update_time": rfc3339(one.updated),
    }
    if one.fail_reason:
        fields["fail_reason"] = one.fail_reason
    if one.user_name:
        fields["user_name"] = one.user_name
    return fields


def batch(one: Batch) -> Fields:
    """The batch itself, without its details."""
    succeeded, success_num = one.sum_of("SUCCESS")
    failed, fail_num = one.sum_of("FAIL")
    return {
        "mchid": one.mchid,
        "out_batch_no": one.out_batch_no,
        "batch_id": one.batch_id,
        "appid": one.appid,
        "batch_status": one.status,
        "batch_type": "API",
        "batch_name": one.name,
        "batch_remark": one.remark,
        "total_amount": one.total_amount,
        "total_num": one.total_num,
        "create_time": rfc3339(one.created),
        "update_time": rfc3339(one.updated),
        "success_amount": succeeded,
        "success_num": success_num,
        "fail_amount": failed,
        "fail_num": fail_num,
        "transfer_scene_id": one.scene_id,
    }


def batch_detail(one: Batch, detail: Mapping[str, Any]) -> Fields:
    """One detail of a batch."""
    fields: Fields = {
        "mchid": one.mchid,
        "out_batch_no": one.out_batch_no,
        "batch_id": one.batch_id,
        "appid": one.appid,
        "out_detail_no": detail["out_detail_no"],
        "detail_id": detail["detail_id"],
        "detail_status": detail["status"],
        "transfer_amount": detail["amount"],
        "transfer_remark": detail["remark"],
        "openid": detail["openid"],
        "user_name": detail["user_name"],
        "initiate_time": rfc3339(one.created),
        "update_time": rfc3339(one.updated),
    }
    if detail.get("fail_reason"):
        fields["fail_reason"] = detail["fail_reason"]
    return fields


def _who(one: Transaction) -> Fields:
    if not one.partner:
        return {"appid": one.appid, "mchid": one.mchid}
    fields = {"sp_appid": one.appid, "sp_mchid": one.caller, "sub_mchid": one.mchid}
    return {**fields, "sub_appid": one.sub_appid} if one.sub_appid else fields


def _payer(one: Transaction) -> Fields:
    if not one.partner:
        return {"openid": one.openid}
    return {"sp_openid": one.openid, **({"sub_openid": one.sub_openid} if one.sub_openid else {})}


def _part(order: CombinedOrder, one: Transaction) -> Fields:
    fields: Fields = {
        "mchid": one.caller,
        "out_trade_no": one.out_trade_no,
        "trade_type": order.trade_type,
        "trade_state": one.state,
        "attach": one.attach,
        "amount": {"total_amount": one.total, "currency": one.currency, "payer_currency": one.currency},
        "promotion_detail": [],
    }
    if one.partner:
        fields["sub_mchid"] = one.mchid
    if one.state in PAID:
        fields["transaction_id"] = one.transaction_id
        fields["bank_type"] = one.bank_type
        fields["success_time"] = rfc3339(one.paid_at)
        fields["amount"]["payer_amount"] = one.total
    return fields


def _receiver(order: Share, receiver: Mapping[str, Any]) -> Fields:
    fields: Fields = {
        "amount": receiver["amount"],
        "description": receiver["description"],
        "type": receiver["type"],
        "account": receiver["account"],
        "result": receiver["result"],
        "detail_id": receiver["detail_id"],
        "create_time": rfc3339(order.created),
    }
    if order.finished:
        fields["finish_time"] = rfc3339(order.finished)
    return fields


def _with_sub(caller: str, mchid: str, fields: Fields) -> Fields:
    return {"sub_mchid": mchid, **fields} if caller != mchid else fields
