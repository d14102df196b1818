"""Orders and refunds as fields of APIv2, where every value is text."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.times import compact, plain
from wxpay_dsl.sandbox.domain.transactions import STATES, Transaction

from .fields import optional, pick

__all__ = ["refund_event", "refunds", "transaction", "transaction_event"]

Fields = dict[str, str]

#: The refund states of APIv2, by those of APIv3.
_REFUND_STATES = {"SUCCESS": "SUCCESS", "PROCESSING": "PROCESSING", "ABNORMAL": "CHANGE", "CLOSED": "REFUNDCLOSE"}
_REFUND_ACCOUNT = "REFUND_SOURCE_RECHARGE_FUNDS"


def transaction(order: Transaction) -> Fields:
    """An order, as ``orderquery`` and ``micropay`` return it."""
    fields = {
        "out_trade_no": order.out_trade_no,
        "trade_state": order.state,
        "trade_state_desc": STATES[order.state],
        "total_fee": str(order.total),
        "device_info": "",
    }
    return {**fields, "attach": order.attach, **_payment(order)} if order.transaction_id else fields


def transaction_event(order: Transaction) -> Fields:
    """An order, as in the notification of its payment, without ``nonce_str`` and ``sign``."""
    return {
        **_merchants(order),
        "return_code": "SUCCESS",
        "result_code": "SUCCESS",
        "out_trade_no": order.out_trade_no,
        "total_fee": str(order.total),
        **_payment(order),
        **optional(attach=order.attach),
    }


def refunds(of_order: list[Refund], order: Transaction) -> Fields:
    """The refunds of an order, as ``refundquery`` returns them."""
    fields = {
        **pick(order, "transaction_id", "out_trade_no"),
        "total_fee": str(order.total),
        "cash_fee": str(order.total),
        "fee_type": order.currency,
        "refund_fee": str(sum(refund.amount for refund in of_order)),
        "refund_count": str(len(of_order)),
    }
    for index, refund in enumerate(of_order):
        numbered = {
            **pick(refund, "out_refund_no", "refund_id"),
            "refund_channel": refund.channel,
            "refund_fee": str(refund.amount),
            "refund_status": _REFUND_STATES[refund.status],
            "refund_account": _REFUND_ACCOUNT,
            # The API spells it so.
            "refund_recv_accout": refund.account,
            **_time(refund, "refund_success_time"),
        }
        fields |= {f"{name}_{index}": value for name, value in numbered.items()}
    return fields


def refund_event(refund: Refund, order: Transaction | None) -> Fields:
    """A refund: the fields of ``req_info`` in its notification, and the ``appid`` and ``mch_id`` next to it."""
    return {
        **({} if order is None else _merchants(order)),
        **pick(refund, "transaction_id", "out_trade_no", "refund_id", "out_refund_no"),
        "total_fee": str(refund.total),
        "settlement_total_fee": str(refund.total),
        "refund_fee": str(refund.amount),
        "settlement_refund_fee": str(refund.amount),
        "refund_status": _REFUND_STATES[refund.status],
        "refund_recv_accout": refund.account,
        "refund_account": _REFUND_ACCOUNT,
        "refund_request_source": "API",
        **_time(refund, "success_time"),
    }


def _merchants(order: Transaction) -> Fields:
    return {
        "appid": order.appid,
        "mch_id": order.caller,
        **({"sub_mch_id": order.mchid} if order.partner else {}),
        **optional(sub_appid=order.sub_appid),
    }


def _payment(order: Transaction) -> Fields:
    return {
        **pick(order, "transaction_id", "openid", "trade_type", "bank_type"),
        "is_subscribe": "N",
        "fee_type": order.currency,
        "cash_fee": str(order.total),
        "cash_fee_type": order.currency,
        "time_end": compact(order.paid_at),
    }


def _time(refund: Refund, name: str) -> Fields:
    return {name: plain(refund.finished)} if refund.finished else {}
