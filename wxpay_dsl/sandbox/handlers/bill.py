"""账单: returns a download link for a bill, then serves the bill from it."""

from __future__ import annotations

import gzip
import hashlib
from datetime import date
from functools import partial

from wxpay_dsl.sandbox.domain import bills, numbers
from wxpay_dsl.sandbox.domain.bills import Bill
from wxpay_dsl.sandbox.domain.times import beijing_date
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State

from .parameters import owner, read_date

__all__ = ["handlers", "render"]


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/bill``, of the profit sharing bill, and of the download of bills."""
    return {
        "GET /v3/bill/tradebill": partial(_create, state, "trade"),
        "GET /v3/bill/fundflowbill": partial(_create, state, "fund-flow"),
        "GET /v3/profitsharing/bills": partial(_create, state, "share"),
        "GET /v3/billdownload/file": partial(_download, state),
    }


def render(state: State, bill: Bill) -> bytes:
    """Renders a bill in UTF-8. Raises Refusal NO_STATEMENT_EXIST if it has no lines, or its day is not over."""
    day = date.fromisoformat(bill.day)
    text = None
    if day < beijing_date(state.now):
        if bill.kind == "trade":
            transactions = [one for one in state.transactions.all() if bill.mchid in (one.mchid, one.caller)]
            refunds = [one for one in state.refunds.all() if bill.mchid in (one.mchid, one.caller)]
            text = bills.trade_bill(transactions, refunds, day, bill.option)
        elif bill.kind == "fund-flow":
            text = bills.fund_flow_bill([one for one in state.ledger_entries.all() if one.mchid == bill.mchid], day)
        else:
            orders = [one for one in state.profit_sharing_orders.all() if bill.mchid in (one.mchid, one.caller)]
            returns = [one for one in state.profit_sharing_returns.all() if one.mchid == bill.mchid]
            text = bills.profit_sharing_bill(orders, returns, partial(_total, state), day)
    if text is None:
        raise Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在，请检查当前商户号在指定日期内是否有成功的交易")
    return text


def _create(state: State, kind: str, request: Request) -> Response:
    query = request.query
    option = query.get("bill_type", "ALL") if kind == "trade" else ""
    if option and option not in bills.KINDS:
        detail = {"field": "bill_type", "value": option, "issue": "ALL SUCCESS REFUND", "location": "query"}
        raise Refusal(400, "PARAM_ERROR", "账单类型错误", detail)
    mchid = owner(request)
    zipped = query.get("tar_type") == "GZIP"
    bill = Bill(numbers.token(), mchid, kind, read_date(query["bill_date"]).isoformat(), option, zipped)
    text = render(state, bill)
    state.bills.put(bill)
    suffix = "&tartype=gzip" if zipped else ""
    return Response(
        data={
            "download_url": f"{request.origin}/v3/billdownload/file?token={bill.token}{suffix}",
            "hash_type": "SHA1",
            # The hash is of the uncompressed text, also for gzip.
            "hash_value": hashlib.sha1(text, usedforsecurity=False).hexdigest(),
        }
    )


def _download(state: State, request: Request) -> Response:
    bill = state.bills.get(request.query["token"])
    if bill is None:
        raise Refusal(400, "PARAM_ERROR", "token无效或已过期")
    text = render(state, bill)
    data = gzip.compress(text, mtime=0) if bill.gzip else text
    return Response(data=data, content_type="text/plain", signed=False)


def _total(state: State, transaction_id: str) -> int:
    order = state.transactions.find("transaction_id", transaction_id)
    return order.total if order is not None else 0
