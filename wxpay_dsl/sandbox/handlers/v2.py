"""APIv2's 基础支付, on the same state as APIv3's: what one has placed the other can query, close and refund.

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
from wxpay_dsl.sandbox.flows import payments
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, MissingFieldRefusal, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import v2
from wxpay_dsl.wechat.v2 import xml

from . import bill
from .pay import check_number, link

__all__ = ["handlers"]

#: What APIv3 calls an error, and APIv2.
_CODES: Final = {
    "ORDER_NOT_EXIST": "ORDERNOTEXIST",
    "ORDER_CLOSED": "ORDERCLOSED",
    "NOT_ENOUGH": "NOTENOUGH",
    "RESOURCE_NOT_EXISTS": "ORDERNOTEXIST",
    "TRADE_ERROR": "TRADE_STATE_ERROR",
    "SYSTEM_ERROR": "SYSTEMERROR",
    "NO_AUTH": "NOAUTH",
}
_KINDS: Final = ("JSAPI", "NATIVE", "APP", "MWEB")


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/pay`` and ``/secapi/pay``, and of the service's own sandbox paths for the same."""
    found: dict[str, Handler] = {
        "POST /pay/unifiedorder": partial(_place, state),
        "POST /pay/micropay": partial(_pay_by_code, state),
        "POST /pay/orderquery": partial(_query, state),
        "POST /pay/closeorder": partial(_close, state),
        "POST /secapi/pay/reverse": partial(_reverse, state),
        "POST /secapi/pay/refund": partial(_refund, state),
        "POST /pay/refundquery": partial(_query_refund, state),
        "POST /pay/downloadbill": partial(_bill, state),
    }
    translated = {name: _translated(handler) for name, handler in found.items()}
    for name, handler in list(translated.items()):
        path = name.partition(" ")[2].removeprefix("/secapi")
        translated |= {f"POST /sandboxnew{path}": handler, f"POST /xdc/apiv2sandbox{path}": handler}
    return translated


def _translated(handler: Handler) -> Handler:
    """A handler whose refusals have APIv2's codes."""

    def translated(request: Request) -> Response:
        try:
            return handler(request)
        except MissingFieldRefusal:
            raise  # APIv2 did not understand the call: its codes are of those that it did
        except Refusal as refusal:
            code = _CODES.get(refusal.code, refusal.code)
            raise Refusal(200, code, refusal.message, keeps=refusal.keeps) from None

    return translated


def _owner(request: Request) -> str:
    mchid: str = request.body.get("sub_mch_id") or request.mchid
    return mchid


def _answer(request: Request, fields: dict[str, Any]) -> Response:
    """An answer of success, with who asked in it."""
    names = ("appid", "sub_appid", "sub_mch_id", "device_info")
    told = {name: request.body[name] for name in names if request.body.get(name)}
    return Response(data={**told, "mch_id": request.mchid, "result_code": "SUCCESS", **fields})


def _order(state: State, request: Request, kind: str) -> Transaction:
    body = request.body
    check_number(body["out_trade_no"], field="out_trade_no")
    if body["total_fee"] < 1:
        raise Refusal(200, "PARAM_ERROR", "total_fee必须大于0")
    expires = body.get("time_expire")
    # What differs from one attempt to the next without the order being another.
    loose = ("nonce_str", "sign", "sign_type", "time_start", "time_expire", "spbill_create_ip", "scene_info")
    return Transaction(
        mchid=_owner(request),
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
        contents={"kind": kind, **{name: value for name, value in body.items() if name not in loose}},
    )


def _place(state: State, request: Request) -> Response:
    body, kind = request.body, request.body["trade_type"]
    if kind not in _KINDS:
        raise Refusal(200, "PARAM_ERROR", "trade_type参数错误")
    if kind == "JSAPI" and not (body.get("openid") or body.get("sub_openid")):
        raise Refusal(200, "PARAM_ERROR", "JSAPI支付必须传openid")
    placed = payments.place(state, _order(state, request, kind))
    links = link(kind, placed.token, placed.prepay_id, request.origin)
    fields = {"trade_type": kind, "prepay_id": placed.prepay_id}
    if "code_url" in links:
        fields["code_url"] = links["code_url"]
    if "h5_url" in links:
        fields["mweb_url"] = links["h5_url"]
    return _answer(request, fields)


