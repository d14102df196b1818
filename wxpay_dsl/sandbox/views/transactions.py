"""Orders and combined orders as fields of APIv3."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain.combined import CombinedOrder
from wxpay_dsl.sandbox.domain.times import rfc3339
from wxpay_dsl.sandbox.domain.transactions import PAID, STATES, Transaction

from .fields import Fields, optional, pick, sub_mchid

__all__ = ["combined", "payment", "queried_transaction", "transaction"]


def transaction(order: Transaction) -> Fields:
    """An order, as in TRANSACTION.SUCCESS."""
    fields: Fields = {
        **_merchants(order),
        "out_trade_no": order.out_trade_no,
        "trade_state": order.state,
        "trade_state_desc": STATES[order.state],
        "promotion_detail": [],
        **optional(attach=order.attach),
        "amount": {"total": order.total, "currency": order.currency, "payer_currency": order.currency},
    }
    if order.transaction_id:
        fields |= {**payment(order), "trade_type": order.trade_type, "payer": _payer(order)}
        fields["amount"]["payer_total"] = order.total
    return fields


def queried_transaction(order: Transaction) -> Fields:
    """An order, as queries return it: with fields of the request that notifications do not repeat."""
    return {**transaction(order), **pick(order, "description", "notify_url")}


def combined(order: CombinedOrder, parts: list[Transaction]) -> Fields:
    """A combined order with its sub-orders, as in TRANSACTION.SUCCESS and as queries return it."""
    return {
        "combine_appid": order.appid,
        "combine_mchid": order.mchid,
        "combine_out_trade_no": order.out_trade_no,
        "combine_payer_info": {"openid": parts[0].openid if parts else order.openid},
        "sub_orders": [_sub_order(order, part) for part in parts],
        **optional(combine_transaction_id=order.transaction_id),
    }


def payment(order: Transaction) -> Fields:
    """The payment of an order that was paid."""
    return {**pick(order, "transaction_id", "bank_type"), "success_time": rfc3339(order.paid_at)}


def _merchants(order: Transaction) -> Fields:
    if not order.partner:
        return pick(order, "appid", "mchid")
    return {
        "sp_appid": order.appid,
        "sp_mchid": order.caller,
        "sub_mchid": order.mchid,
        **optional(sub_appid=order.sub_appid),
    }


def _payer(order: Transaction) -> Fields:
    if not order.partner:
        return {"openid": order.openid}
    return {"sp_openid": order.openid, **optional(sub_openid=order.sub_openid)}


def _sub_order(order: CombinedOrder, part: Transaction) -> Fields:
    fields: Fields = {
        "mchid": part.caller,
        **sub_mchid(part),
        **pick(part, "out_trade_no", "attach"),
        "trade_type": order.trade_type,
        "trade_state": part.state,
        "amount": {"total_amount": part.total, "currency": part.currency, "payer_currency": part.currency},
        "promotion_detail": [],
    }
    if part.state in PAID:
        fields |= payment(part)
        fields["amount"]["payer_amount"] = part.total
    return fields
