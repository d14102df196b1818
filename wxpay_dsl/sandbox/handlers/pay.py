"""基础支付: creates, queries, closes and reverses orders of every trade type, for merchants and partners."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from wxpay_dsl.sandbox.control.payment_codes import by_code
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import payments
from wxpay_dsl.sandbox.protocol.messages import Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request, require_own_mchid
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import transactions as view

from .parameters import check_amount, check_number, expiry

__all__ = ["handlers", "payment_link"]

#: The trade type (交易类型) of each path, by its last segment.
_TRADE_TYPES: Final = {
    "jsapi": "JSAPI",
    "jsapi-with-contract": "JSAPI",
    "app": "APP",
    "app-with-contract": "APP",
    "native": "NATIVE",
    "h5": "MWEB",
}
#: The same for the paths of partners, which have more.
_PARTNER_TRADE_TYPES: Final = {**_TRADE_TYPES, "miniprogram": "JSAPI", "scannedpos": "NATIVE"}


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/pay/transactions`` and ``/v3/pay/partner/transactions``."""
    table: dict[str, Handler] = {}
    for base, kinds in (("/v3/pay/transactions", _TRADE_TYPES), ("/v3/pay/partner/transactions", _PARTNER_TRADE_TYPES)):
        for word, kind in kinds.items():
            table[f"POST {base}/{word}"] = partial(_create_order, state, kind)
        table |= {
            f"POST {base}/codepay": partial(_pay_by_code, state),
            f"GET {base}/id/{{transaction_id}}": partial(_query_by_id, state),
            f"GET {base}/out-trade-no/{{out_trade_no}}": partial(_query_by_number, state),
            f"POST {base}/out-trade-no/{{out_trade_no}}/close": partial(_close, state),
            f"POST {base}/out-trade-no/{{out_trade_no}}/reverse": partial(_reverse, state),
        }
    return table


def payment_link(kind: str, token: str, prepay_id: str, origin: str) -> dict[str, str]:
    """The field with which the front end opens the payment: ``code_url``, ``h5_url`` or ``prepay_id``."""
    if kind == "NATIVE":
        return {"code_url": f"weixin://wxpay/bizpayurl?pr={token}"}
    if kind == "MWEB":
        return {"h5_url": f"{origin}/sandbox/pay/{token}?prepay_id={prepay_id}&package={token}"}
    return {"prepay_id": prepay_id}


def _read_order(state: State, request: Request, kind: str) -> Transaction:
    """Reads the order of a request. Raises Refusal."""
    body = request.body
    require_own_mchid(request, body.get("mchid", body.get("sp_mchid")))
    check_number(body["out_trade_no"])
    amount, payer = body["amount"], body.get("payer") or {}
    check_amount(amount["total"])
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
        profit_sharing=bool((body.get("settle_info") or {}).get("profit_sharing")),
        openid=payer.get("openid") or payer.get("sp_openid", ""),
        sub_openid=payer.get("sub_openid", ""),
        contents=_contents(body, kind),
    )


def _contents(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The fields in which two requests with the same number must agree."""
    may_differ = ("scene_info", "time_expire", "notify_url")
    return {"kind": kind, **{name: value for name, value in body.items() if name not in may_differ}}


def _create_order(state: State, kind: str, request: Request) -> Response:
    order = payments.create_order(state, _read_order(state, request, kind))
    return Response(data=payment_link(kind, order.token, order.prepay_id, request.origin))


def _pay_by_code(state: State, request: Request) -> Response:
    order = _read_order(state, request, "MICROPAY")
    code = (request.body.get("payer") or {}).get("auth_code", "")
    return Response(data=view.transaction(by_code(state, order, code)))


def _merchant(request: Request, given: Mapping[str, Any]) -> str:
    """The merchant whose order is meant. Raises Refusal PARAM_ERROR if ``mchid`` is not the caller's."""
    require_own_mchid(request, given.get("mchid", given.get("sp_mchid")))
    return given.get("sub_mchid") or request.mchid


def _query_by_id(state: State, request: Request) -> Response:
    mchid = _merchant(request, request.query)
    order = payments.find_transaction(state, request.mchid, mchid, request.path["transaction_id"])
    return Response(data=view.queried_transaction(order))


def _query_by_number(state: State, request: Request) -> Response:
    return Response(data=view.queried_transaction(_find(state, request, request.query)))


def _find(state: State, request: Request, given: Mapping[str, Any]) -> Transaction:
    mchid = _merchant(request, given)
    return payments.find_order(state, request.mchid, mchid, request.path["out_trade_no"])


def _close(state: State, request: Request) -> Response:
    payments.close(state, _find(state, request, request.body))
    return Response(204)


def _reverse(state: State, request: Request) -> Response:
    reversed_ = payments.reverse(state, _find(state, request, request.body))
    fields = view.transaction(reversed_)
    names = ("appid", "mchid", "sp_appid", "sp_mchid", "sub_appid", "sub_mchid", "out_trade_no")
    return Response(data={name: fields[name] for name in names if name in fields})
