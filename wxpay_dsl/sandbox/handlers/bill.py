"""账单: asked for, then downloaded from a link that is good for one merchant."""

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

__all__ = ["content", "handlers", "read_day"]


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/bill``, of the bill of shares, and of their download."""
    return {
        "GET /v3/bill/tradebill": partial(_ask, state, "trade"),
        "GET /v3/bill/fundflowbill": partial(_ask, state, "fund-flow"),
        "GET /v3/profitsharing/bills": partial(_ask, state, "share"),
        "GET /v3/billdownload/file": partial(_download, state),
    }


def content(state: State, bill: Bill) -> bytes:
    """The bill's text. Raises Refusal NO_STATEMENT_EXIST where nothing happened, or the day is not over."""
    day = date.fromisoformat(bill.day)
    found = None
    if day < beijing_date(state.now):
        if bill.kind == "trade":
            transactions = [one for one in state.transactions.all() if bill.mchid in (one.mchid, one.caller)]
            refunds = [one for one in state.refunds.all() if bill.mchid in (one.mchid, one.caller)]
            found = bills.trade_bill(transactions, refunds, day, bill.option)
        elif bill.kind == "fund-flow":
            found = bills.fund_flow_bill([one for one in state.entries.all() if one.mchid == bill.mchid], day)
        else:
            shares = [one for one in state.shares.all() if bill.mchid in (one.mchid, one.caller)]
            returns = [one for one in state.share_returns.all() if one.mchid == bill.mchid]
            found = bills.share_bill(shares, returns, partial(_total, state), day)
    if found is None:
        raise Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在，请检查当前商户号在指定日期内是否有成功的交易")
    return found


def read_day(text: str) -> str:
    """An ISO date. Raises Refusal PARAM_ERROR."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        detail = {"field": "bill_date", "value": text, "issue": "not yyyy-MM-dd", "location": "query"}
        raise Refusal(400, "PARAM_ERROR", "账单日期格式错误", detail) from None


def _ask(state: State, kind: str, request: Request) -> Response:
    query = request.query
    option = query.get("bill_type", "ALL") if kind == "trade" else ""
    if option and option not in bills.KINDS:
        detail = {"field": "bill_type", "value": option, "issue": "ALL SUCCESS REFUND", "location": "query"}
        raise Refusal(400, "PARAM_ERROR", "账单类型错误", detail)
    mchid = query.get("sub_mchid") or request.mchid
    zipped = query.get("tar_type") == "GZIP"
    bill = Bill(numbers.token(), mchid, kind, read_day(query["bill_date"]), option, zipped)
    text = content(state, bill)
    state.bills.put(bill)
    tail = "&tartype=gzip" if zipped else ""
    return Response(
        data={
            "download_url": f"{request.origin}/v3/billdownload/file?token={bill.token}{tail}",
            "hash_type": "SHA1",
            # Of the text, zipped or not.
            "hash_value": hashlib.sha1(text, usedforsecurity=False).hexdigest(),
        }
    )


def _download(state: State, request: Request) -> Response:
    bill = state.bills.get(request.query["token"])
    if bill is None:
        raise Refusal(400, "PARAM_ERROR", "token无效或已过期")
    text = content(state, bill)
    data = gzip.compress(text, mtime=0) if bill.gzip else text
    return Response(data=data, content_type="text/plain", signed=False)


def _total(state: State, transaction_id: str) -> int:
    found = state.transactions.find("transaction_id", transaction_id)
    return found.total if found is not None else 0
