"""Uploaded files (媒体文件): their hash is checked, and they can be had again.

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

__all__ = ["Medium", "upload"]


@frozen
class Medium:
    """A file. Its bytes are kept in base64."""

    mchid: str
    media_id: str
    filename: str
    sha256: str
    content_type: str
    encoded: str = field(repr=False)

    @property
    def content(self) -> bytes:
        """The bytes."""
        return base64.b64decode(self.encoded)


def upload(mchid: str, meta: Mapping[str, Any], content: bytes, content_type: str) -> Medium:
    """A new file. Raises Refusal PARAM_ERROR where ``meta`` names another hash than the file has."""
    digest = hashlib.sha256(content).hexdigest()
    if not content:
        raise Refusal(400, "PARAM_ERROR", "上传的文件为空")
    told = meta.get("sha256")
    if not isinstance(told, str) or told.lower() != digest:
        detail = {"field": "/meta/sha256", "value": told, "issue": f"sha256 is {digest}", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", "文件的SHA256值与meta中的不一致", detail)
    encoded = base64.b64encode(content).decode()
    return Medium(mchid, numbers.media_id(), str(meta.get("filename", "")), digest, content_type, encoded)