def _pay_by_code(state: State, request: Request) -> Response:
    paid = by_code(state, _order(state, request, "MICROPAY"), request.body["auth_code"])
    if paid.state == "USERPAYING":
        raise Refusal(200, "USERPAYING", "需要用户输入支付密码", keeps=True)
    fields = v2.transaction(paid)
    return _answer(request, {name: fields[name] for name in fields if not name.startswith("trade_state")})


def _named(state: State, request: Request) -> Transaction:
    body, mchid = request.body, _owner(request)
    if body.get("transaction_id"):
        return payments.find_paid(state, request.mchid, mchid, body["transaction_id"])
    if body.get("out_trade_no"):
        return payments.find_order(state, request.mchid, mchid, body["out_trade_no"])
    raise Refusal(200, "PARAM_ERROR", "transaction_id和out_trade_no必须二选一")


def _query(state: State, request: Request) -> Response:
    return _answer(request, dict(v2.transaction(_named(state, request))))


def _close(state: State, request: Request) -> Response:
    order = payments.find_order(state, request.mchid, _owner(request), request.body["out_trade_no"])
    if order.state in ("CLOSED", "REVOKED"):
        raise Refusal(200, "ORDER_CLOSED", "订单已关闭")
    payments.close(state, order)
    return _answer(request, {"result_msg": "OK"})


def _reverse(state: State, request: Request) -> Response:
    payments.reverse(state, _named(state, request))
    return _answer(request, {"recall": "N"})


def _refund(state: State, request: Request) -> Response:
    body = request.body
    order = _named(state, request)
    wanted = Refund(
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
    refund = payments.ask_refund(state, wanted, order)
    return _answer(
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
    body, mchid = request.body, _owner(request)
    if not any(body.get(name) for name in ("refund_id", "out_refund_no", "transaction_id", "out_trade_no")):
        raise Refusal(200, "PARAM_ERROR", "refund_id、out_refund_no、transaction_id、out_trade_no必须四选一")
    found = [one for one in state.refunds.all() if one.mchid == mchid and _is_named(one, body)]
    order = state.transactions.find("transaction_id", found[0].transaction_id) if found else None
    if order is None or request.mchid not in (order.caller, order.mchid):
        raise Refusal(200, "REFUNDNOTEXIST", "退款单不存在")
    return _answer(request, dict(v2.refunds(found, order)))


def _is_named(refund: Refund, body: dict[str, Any]) -> bool:
    """By the number that counts most, of those given."""
    for name in ("refund_id", "out_refund_no", "transaction_id", "out_trade_no"):
        if body.get(name):
            return bool(getattr(refund, name) == body[name])
    return False


def _bill(state: State, request: Request) -> Response:
    body = request.body
    day = body["bill_date"]
    option = body.get("bill_type") or "ALL"
    asked = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if option not in KINDS:
        return _refused("invalid bill_type", "20001")
    try:
        text = bill.content(state, Bill(numbers.token(), _owner(request), "trade", bill.read_day(asked), option))
    except Refusal as refusal:
        exists = refusal.code == "NO_STATEMENT_EXIST"
        return _refused("No Bill Exist" if exists else "invalid bill_date", "20002" if exists else "20001")
    if body.get("tar_type") == "GZIP":
        return Response(data=gzip.compress(text, mtime=0), content_type="application/x-gzip", signed=False)
    return Response(data=text, content_type="text/plain", signed=False)


def _refused(message: str, code: str) -> Response:
    """What stands in a bill's place is not signed, nor said to be XML."""
    document = xml.dumps({"return_code": "FAIL", "return_msg": message, "error_code": code})
    return Response(data=document, content_type="text/plain", signed=False)
