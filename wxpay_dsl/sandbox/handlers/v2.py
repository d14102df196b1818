"""基础支付 of APIv2, on the same state as APIv3: each can query, close and refund the orders of the other.

https://pay.weixin.qq.com/doc/v2/merchant/4011935191
"""

from __future__ import annotations

import gzip
from functools import partial
from typing import Any, Final

from wxpay_dsl.sandbox.control.payment_codes import by_code
from wxpay_dsl.sandbox.domain import numbers
from wxpay_dsl.sandbox.domain.bills import KINDS, Bill
from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.domain.times import read_compact
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.flows import payments, refunds
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, MissingFieldRefusal, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import v2
from wxpay_dsl.wechat.v2 import xml

from . import bill
from .parameters import check_number, read_date
from .pay import payment_link

__all__ = ["handlers"]

#: The error codes of APIv2, by those of APIv3 where they differ.
_CODES: Final = {
    "ORDER_NOT_EXIST": "ORDERNOTEXIST",
    "ORDER_CLOSED": "ORDERCLOSED",
    "NOT_ENOUGH": "NOTENOUGH",
    "RESOURCE_NOT_EXISTS": "ORDERNOTEXIST",
    "TRADE_ERROR": "TRADE_STATE_ERROR",
    "SYSTEM_ERROR": "SYSTEMERROR",
    "NO_AUTH": "NOAUTH",
}
_TRADE_TYPES: Final = ("JSAPI", "NATIVE", "APP", "MWEB")


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/pay`` and ``/secapi/pay``, and of the same below the paths of the official sandboxes."""
    table: dict[str, Handler] = {
        "POST /pay/unifiedorder": partial(_create_order, state),
        "POST /pay/micropay": partial(_pay_by_code, state),
        "POST /pay/orderquery": partial(_query, state),
        "POST /pay/closeorder": partial(_close, state),
        "POST /secapi/pay/reverse": partial(_reverse, state),
        "POST /secapi/pay/refund": partial(_refund, state),
        "POST /pay/refundquery": partial(_query_refund, state),
        "POST /pay/downloadbill": partial(_bill, state),
    }
    translated = {name: _with_v2_codes(handler) for name, handler in table.items()}
    for name, handler in list(translated.items()):
        path = name.partition(" ")[2].removeprefix("/secapi")
        translated |= {f"POST /sandboxnew{path}": handler, f"POST /xdc/apiv2sandbox{path}": handler}
    return translated


def _with_v2_codes(handler: Handler) -> Handler:
    """Wraps a handler so that its refusals have the error codes of APIv2."""

    def handle(request: Request) -> Response:
        try:
            return handler(request)
        except MissingFieldRefusal:
            raise  # the call could not be read: its code is not one of the operation
        except Refusal as refusal:
            code = _CODES.get(refusal.code, refusal.code)
            raise Refusal(200, code, refusal.message, keeps=refusal.keeps) from None

    return handle


def _merchant(request: Request) -> str:
    mchid: str = request.body.get("sub_mch_id") or request.mchid
    return mchid


def _success(request: Request, fields: dict[str, Any]) -> Response:
    """A successful response, with the ids of the request repeated in it."""
    names = ("appid", "sub_appid", "sub_mch_id", "device_info")
    echoed = {name: request.body[name] for name in names if request.body.get(name)}
    return Response(data={**echoed, "mch_id": request.mchid, "result_code": "SUCCESS", **fields})


def _read_order(state: State, request: Request, kind: str) -> Transaction:
    body = request.body
    check_number(body["out_trade_no"], field="out_trade_no")
    if body["total_fee"] < 1:
        raise Refusal(200, "PARAM_ERROR", "total_fee必须大于0")
    expires = body.get("time_expire")
    # Fields that two requests for the same order may differ in.
    may_differ = ("nonce_str", "sign", "sign_type", "time_start", "time_expire", "spbill_create_ip", "scene_info")
    return Transaction(
        mchid=_merchant(request),
        out_trade_no=body["out_trade_no"],
        caller=request.mchid,
        trade_type=kind,
        total=body["total_fee"],
        currency=body.get("fee_type") or "CNY",
        created=state.now,
        appid=body["appid"],
        sub_appid=body.get("sub_appid") or "",
        description=body["body"],
        attach=body.get("attach") or "",
        notify_url=body.get("notify_url") or "",
        goods_tag=body.get("goods_tag") or "",
        expires=(read_compact(expires) or 0.0) if expires else 0.0,
        profit_sharing=body.get("profit_sharing") == "Y",
        dialect="v2",
        openid=body.get("openid") or "",
        sub_openid=body.get("sub_openid") or "",
        contents={"kind": kind, **{name: value for name, value in body.items() if name not in may_differ}},
    )


def _create_order(state: State, request: Request) -> Response:
    body, kind = request.body, request.body["trade_type"]
    if kind not in _TRADE_TYPES:
        raise Refusal(200, "PARAM_ERROR", "trade_type参数错误")
    if kind == "JSAPI" and not (body.get("openid") or body.get("sub_openid")):
        raise Refusal(200, "PARAM_ERROR", "JSAPI支付必须传openid")
    order = payments.create_order(state, _read_order(state, request, kind))
    links = payment_link(kind, order.token, order.prepay_id, request.origin)
    fields = {"trade_type": kind, "prepay_id": order.prepay_id}
    if "code_url" in links:
        fields["code_url"] = links["code_url"]
    if "h5_url" in links:
        fields["mweb_url"] = links["h5_url"]
    return _success(request, fields)


def _pay_by_code(state: State, request: Request) -> Response:
    paid = by_code(state, _read_order(state, request, "MICROPAY"), request.body["auth_code"])
    if paid.state == "USERPAYING":
        raise Refusal(200, "USERPAYING", "需要用户输入支付密码", keeps=True)
    fields = v2.transaction(paid)
    return _success(request, {name: fields[name] for name in fields if not name.startswith("trade_state")})


def _find(state: State, request: Request) -> Transaction:
    body, mchid = request.body, _merchant(request)
    if body.get("transaction_id"):
        return payments.find_transaction(state, request.mchid, mchid, body["transaction_id"])
    if body.get("out_trade_no"):
        return payments.find_order(state, request.mchid, mchid, body["out_trade_no"])
    raise Refusal(200, "PARAM_ERROR", "transaction_id和out_trade_no必须二选一")


def _query(state: State, request: Request) -> Response:
    return _success(request, dict(v2.transaction(_find(state, request))))


def _close(state: State, request: Request) -> Response:
    order = payments.find_order(state, request.mchid, _merchant(request), request.body["out_trade_no"])
    if order.state in ("CLOSED", "REVOKED"):
        raise Refusal(200, "ORDER_CLOSED", "订单已关闭")
    payments.close(state, order)
    return _success(request, {"result_msg": "OK"})


def _reverse(state: State, request: Request) -> Response:
    payments.reverse(state, _find(state, request))
    return _success(request, {"recall": "N"})


def _refund(state: State, request: Request) -> Response:
    body = request.body
    order = _find(state, request)
    requested = Refund(
        mchid=order.mchid,
        out_refund_no=body["out_refund_no"],
        caller=request.mchid,
        out_trade_no=order.out_trade_no,
        transaction_id=order.transaction_id,
        amount=body["refund_fee"],
        total=body["total_fee"],
        created=state.now,
        currency=body.get("refund_fee_type") or "CNY",
        reason=body.get("refund_desc") or "",
        notify_url=body.get("notify_url") or "",
        dialect="v2",
    )
    refund = refunds.create_refund(state, requested, order)
    return _success(
        request,
        {
            "transaction_id": refund.transaction_id,
            "out_trade_no": refund.out_trade_no,
            "out_refund_no": refund.out_refund_no,
            "refund_id": refund.refund_id,
            "refund_fee": refund.amount,
            "total_fee": refund.total,
            "cash_fee": refund.total,
            "cash_refund_fee": refund.amount,
            "coupon_refund_fee": 0,
            "coupon_refund_count": 0,
        },
    )


def _query_refund(state: State, request: Request) -> Response:
    body, mchid = request.body, _merchant(request)
    if not any(body.get(name) for name in ("refund_id", "out_refund_no", "transaction_id", "out_trade_no")):
        raise Refusal(200, "PARAM_ERROR", "refund_id、out_refund_no、transaction_id、out_trade_no必须四选一")
    matching = [one for one in state.refunds.all() if one.mchid == mchid and _matches(one, body)]
    order = state.transactions.find("transaction_id", matching[0].transaction_id) if matching else None
    if order is None or request.mchid not in (order.caller, order.mchid):
        raise Refusal(200, "REFUNDNOTEXIST", "退款单不存在")
    return _success(request, dict(v2.refunds(matching, order)))


def _matches(refund: Refund, body: dict[str, Any]) -> bool:
    """Whether a refund has the number given; of several numbers the first in this order counts."""
    for name in ("refund_id", "out_refund_no", "transaction_id", "out_trade_no"):
        if body.get(name):
            return bool(getattr(refund, name) == body[name])
    return False


def _bill(state: State, request: Request) -> Response:
    body = request.body
    day = body["bill_date"]
    option = body.get("bill_type") or "ALL"
    iso_date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if option not in KINDS:
        return _error_document("invalid bill_type", "20001")
    try:
        text = bill.render(
            state, Bill(numbers.token(), _merchant(request), "trade", read_date(iso_date).isoformat(), option)
        )
    except Refusal as refusal:
        exists = refusal.code == "NO_STATEMENT_EXIST"
        return _error_document("No Bill Exist" if exists else "invalid bill_date", "20002" if exists else "20001")
    if body.get("tar_type") == "GZIP":
        return Response(data=gzip.compress(text, mtime=0), content_type="application/x-gzip", signed=False)
    return Response(data=text, content_type="text/plain", signed=False)


def _error_document(message: str, code: str) -> Response:
    """The XML error that is sent instead of a bill: unsigned, with the content type of a bill."""
    document = xml.dumps({"return_code": "FAIL", "return_msg": message, "error_code": code})
    return Response(data=document, content_type="text/plain", signed=False)
