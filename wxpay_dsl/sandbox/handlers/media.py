"""媒体文件: uploaded with their hash, and downloaded again."""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import unquote

from wxpay_dsl.sandbox.domain import media
from wxpay_dsl.sandbox.domain.media import Medium
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State

__all__ = ["handlers"]

#: Bytes of an image, and of a video.
_IMAGE: Final = 2 * 1024 * 1024
_VIDEO: Final = 5 * 1024 * 1024


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of the uploads that every merchant uses."""
    return {
        "POST /v3/merchant/media/upload": partial(_upload, state, _IMAGE),
        "POST /v3/merchant/media/video_upload": partial(_upload, state, _VIDEO),
        "POST /v3/merchant-service/images/upload": partial(_upload, state, _IMAGE),
        "POST /v3/marketing/favor/media/image-upload": partial(_upload_for_url, state, _IMAGE),
        "GET /v3/merchant-service/images/{media_id}": partial(_download, state),
    }


def _take(state: State, limit: int, request: Request) -> Medium:
    file = request.parts.get("file")
    meta = request.fields["form"].get("meta")
    if file is None or not isinstance(meta, dict):
        raise Refusal(400, "PARAM_ERROR", "上传的报文必须包含meta和file")
    if len(file.content) > limit:
        raise Refusal(400, "PARAM_ERROR", f"文件不能超过{limit // 1024 // 1024}M")
    return state.media.put(media.upload(request.mchid, meta, file.content, file.content_type))


def _upload(state: State, limit: int, request: Request) -> Response:
    return Response(data={"media_id": _take(state, limit, request).media_id})


def _upload_for_url(state: State, limit: int, request: Request) -> Response:
    medium = _take(state, limit, request)
    return Response(data={"media_url": f"{request.origin}/v3/merchant-service/images/{medium.media_id}"})


def _download(state: State, request: Request) -> Response:
    wanted = unquote(request.path["media_id"])
    found = next((one for one in state.media.all() if unquote(one.media_id) == wanted), None)
    if found is None or found.mchid != request.mchid:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "图片不存在")
    kind = found.content_type or "application/octet-stream"
    return Response(data=found.content, content_type=kind, signed=False)
