"""基础支付: orders of every kind, by merchants and by partners, their queries, closing and reversal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from wxpay_dsl.sandbox.control.payment_codes import by_code
from wxpay_dsl.sandbox.domain.times import read_rfc3339
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import payments
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request, require_own_mchid
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import v3

__all__ = ["check_number", "expiry", "handlers", "link"]

#: The path's last word, and the 交易类型 that it stands for.
_KINDS: Final = {
    "jsapi": "JSAPI",
    "jsapi-with-contract": "JSAPI",
    "app": "APP",
    "app-with-contract": "APP",
    "native": "NATIVE",
    "h5": "MWEB",
}
#: What only partners' paths have.
_PARTNER_KINDS: Final = {**_KINDS, "miniprogram": "JSAPI", "scannedpos": "NATIVE"}
_NUMBER: Final = re.compile(r"[0-9A-Za-z_\-|*@]{1,32}\Z")


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/pay/transactions`` and ``/v3/pay/partner/transactions``."""
    found: dict[str, Handler] = {}
    for base, kinds in (("/v3/pay/transactions", _KINDS), ("/v3/pay/partner/transactions", _PARTNER_KINDS)):
        for word, kind in kinds.items():
            found[f"POST {base}/{word}"] = partial(_place, state, kind)
        found |= {
            f"POST {base}/codepay": partial(_pay_by_code, state),
            f"GET {base}/id/{{transaction_id}}": partial(_query_by_id, state),
            f"GET {base}/out-trade-no/{{out_trade_no}}": partial(_query_by_number, state),
            f"POST {base}/out-trade-no/{{out_trade_no}}/close": partial(_close, state),
            f"POST {base}/out-trade-no/{{out_trade_no}}/reverse": partial(_reverse, state),
        }
    return found


def check_number(number: str, title: str = "商户订单号", field: str = "/out_trade_no") -> None:
    """Raises Refusal PARAM_ERROR for a number that the service would not take."""
    if not _NUMBER.match(number):
        detail = {"field": field, "value": number, "issue": "1 to 32 of 0-9A-Za-z_-|*@", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", f"{title}只能是数字、大小写字母_-*|@，且不超过32个字符", detail)


def expiry(text: str | None, now: float) -> float:
    """``time_expire`` as Unix time; 0 where there is none. Raises Refusal PARAM_ERROR."""
    if not text:
        return 0.0
    moment = read_rfc3339(text)
    if moment is None or moment <= now:
        issue = "not RFC 3339" if moment is None else "in the past"
        detail = {"field": "/time_expire", "value": text, "issue": issue, "location": "body"}
        raise Refusal(400, "PARAM_ERROR", "交易结束时间不合法", detail)
    return moment


def link(kind: str, token: str, prepay_id: str, origin: str) -> dict[str, str]:
    """What the front end needs to open the payment."""
    if kind == "NATIVE":
        return {"code_url": f"weixin://wxpay/bizpayurl?pr={token}"}
    if kind == "MWEB":
        return {"h5_url": f"{origin}/sandbox/pay/{token}?prepay_id={prepay_id}&package={token}"}
    return {"prepay_id": prepay_id}


def _order(state: State, request: Request, kind: str) -> Transaction:
    """The order that a request describes. Raises Refusal."""
    body = request.body
    require_own_mchid(request, body.get("mchid", body.get("sp_mchid")))
    check_number(body["out_trade_no"])
    amount, payer = body["amount"], body.get("payer") or {}
    if amount["total"] < 1:
        detail = {"field": "/amount/total", "value": amount["total"], "issue": "at least 1", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", "总金额必须大于0", detail)
    return Transaction(
        mchid=body.get("sub_mchid") or request.mchid,
        out_trade_no=body["out_trade_no"],
        caller=request.mchid,
        trade_type=kind,
        total=amount["total"],
        currency=amount.get("currency") or "CNY",
        created=state.now,
        appid=body.get("appid") or body.get("sp_appid", ""),
        sub_appid=body.get("sub_appid", ""),
        description=body.get("description", ""),
        attach=body.get("attach", ""),
        notify_url=body.get("notify_url", ""),
        goods_tag=body.get("goods_tag", ""),
        expires=expiry(body.get("time_expire"), state.now),
        profit_sharing=_shares(body),
        openid=payer.get("openid") or payer.get("sp_openid", ""),
        sub_openid=payer.get("sub_openid", ""),
        contents=_contents(body, kind),
    )


def _shares(body: Mapping[str, Any]) -> bool:
    return bool((body.get("settle_info") or {}).get("profit_sharing"))


def _contents(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What two requests under one number must agree in: all but where and until when it may be paid."""
    loose = ("scene_info", "time_expire", "notify_url")
    return {"kind": kind, **{name: value for name, value in body.items() if name not in loose}}


def _place(state: State, kind: str, request: Request) -> Response:
    placed = payments.place(state, _order(state, request, kind))
    return Response(data=link(kind, placed.token, placed.prepay_id, request.origin))


def _pay_by_code(state: State, request: Request) -> Response:
    order = _order(state, request, "MICROPAY")
    code = (request.body.get("payer") or {}).get("auth_code", "")
    return Response(data=v3.transaction(by_code(state, order, code)))


def _owner(request: Request, given: Mapping[str, Any]) -> str:
    """Whose order is meant. Raises Refusal where the merchant names somebody else as the caller."""
    require_own_mchid(request, given.get("mchid", given.get("sp_mchid")))
    return given.get("sub_mchid") or request.mchid


def _query_by_id(state: State, request: Request) -> Response:
    mchid = _owner(request, request.query)
    return Response(data=v3.queried(payments.find_paid(state, request.mchid, mchid, request.path["transaction_id"])))


def _query_by_number(state: State, request: Request) -> Response:
    mchid = _owner(request, request.query)
    return Response(data=v3.queried(payments.find_order(state, request.mchid, mchid, request.path["out_trade_no"])))


def _named(state: State, request: Request) -> Transaction:
    mchid = _owner(request, request.body)
    return payments.find_order(state, request.mchid, mchid, request.path["out_trade_no"])


def _close(state: State, request: Request) -> Response:
    payments.close(state, _named(state, request))
    return Response(204)


def _reverse(state: State, request: Request) -> Response:
    reversed_ = payments.reverse(state, _named(state, request))
    fields = v3.transaction(reversed_)
    wanted = ("appid", "mchid", "sp_appid", "sp_mchid", "sub_appid", "sub_mchid", "out_trade_no")
    return Response(data={name: fields[name] for name in wanted if name in fields})
