"""Acknowledgements of notifications: 204 or 200 for success, any other status makes the service send again.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

import json
from typing import Final

from attrs import field, frozen

from wxpay_dsl.wechat.v2 import xml

__all__ = ["Acknowledgement", "dialect_of", "failure", "success"]

_JSON: Final = "application/json; charset=utf-8"
_XML: Final = "text/xml; charset=utf-8"


@frozen
class Acknowledgement:
    """The HTTP response to a notification. ``body`` must be sent unchanged."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    #: Why it was refused, for the application's log; not part of ``body``.
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the service regards the notification as handled, and stops sending it."""
        return 200 <= self.status < 300

    @property
    def headers(self) -> dict[str, str]:
        """The header fields to send with the body."""
        return {"Content-Type": self.content_type} if self.content_type else {}


_NO_CONTENT: Final = Acknowledgement(204)
_SUCCESS_V2: Final = Acknowledgement(200, xml.dumps({"return_code": "SUCCESS", "return_msg": "OK"}), _XML)


def dialect_of(body: bytes) -> str:
    """The dialect of a notification that is not verified yet: ``v2`` for XML, ``v3`` for anything else."""
    return "v2" if body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "v3"


def success(dialect: str, data: bytes = b"") -> Acknowledgement:
    """Acknowledges that a notification is handled. ``data``: JSON, which a few APIv3 notifications require."""
    if dialect == "v2":
        return _SUCCESS_V2
    return Acknowledgement(200, data, _JSON) if data else _NO_CONTENT


def failure(dialect: str, status: int, message: str, reason: str = "") -> Acknowledgement:
    """Reports that a notification is not handled, so that the service sends it again. ``status``: 4xx or 5xx.

    ``message`` is sent to a peer that may not be authenticated, so it must not describe keys or code; ``reason``, by
    default the same, is for the application only.
    """
    if dialect == "v2":
        document = xml.dumps({"return_code": "FAIL", "return_msg": _line(message)})
        return Acknowledgement(status, document, _XML, reason or message)
    body = json.dumps({"code": "FAIL", "message": _line(message)}, ensure_ascii=False).encode()
    return Acknowledgement(status, body, _JSON, reason or message)


def _line(text: str) -> str:
    """The text as one line of at most 200 characters that both XML and JSON can represent."""
    return "".join(character if character.isprintable() else " " for character in text)[:200]
