"""A batch of transfers (批量转账到零钱): accepted whole, then each detail arrives or fails.

https://pay.weixin.qq.com/docs/merchant/apis/batch-transfer-to-balance/transfer-batch/initiate-batch-transfer.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .converters import entries

__all__ = ["Batch", "accept", "finish"]


@frozen
class Batch:
    """A batch (批次单). Amounts are fen, times Unix time."""

    mchid: str
    out_batch_no: str
    appid: str
    name: str
    remark: str
    total_amount: int
    total_num: int
    created: float
    batch_id: str = ""
    scene_id: str = ""
    notify_url: str = ""
    #: Of each: ``out_detail_no detail_id openid user_name amount remark status fail_reason``.
    details: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries, repr=False)
    #: ``ACCEPTED PROCESSING FINISHED CLOSED``
    status: str = "ACCEPTED"
    updated: float = 0.0

    def sum_of(self, status: str) -> tuple[int, int]:
        """``(fen, count)`` of the details in a state."""
        amounts = [detail["amount"] for detail in self.details if detail["status"] == status]
        return sum(amounts), len(amounts)


def accept(wanted: Batch, known: Batch | None, balance: int, now: float) -> Batch:
    """A new batch, or the ``known`` one under its number where both want the same.

    Raises Refusal: PARAM_ERROR for sums that do not add up, ALREADY_EXISTS, NOT_ENOUGH.
    """
    if known is not None:
        if _wanted(known) != _wanted(wanted):
            raise Refusal(400, "ALREADY_EXISTS", "商家批次单号已存在，且请求参数与之前不一致")
        return known
    if wanted.total_num != len(wanted.details):
        raise Refusal(400, "PARAM_ERROR", "转账总笔数与转账明细的笔数不一致")
    if wanted.total_amount != sum(detail["amount"] for detail in wanted.details):
        raise Refusal(400, "PARAM_ERROR", "转账总金额与转账明细的金额之和不一致")
    if len({detail["out_detail_no"] for detail in wanted.details}) != len(wanted.details):
        raise Refusal(400, "PARAM_ERROR", "批次内商家明细单号重复")
    if balance < wanted.total_amount:
        raise Refusal(403, "NOT_ENOUGH", "商户账户资金不足")
    details = tuple({**one, "detail_id": numbers.batch_id(now), "status": "PROCESSING"} for one in wanted.details)
    return evolve(wanted, batch_id=numbers.batch_id(now), details=details, created=now, updated=now)


def finish(batch: Batch, now: float) -> Batch:
    """All details have arrived."""
    details = tuple({**detail, "status": "SUCCESS"} for detail in batch.details)
    return evolve(batch, status="FINISHED", details=details, updated=now)


def _wanted(batch: Batch) -> tuple[Any, ...]:
    return batch.appid, batch.total_amount, [(one["out_detail_no"], one["amount"]) for one in batch.details]
