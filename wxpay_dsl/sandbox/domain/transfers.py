"""Transfers to users: single ones that the user confirms (商家转账), and batches (批量转账到零钱).

A transfer is created, then confirmed by the user, cancelled by the merchant, or failed. A batch is accepted as a whole;
each of its details then succeeds or fails.

https://pay.weixin.qq.com/doc/v3/merchant/4012711988
https://pay.weixin.qq.com/docs/merchant/apis/batch-transfer-to-balance/transfer-batch/initiate-batch-transfer.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers
from .converters import entries

__all__ = [
    "Batch",
    "Transfer",
    "cancel",
    "confirm",
    "create_batch",
    "create_transfer",
    "current",
    "fail",
    "finish_batch",
]

#: Seconds within which the user must confirm; after that the transfer fails.
_LIFETIME: Final = 86400.0


@frozen
class Transfer:
    """A transfer (转账单). The amount is in fen, times are Unix time in seconds."""

    mchid: str
    out_bill_no: str
    appid: str
    openid: str
    amount: int
    remark: str
    scene_id: str
    created: float
    bill_no: str = ""
    user_name: str = ""
    notify_url: str = ""
    #: ``WAIT_USER_CONFIRM SUCCESS FAIL CANCELLED``
    state: str = "WAIT_USER_CONFIRM"
    fail_reason: str = ""
    package: str = ""
    updated: float = 0.0


def create_transfer(requested: Transfer, existing: Transfer | None, balance: int, now: float) -> Transfer:
    """Creates a transfer, or returns the ``existing`` one with the same ``out_bill_no``.

    ``balance``: the merchant's balance in fen. Raises Refusal: ALREADY_EXISTS if the existing transfer differs,
    PARAM_ERROR for an amount below the minimum or a missing name, NOT_ENOUGH if the balance is too low.
    """
    if existing is not None:
        if (existing.openid, existing.amount, existing.appid) != (requested.openid, requested.amount, requested.appid):
            raise Refusal(400, "ALREADY_EXISTS", "商户单号已存在，且请求参数与之前不一致")
        return existing
    if requested.amount < 10:
        raise Refusal(400, "PARAM_ERROR", "转账金额不能低于0.1元")
    if requested.amount >= 200_000 and not requested.user_name:
        raise Refusal(400, "PARAM_ERROR", "转账金额大于等于2000元时，收款用户姓名必填")
    if balance < requested.amount:
        raise Refusal(403, "NOT_ENOUGH", "商户运营账户资金不足")
    return evolve(requested, bill_no=numbers.bill_no(now), package=numbers.token(), created=now, updated=now)


def current(transfer: Transfer, now: float) -> Transfer:
    """Returns the transfer as of ``now``: failed if the user did not confirm it in time."""
    if transfer.state == "WAIT_USER_CONFIRM" and now > transfer.created + _LIFETIME:
        return fail(transfer, "OVERDUE_CLOSE", transfer.created + _LIFETIME)
    return transfer


def confirm(transfer: Transfer, now: float) -> Transfer:
    """Confirms the transfer on behalf of the user. Raises Refusal INVALID_REQUEST in any other state."""
    transfer = current(transfer, now)
    if transfer.state != "WAIT_USER_CONFIRM":
        raise Refusal(400, "INVALID_REQUEST", f"转账单状态为{transfer.state}，不能确认收款")
    return evolve(transfer, state="SUCCESS", updated=now)


def cancel(transfer: Transfer, now: float) -> Transfer:
    """Cancels a transfer that the user has not confirmed. Raises Refusal INVALID_REQUEST in any other state."""
    transfer = current(transfer, now)
    if transfer.state == "CANCELLED":
        return transfer
    if transfer.state != "WAIT_USER_CONFIRM":
        raise Refusal(400, "INVALID_REQUEST", f"转账单状态为{transfer.state}，不能撤销")
    return evolve(transfer, state="CANCELLED", updated=now)


def fail(transfer: Transfer, reason: str, now: float) -> Transfer:
    """Marks the transfer as failed; ``reason`` is the API's ``fail_reason`` code."""
    return evolve(transfer, state="FAIL", fail_reason=reason, updated=now)


@frozen
class Batch:
    """A batch of transfers (批次单). Amounts are in fen, times are Unix time in seconds."""

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
    #: Each detail has ``out_detail_no openid user_name amount remark status``, and a ``detail_id`` once accepted.
    details: tuple[Mapping[str, Any], ...] = field(default=(), converter=entries, repr=False)
    #: ``ACCEPTED PROCESSING FINISHED CLOSED``
    status: str = "ACCEPTED"
    updated: float = 0.0

    def sum_of(self, status: str) -> tuple[int, int]:
        """Returns ``(fen, count)`` over the details in a state."""
        amounts = [detail["amount"] for detail in self.details if detail["status"] == status]
        return sum(amounts), len(amounts)


def create_batch(requested: Batch, existing: Batch | None, balance: int, now: float) -> Batch:
    """Creates a batch, or returns the ``existing`` one with the same ``out_batch_no``.

    ``balance``: the merchant's balance in fen. Raises Refusal: ALREADY_EXISTS if the existing batch differs,
    PARAM_ERROR if the totals do not match the details, NOT_ENOUGH if the balance is too low.
    """
    if existing is not None:
        if _batch_terms(existing) != _batch_terms(requested):
            raise Refusal(400, "ALREADY_EXISTS", "商家批次单号已存在，且请求参数与之前不一致")
        return existing
    if requested.total_num != len(requested.details):
        raise Refusal(400, "PARAM_ERROR", "转账总笔数与转账明细的笔数不一致")
    if requested.total_amount != sum(detail["amount"] for detail in requested.details):
        raise Refusal(400, "PARAM_ERROR", "转账总金额与转账明细的金额之和不一致")
    if len({detail["out_detail_no"] for detail in requested.details}) != len(requested.details):
        raise Refusal(400, "PARAM_ERROR", "批次内商家明细单号重复")
    if balance < requested.total_amount:
        raise Refusal(403, "NOT_ENOUGH", "商户账户资金不足")
    details = tuple({**one, "detail_id": numbers.batch_id(now), "status": "PROCESSING"} for one in requested.details)
    return evolve(requested, batch_id=numbers.batch_id(now), details=details, created=now, updated=now)


def finish_batch(batch: Batch, now: float) -> Batch:
    """Finishes the batch: all details succeed."""
    details = tuple({**detail, "status": "SUCCESS"} for detail in batch.details)
    return evolve(batch, status="FINISHED", details=details, updated=now)


def _batch_terms(batch: Batch) -> tuple[Any, ...]:
    """The fields in which two requests with the same ``out_batch_no`` must agree."""
    return batch.appid, batch.total_amount, [(one["out_detail_no"], one["amount"]) for one in batch.details]
