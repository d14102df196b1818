"""媒体文件: uploads files with their hash, and serves the uploaded images."""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import unquote

from wxpay_dsl.sandbox.domain import media
from wxpay_dsl.sandbox.domain.media import MediaFile
from wxpay_dsl.sandbox.protocol.messages import Refusal, Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State

__all__ = ["handlers"]

#: Maximum size of an image and of a video, in bytes.
_MAX_IMAGE: Final = 2 * 1024 * 1024
_MAX_VIDEO: Final = 5 * 1024 * 1024


def handlers(state: State) -> dict[str, Handler]:
    """The handlers of the uploads for merchants in general, and of the download of images."""
    return {
        "POST /v3/merchant/media/upload": partial(_upload, state, _MAX_IMAGE),
        "POST /v3/merchant/media/video_upload": partial(_upload, state, _MAX_VIDEO),
        "POST /v3/merchant-service/images/upload": partial(_upload, state, _MAX_IMAGE),
        "POST /v3/marketing/favor/media/image-upload": partial(_upload_for_url, state, _MAX_IMAGE),
        "GET /v3/merchant-service/images/{media_id}": partial(_download, state),
    }


def _store(state: State, limit: int, request: Request) -> MediaFile:
    file = request.parts.get("file")
    meta = request.fields["form"].get("meta")
    if file is None or not isinstance(meta, dict):
        raise Refusal(400, "PARAM_ERROR", "上传的报文必须包含meta和file")
    if len(file.content) > limit:
        raise Refusal(400, "PARAM_ERROR", f"文件不能超过{limit // 1024 // 1024}M")
    return state.media.put(media.upload(request.mchid, meta, file.content, file.content_type))


def _upload(state: State, limit: int, request: Request) -> Response:
    return Response(data={"media_id": _store(state, limit, request).media_id})


def _upload_for_url(state: State, limit: int, request: Request) -> Response:
    uploaded = _store(state, limit, request)
    return Response(data={"media_url": f"{request.origin}/v3/merchant-service/images/{uploaded.media_id}"})


def _download(state: State, request: Request) -> Response:
    media_id = unquote(request.path["media_id"])
    file = next((one for one in state.media.all() if unquote(one.media_id) == media_id), None)
    if file is None or file.mchid != request.mchid:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "图片不存在")
    content_type = file.content_type or "application/octet-stream"
    return Response(data=file.content, content_type=content_type, signed=False)
