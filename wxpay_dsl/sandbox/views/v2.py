"""Records in the fields of APIv2."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.times import compact, plain
from wxpay_dsl.sandbox.domain.transactions import STATES, Transaction

__all__ = ["REFUND_STATES", "refund_event", "refunds", "transaction", "transaction_event", "who"]

#: All values are text, as XML has it.
Fields = dict[str, str]

#: APIv2's words for the states of a refund.
REFUND_STATES = {"SUCCESS": "SUCCESS", "PROCESSING": "PROCESSING", "ABNORMAL": "CHANGE", "CLOSED": "REFUNDCLOSE"}


def transaction(one: Transaction) -> Fields:
    """A transaction, as ``orderquery`` and ``micropay`` answer."""
    fields = {
        "out_trade_no": one.out_trade_no,
        "trade_state": one.state,
        "trade_state_desc": STATES[one.state],
        "total_fee": str(one.total),
        "device_info": "",
    }
    return {**fields, "attach": one.attach, **_paid(one)} if one.transaction_id else fields


def transaction_event(one: Transaction) -> Fields:
    """A transaction, as the notification of its payment has it; ``sign`` and ``nonce_str`` are the sender's."""
    fields = {
        **who(one),
        "return_code": "SUCCESS",
        "result_code": "SUCCESS",
        "out_trade_no": one.out_trade_no,
        "total_fee": str(one.total),
        **_paid(one),
    }
    return {**fields, "attach": one.attach} if one.attach else fields


def refunds(found: list[Refund], order: Transaction) -> Fields:
    """An order's refunds, as ``refundquery`` answers."""
    fields = {
        "transaction_id": order.transaction_id,
        "out_trade_no": order.out_trade_no,
        "total_fee": str(order.total),
        "cash_fee": str(order.total),
        "fee_type": order.currency,
        "refund_fee": str(sum(refund.amount for refund in found)),
        "refund_count": str(len(found)),
    }
    for place, refund in enumerate(found):
        fields |= {
            f"out_refund_no_{place}": refund.out_refund_no,
            f"refund_id_{place}": refund.refund_id,
            f"refund_channel_{place}": refund.channel,
            f"refund_fee_{place}": str(refund.amount),
            f"refund_status_{place}": REFUND_STATES[refund.status],
            f"refund_account_{place}": "REFUND_SOURCE_RECHARGE_FUNDS",
            f"refund_recv_accout_{place}": refund.account,
        }
        if refund.finished:
            fields[f"refund_success_time_{place}"] = plain(refund.finished)
    return fields


def refund_event(refund: Refund, order: Transaction | None) -> Fields:
    """A refund, as ``req_info`` of its notification has it, together with who it is for (``appid``, ``mch_id``)."""
    fields = {
        **({} if order is None else who(order)),
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "total_fee": str(refund.total),
        "settlement_total_fee": str(refund.total),
        "refund_fee": str(refund.amount),
        "settlement_refund_fee": str(refund.amount),
        "refund_status": REFUND_STATES[refund.status],
        "refund_recv_accout": refund.account,
        "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS",
        "refund_request_source": "API",
    }
    return {**fields, "success_time": plain(refund.finished)} if refund.finished else fields


def who(one: Transaction) -> Fields:
    """Merchant and app of a transaction."""
    fields = {"appid": one.appid, "mch_id": one.caller}
    if one.partner:
        fields["sub_mch_id"] = one.mchid
    if one.sub_appid:
        fields["sub_appid"] = one.sub_appid
    return fields


def _paid(one: Transaction) -> Fields:
    return {
        "transaction_id": one.transaction_id,
        "openid": one.openid,
        "is_subscribe": "N",
        "trade_type": one.trade_type,
        "bank_type": one.bank_type,
        "fee_type": one.currency,
        "cash_fee": str(one.total),
        "cash_fee_type": one.currency,
        "time_end": compact(one.paid_at),
    }
