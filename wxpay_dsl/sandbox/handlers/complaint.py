"""消费者投诉2.0: lists, queries, responds to and completes complaints; sets the URL for their notifications."""

from __future__ import annotations

from functools import partial
from typing import Final

from wxpay_dsl.sandbox.domain import complaints
from wxpay_dsl.sandbox.domain.complaints import Complaint
from wxpay_dsl.sandbox.domain.times import beijing_date
from wxpay_dsl.sandbox.flows import complaints as flow
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State
from wxpay_dsl.sandbox.views import complaints as view

from .parameters import page, read_date

__all__ = ["handlers"]

#: Entries of a page by default.
_PAGE: Final = 10


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of ``/v3/merchant-service/complaints-v2`` and ``…/complaint-notifications``."""
    base, urls = "/v3/merchant-service/complaints-v2", "/v3/merchant-service/complaint-notifications"
    one = f"{base}/{{complaint_id}}"
    return {
        f"GET {base}": partial(_list, state),
        f"GET {one}": partial(_query, state),
        f"GET {one}/negotiation-historys": partial(_history, state),
        f"POST {one}/response": partial(_respond, state),
        f"POST {one}/complete": partial(_complete, state),
        f"POST {one}/update-refund-progress": partial(_update_refund_progress, state),
        f"POST {urls}": partial(_set_url, state),
        f"PUT {urls}": partial(_set_url, state),
        f"GET {urls}": partial(_get_url, state),
        f"DELETE {urls}": partial(_delete_url, state),
    }


def _find(state: State, request: Request) -> Complaint:
    return flow.find(state, request.mchid, request.path["complaint_id"])


def _list(state: State, request: Request) -> Response:
    query = request.query
    first, last = (read_date(query[name]) for name in ("begin_date", "end_date"))
    listed = [
        one for one in state.complaints.all() if one.mchid == request.mchid and first <= beijing_date(one.at) <= last
    ]
    return Response(data=page([view.complaint(one) for one in listed], query, _PAGE))


def _query(state: State, request: Request) -> Response:
    return Response(data=view.complaint(_find(state, request)))


def _history(state: State, request: Request) -> Response:
    return Response(data=page(view.history(_find(state, request)), request.query, _PAGE))


def _respond(state: State, request: Request) -> Response:
    body = request.body
    images: list[str] = list(body.get("response_images") or ())
    state.complaints.put(complaints.respond(_find(state, request), body["response_content"], images, state.now))
    return Response(204)


def _complete(state: State, request: Request) -> Response:
    state.complaints.put(complaints.complete(_find(state, request), state.now))
    return Response(204)


def _update_refund_progress(state: State, request: Request) -> Response:
    body = request.body
    remark = body.get("remark") or body.get("reject_reason", "")
    complaint, approved = _find(state, request), body["action"] == "APPROVE"
    state.complaints.put(complaints.update_refund_progress(complaint, approved=approved, remark=remark, now=state.now))
    return Response(204)


def _set_url(state: State, request: Request) -> Response:
    mchid = request.mchid
    if request.operation.verb == "put":
        _expect_url(state, mchid)
    elif flow.find_notify_url(state, mchid) is not None:
        raise Refusal(400, "INVALID_REQUEST", "投诉通知回调地址已存在，请使用更新接口")
    flow.set_notify_url(state, mchid, request.body["url"])
    return _get_url(state, request)


def _get_url(state: State, request: Request) -> Response:
    return Response(data={"mchid": request.mchid, "url": _expect_url(state, request.mchid)})


def _delete_url(state: State, request: Request) -> Response:
    _expect_url(state, request.mchid)
    flow.delete_notify_url(state, request.mchid)
    return Response(204)


def _expect_url(state: State, mchid: str) -> str:
    url = flow.find_notify_url(state, mchid)
    if url is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "投诉通知回调地址不存在")
    return url
