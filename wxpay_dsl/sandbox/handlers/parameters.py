"""Reads the parameters that many operations share: merchant, order number, amount, dates and pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from wxpay_dsl.sandbox.domain.times import read_rfc3339
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.protocol.request import Request

__all__ = ["check_amount", "check_number", "expiry", "owner", "page", "page_bounds", "read_date"]

_NUMBER: Final = re.compile(r"[0-9A-Za-z_\-|*@]{1,32}\Z")


def owner(request: Request) -> str:
    """The merchant whose record is meant: ``sub_mchid`` of query or body, or else the caller."""
    mchid: str = {**request.query, **request.body}.get("sub_mchid") or request.mchid
    return mchid


def check_number(number: str, title: str = "商户订单号", field: str = "/out_trade_no") -> None:
    """Raises Refusal PARAM_ERROR for an order number that the service does not accept."""
    if not _NUMBER.match(number):
        detail = {"field": field, "value": number, "issue": "1 to 32 of 0-9A-Za-z_-|*@", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", f"{title}只能是数字、大小写字母_-*|@，且不超过32个字符", detail)


def check_amount(amount: int, title: str = "总金额", field: str = "/amount/total") -> None:
    """Raises Refusal PARAM_ERROR for an amount, in fen, below 1."""
    if amount < 1:
        detail = {"field": field, "value": amount, "issue": "at least 1", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", f"{title}必须大于0", detail)


def expiry(text: str | None, now: float) -> float:
    """``time_expire`` as Unix time; 0 if there is none. Raises Refusal PARAM_ERROR for a wrong or past time."""
    if not text:
        return 0.0
    moment = read_rfc3339(text)
    if moment is None or moment <= now:
        issue = "not RFC 3339" if moment is None else "in the past"
        detail = {"field": "/time_expire", "value": text, "issue": issue, "location": "body"}
        raise Refusal(400, "PARAM_ERROR", "交易结束时间不合法", detail)
    return moment


def read_date(text: str) -> date:
    """Parses an ISO date. Raises Refusal PARAM_ERROR."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        detail = {"field": "bill_date", "value": text, "issue": "not yyyy-MM-dd", "location": "query"}
        raise Refusal(400, "PARAM_ERROR", "账单日期格式错误", detail) from None


def page_bounds(query: Mapping[str, Any], limit: int) -> tuple[int, int]:
    """``(offset, limit)`` of a query; ``limit`` is the operation's default."""
    return int(query.get("offset", 0)), int(query.get("limit", limit))


def page(items: Sequence[dict[str, Any]], query: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The page of ``items`` that a query asks for, with ``offset``, ``limit`` and ``total_count``."""
    offset, limit = page_bounds(query, limit)
    return {"data": items[offset : offset + limit], "limit": limit, "offset": offset, "total_count": len(items)}
