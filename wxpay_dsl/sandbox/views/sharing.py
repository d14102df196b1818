"""Profit sharing as fields of APIv3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxpay_dsl.sandbox.domain.sharing import ProfitSharingOrder, ProfitSharingReturn
from wxpay_dsl.sandbox.domain.times import rfc3339

from .fields import Fields, optional_time, pick, sub_mchid

__all__ = ["order", "order_event", "order_return"]


def order(one: ProfitSharingOrder) -> Fields:
    """A profit sharing order, as its creation and its query return it."""
    return {
        **sub_mchid(one),
        **pick(one, "transaction_id", "out_order_no", "order_id", "state"),
        "receivers": [
            {
                **receiver,
                "create_time": rfc3339(one.created),
                **optional_time(finish_time=one.finished),
            }
            for receiver in one.receivers
        ],
    }


def order_event(one: ProfitSharingOrder, receiver: Mapping[str, Any]) -> Fields:
    """The payment to one receiver, as in PROFITSHARING.SUCCESS."""
    return {
        "mchid": one.caller,
        **sub_mchid(one),
        **pick(one, "transaction_id", "order_id", "out_order_no"),
        "receiver": {name: receiver[name] for name in ("type", "account", "amount", "description")},
        "success_time": rfc3339(one.finished),
    }


def order_return(one: ProfitSharingReturn, caller: str) -> Fields:
    """A return of shared money, as its creation and its query by ``caller`` return it."""
    return {
        **({"sub_mchid": one.mchid} if caller != one.mchid else {}),
        **pick(one, "order_id", "out_order_no", "out_return_no", "return_id", "return_mchid"),
        **pick(one, "amount", "description", "result"),
        "create_time": rfc3339(one.created),
        "finish_time": rfc3339(one.finished),
    }
