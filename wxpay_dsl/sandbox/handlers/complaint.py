"""消费者投诉2.0: listed, read, answered, completed; and where to be told of new ones."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any, Final

from wxpay_dsl.sandbox.domain import complaints
from wxpay_dsl.sandbox.domain.complaints import Complaint
from wxpay_dsl.sandbox.domain.times import beijing_date
from wxpay_dsl.sandbox.flows.complaints import notify_url, notify_url_setting
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import Setting, State
from wxpay_dsl.sandbox.views import complaints as view

from .bill import read_day

__all__ = ["handlers"]

_PAGE: Final = 10


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/merchant-service/complaints-v2`` and ``…/complaint-notifications``."""
    base, urls = "/v3/merchant-service/complaints-v2", "/v3/merchant-service/complaint-notifications"
    one = f"{base}/{{complaint_id}}"
    return {
        f"GET {base}": partial(_list, state),
        f"GET {one}": partial(_query, state),
        f"GET {one}/negotiation-historys": partial(_history, state),
        f"POST {one}/response": partial(_reply, state),
        f"POST {one}/complete": partial(_complete, state),
        f"POST {one}/update-refund-progress": partial(_judge, state),
        f"POST {urls}": partial(_set_url, state),
        f"PUT {urls}": partial(_set_url, state),
        f"GET {urls}": partial(_get_url, state),
        f"DELETE {urls}": partial(_drop_url, state),
    }


def _found(state: State, request: Request) -> Complaint:
    found = state.complaints.get(request.path["complaint_id"])
    if found is None or found.mchid != request.mchid:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "投诉单不存在")
    return found


def _list(state: State, request: Request) -> Response:
    query = request.query
    first, last = (date.fromisoformat(read_day(query[name])) for name in ("begin_date", "end_date"))
    found = [
        one for one in state.complaints.all() if one.mchid == request.mchid and first <= beijing_date(one.at) <= last
    ]
    return Response(data=_page([view.complaint(one) for one in found], query))


def _page(items: list[dict[str, Any]], query: dict[str, Any]) -> dict[str, Any]:
    offset, limit = int(query.get("offset", 0)), int(query.get("limit", _PAGE))
    return {"data": items[offset : offset + limit], "limit": limit, "offset": offset, "total_count": len(items)}


def _query(state: State, request: Request) -> Response:
    return Response(data=view.complaint(_found(state, request)))


def _history(state: State, request: Request) -> Response:
    return Response(data=_page(view.history(_found(state, request)), request.query))


def _reply(state: State, request: Request) -> Response:
    body = request.body
    images: list[str] = list(body.get("response_images") or ())
    state.complaints.put(complaints.reply(_found(state, request), body["response_content"], images, state.now))
    return Response(204)


def _complete(state: State, request: Request) -> Response:
    state.complaints.put(complaints.complete(_found(state, request), state.now))
    return Response(204)


def _judge(state: State, request: Request) -> Response:
    body = request.body
    remark = body.get("remark") or body.get("reject_reason", "")
    found, approved = _found(state, request), body["action"] == "APPROVE"
    state.complaints.put(complaints.judge_refund(found, approved=approved, remark=remark, now=state.now))
    return Response(204)


def _set_url(state: State, request: Request) -> Response:
    if request.operation.verb == "put":
        _expect_url(state, request)
    elif state.settings.get(notify_url_setting(request.mchid)) is not None:
        raise Refusal(400, "INVALID_REQUEST", "投诉通知回调地址已存在，请使用更新接口")
    state.settings.put(Setting(notify_url_setting(request.mchid), request.body["url"]))
    return _get_url(state, request)


def _get_url(state: State, request: Request) -> Response:
    _expect_url(state, request)
    return Response(data={"mchid": request.mchid, "url": notify_url(state, request.mchid)})


def _drop_url(state: State, request: Request) -> Response:
    _expect_url(state, request)
    state.settings.drop(notify_url_setting(request.mchid))
    return Response(204)


def _expect_url(state: State, request: Request) -> None:
    if state.settings.get(notify_url_setting(request.mchid)) is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "投诉通知回调地址不存在")
