"""Uploaded files (媒体文件), checked against their hash.

https://pay.weixin.qq.com/doc/v3/merchant/4012760432
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers

__all__ = ["MediaFile", "upload"]


@frozen
class MediaFile:
    """An uploaded file. ``encoded`` is its content in base64."""

    mchid: str
    media_id: str
    filename: str
    sha256: str
    content_type: str
    encoded: str = field(repr=False)

    @property
    def content(self) -> bytes:
        """The content of the file, in bytes."""
        return base64.b64decode(self.encoded)


def upload(mchid: str, meta: Mapping[str, Any], content: bytes, content_type: str) -> MediaFile:
    """Creates a file. Raises Refusal PARAM_ERROR if it is empty, or ``meta["sha256"]`` is not its hash."""
    digest = hashlib.sha256(content).hexdigest()
    if not content:
        raise Refusal(400, "PARAM_ERROR", "上传的文件为空")
    claimed = meta.get("sha256")
    if not isinstance(claimed, str) or claimed.lower() != digest:
        detail = {"field": "/meta/sha256", "value": claimed, "issue": f"sha256 is {digest}", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", "文件的SHA256值与meta中的不一致", detail)
    encoded = base64.b64encode(content).decode()
    return MediaFile(mchid, numbers.media_id(), str(meta.get("filename", "")), digest, content_type, encoded)
