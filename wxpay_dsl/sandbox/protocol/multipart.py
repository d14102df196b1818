"""Parses the body of an upload (``multipart/form-data``) into its parts.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import re
from email.message import Message
from typing import Final

from attrs import field, frozen

from .messages import Call, Refusal

__all__ = ["Part", "parse"]

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}\Z")
_PARTS: Final = 16
#: The longest delimiter: two dashes and a boundary.
_LINE: Final = 72


@frozen
class Part:
    """One part: a field or a file."""

    name: str
    content: bytes = field(repr=False)
    filename: str = ""
    content_type: str = ""

    def text(self) -> str:
        """The content as text; of a file its name."""
        return self.filename or self.content.decode("utf-8", "replace")


def parse(call: Call) -> dict[str, Part]:
    """``{name: part}`` of a call's body. Raises Refusal 400 for a body that is not multipart, or is truncated."""
    message = Message()
    message["Content-Type"] = call.headers.get("Content-Type", "")
    # Some clients announce no boundary; the service takes the first line of the body.
    boundary = message.get_param("boundary") or _first_line(call.body)
    if message.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise _refusal("Content-Type不是multipart/form-data")
    if not _BOUNDARY.match(boundary):
        raise _refusal("boundary不合法")
    # Each delimiter is a line; the first may be the first line of the body.
    pieces = (b"\r\n" + call.body).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 3 or not pieces[-1].startswith(b"--") or len(pieces) > _PARTS:
        raise _refusal("multipart报文不完整")
    parts = (_part(piece) for piece in pieces[1:-1])
    return {part.name: part for part in parts}


def _first_line(body: bytes) -> str:
    line = body[:_LINE].partition(b"\r\n")[0]
    return line.removeprefix(b"--").decode("ascii", "replace")


def _part(piece: bytes) -> Part:
    header, separator, content = piece.lstrip(b" \t").partition(b"\r\n\r\n")
    if not separator or not header.startswith(b"\r\n"):
        raise _refusal("multipart报文不完整")
    headers = Message()
    for line in header[2:].split(b"\r\n"):
        key, _, value = line.decode("utf-8", "replace").partition(":")
        headers[key.strip()] = value.strip()
    name = headers.get_param("name", header="Content-Disposition")
    if not isinstance(name, str) or not name:
        raise _refusal("multipart报文的一段没有name")
    return Part(name, content, headers.get_filename(""), str(headers.get("Content-Type", "")))


def _refusal(text: str) -> Refusal:
    return Refusal(400, "PARAM_ERROR", text)
