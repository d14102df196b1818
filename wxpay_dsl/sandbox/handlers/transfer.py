"""商家转账 (single transfers that the user confirms) and 批量转账到零钱 (batches)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from wxpay_dsl.sandbox.domain.times import rfc3339
from wxpay_dsl.sandbox.domain.transfers import Batch, Transfer
from wxpay_dsl.sandbox.flows import transfers
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import transfers as view

from .parameters import check_amount, page_bounds

__all__ = ["handlers"]

#: Details of a page by default.
_PAGE: Final = 20


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/fund-app/mch-transfer/transfer-bills`` and ``/v3/transfer/batches``."""
    bills, batches = "/v3/fund-app/mch-transfer/transfer-bills", "/v3/transfer/batches"
    by_id, by_number = f"{batches}/batch-id/{{batch_id}}", f"{batches}/out-batch-no/{{out_batch_no}}"
    return {
        f"POST {bills}": partial(_create_transfer, state),
        f"GET {bills}/out-bill-no/{{out_bill_no}}": partial(_query, state),
        f"GET {bills}/transfer-bill-no/{{transfer_bill_no}}": partial(_query, state),
        f"POST {bills}/out-bill-no/{{out_bill_no}}/cancel": partial(_cancel, state),
        f"POST {batches}": partial(_create_batch, state),
        f"GET {by_id}": partial(_query_batch, state),
        f"GET {by_number}": partial(_query_batch, state),
        f"GET {by_id}/details/detail-id/{{detail_id}}": partial(_query_detail, state),
        f"GET {by_number}/details/out-detail-no/{{out_detail_no}}": partial(_query_detail, state),
    }


def _create_transfer(state: State, request: Request) -> Response:
    body = request.body
    requested = Transfer(
        mchid=request.mchid,
        out_bill_no=body["out_bill_no"],
        appid=body["appid"],
        openid=body["openid"],
        amount=body["transfer_amount"],
        remark=body["transfer_remark"],
        scene_id=body["transfer_scene_id"],
        created=state.now,
        user_name=body.get("user_name", ""),
        notify_url=body.get("notify_url", ""),
    )
    transfer = transfers.create_transfer(state, requested)
    return Response(data=view.created_transfer(transfer))


def _find(state: State, request: Request) -> Transfer:
    path = request.path
    found = (
        state.transfers.get(request.mchid, path["out_bill_no"])
        if "out_bill_no" in path
        else state.transfers.find("bill_no", path["transfer_bill_no"])
    )
    return transfers.expect_own(state, found, request.mchid)


def _query(state: State, request: Request) -> Response:
    return Response(data=view.transfer(_find(state, request)))


def _cancel(state: State, request: Request) -> Response:
    transfer = transfers.cancel(state, _find(state, request))
    return Response(
        data={
            "out_bill_no": transfer.out_bill_no,
            "transfer_bill_no": transfer.bill_no,
            "state": transfer.state,
            "update_time": rfc3339(transfer.updated),
        }
    )


def _create_batch(state: State, request: Request) -> Response:
    body = request.body
    requested = Batch(
        mchid=request.mchid,
        out_batch_no=body["out_batch_no"],
        appid=body["appid"],
        name=body["batch_name"],
        remark=body["batch_remark"],
        total_amount=body["total_amount"],
        total_num=body["total_num"],
        created=state.now,
        scene_id=body.get("transfer_scene_id", ""),
        notify_url=body.get("notify_url", ""),
        details=tuple(_read_detail(one) for one in body["transfer_detail_list"]),
    )
    batch = transfers.create_batch(state, requested)
    fields = {
        "out_batch_no": batch.out_batch_no,
        "batch_id": batch.batch_id,
        "create_time": rfc3339(batch.created),
        "batch_status": batch.status,
    }
    return Response(data=fields)


def _read_detail(fields: Mapping[str, Any]) -> dict[str, Any]:
    check_amount(fields["transfer_amount"], "转账金额", "/transfer_detail_list/transfer_amount")
    return {
        "out_detail_no": fields["out_detail_no"],
        "amount": fields["transfer_amount"],
        "remark": fields["transfer_remark"],
        "openid": fields["openid"],
        "user_name": fields.get("user_name", ""),
        "status": "PROCESSING",
    }


def _find_batch(state: State, request: Request) -> Batch:
    path = request.path
    found = (
        state.batches.get(request.mchid, path["out_batch_no"])
        if "out_batch_no" in path
        else state.batches.find("batch_id", path["batch_id"])
    )
    return transfers.expect_own_batch(found, request.mchid)


def _query_batch(state: State, request: Request) -> Response:
    batch, query = _find_batch(state, request), request.query
    fields: dict[str, Any] = {"transfer_batch": view.batch(batch)}
    if query.get("need_query_detail") in (True, "true"):
        status = query.get("detail_status", "ALL")
        offset, limit = page_bounds(query, _PAGE)
        details = [one for one in batch.details if status in ("ALL", one["status"])]
        fields |= {"offset": offset, "limit": limit}
        fields["transfer_detail_list"] = [
            {"detail_id": one["detail_id"], "out_detail_no": one["out_detail_no"], "detail_status": one["status"]}
            for one in details[offset : offset + limit]
        ]
    return Response(data=fields)


def _query_detail(state: State, request: Request) -> Response:
    batch, path = _find_batch(state, request), request.path
    name = "out_detail_no" if "out_detail_no" in path else "detail_id"
    detail = next((one for one in batch.details if one[name] == path[name]), None)
    if detail is None:
        raise Refusal(404, "NOT_FOUND", "明细单不存在")
    return Response(data=view.batch_detail(batch, detail))
