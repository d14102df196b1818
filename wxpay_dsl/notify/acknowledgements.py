"""How a notification is answered: success in 204 or 200, anything else in a status that makes the service send again.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

import json
from typing import Final

from attrs import field, frozen

from wxpay_dsl.wechat.v2 import xml

__all__ = ["Answer", "dialect_of", "failure", "success"]

_JSON: Final = "application/json; charset=utf-8"
_XML: Final = "text/xml; charset=utf-8"


@frozen
class Answer:
    """What goes back to the service. ``body`` is to be sent as it is."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    #: Why, for one's own log.
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the service will take it for done, and not send again."""
        return 200 <= self.status < 300

    @property
    def headers(self) -> dict[str, str]:
        """The header fields that belong to the body."""
        return {"Content-Type": self.content_type} if self.content_type else {}


_NO_CONTENT: Final = Answer(204)
_SUCCESS_V2: Final = Answer(200, xml.dumps({"return_code": "SUCCESS", "return_msg": "OK"}), _XML)


def dialect_of(body: bytes) -> str:
    """``v2`` for XML, ``v3`` for anything else: what a refusal is written in, before anything is believed."""
    return "v2" if body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "v3"


def success(dialect: str, data: bytes = b"") -> Answer:
    """Done. ``data``: JSON that the service asked for (a few of APIv3's notifications do)."""
    if dialect == "v2":
        return _SUCCESS_V2
    return Answer(200, data, _JSON) if data else _NO_CONTENT


def failure(dialect: str, status: int, said: str, reason: str = "") -> Answer:
    """Not done; the service sends it again. ``status``: 4xx or 5xx.

    ``said`` goes out, to whoever asked, so it tells nothing about keys or code; ``reason`` stays here.
    """
    if dialect == "v2":
        return Answer(status, xml.dumps({"return_code": "FAIL", "return_msg": _line(said)}), _XML, reason or said)
    body = json.dumps({"code": "FAIL", "message": _line(said)}, ensure_ascii=False).encode()
    return Answer(status, body, _JSON, reason or said)


def _line(text: str) -> str:
    """One short line that both XML and JSON carry."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]
