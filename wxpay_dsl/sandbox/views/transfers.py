"""Transfers and batches of transfers as fields of APIv3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wxpay_dsl.sandbox.domain.times import rfc3339
from wxpay_dsl.sandbox.domain.transfers import Batch, Transfer

from .fields import Fields, optional, pick

__all__ = ["batch", "batch_detail", "created_transfer", "transfer"]


def transfer(one: Transfer) -> Fields:
    """A transfer, as its query returns it, and as in MCHTRANSFER.BILL.FINISHED."""
    return {
        # The query calls it mch_id, the notification mchid.
        "mch_id": one.mchid,
        "mchid": one.mchid,
        **pick(one, "out_bill_no", "appid", "state", "openid"),
        "transfer_bill_no": one.bill_no,
        "transfer_amount": one.amount,
        "transfer_remark": one.remark,
        "create_time": rfc3339(one.created),
        "update_time": rfc3339(one.updated),
        **optional(fail_reason=one.fail_reason, user_name=one.user_name),
    }


def created_transfer(one: Transfer) -> Fields:
    """A transfer, as its creation returns it."""
    return {
        **pick(one, "out_bill_no", "state"),
        "transfer_bill_no": one.bill_no,
        "create_time": rfc3339(one.created),
        **optional(package_info=one.package),
    }


def batch(one: Batch) -> Fields:
    """A batch without its details."""
    success_amount, success_num = one.sum_of("SUCCESS")
    fail_amount, fail_num = one.sum_of("FAIL")
    return {
        **pick(one, "mchid", "out_batch_no", "batch_id", "appid", "total_amount", "total_num"),
        "batch_status": one.status,
        "batch_type": "API",
        "batch_name": one.name,
        "batch_remark": one.remark,
        "create_time": rfc3339(one.created),
        "update_time": rfc3339(one.updated),
        "success_amount": success_amount,
        "success_num": success_num,
        "fail_amount": fail_amount,
        "fail_num": fail_num,
        "transfer_scene_id": one.scene_id,
    }


def batch_detail(one: Batch, detail: Mapping[str, Any]) -> Fields:
    """One detail of a batch."""
    return {
        **pick(one, "mchid", "out_batch_no", "batch_id", "appid"),
        **{name: detail[name] for name in ("out_detail_no", "detail_id", "openid", "user_name")},
        "detail_status": detail["status"],
        "transfer_amount": detail["amount"],
        "transfer_remark": detail["remark"],
        "initiate_time": rfc3339(one.created),
        "update_time": rfc3339(one.updated),
        **optional(fail_reason=detail.get("fail_reason")),
    }
