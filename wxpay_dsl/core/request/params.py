"""The path, query and headers of a request: each value is checked and encoded once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from wxpay_dsl.core.chain.node import Literal
from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.specs.model import Operation

__all__ = ["headers_of", "path_of", "query_of", "reported"]

_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+\Z")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*\Z")
#: Headers that the HTTP connection sets itself; a caller's value could only contradict it.
_FRAMING: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
#: The bound of integers: Python formats at most 4300 digits, and no service reads more than twenty.
_LARGEST: Final = 10**100
#: The most characters of one path parameter, of the whole query, and of one header.
_LONGEST: Final = {"path": 1024, "query": 8192, "header": 4096}


def path_of(
    pairs: list[tuple[str, str]], given: Mapping[str, Any], operation: Operation | None, field_errors: list[FieldError]
) -> str:
    """The path of the URL. ``pairs`` are ``(declared, written)``: each segment in the template, and in the chain.

    What is wrong is added to ``field_errors``.
    """
    filled = []
    for segment, written in pairs:
        if segment.startswith("{") and not isinstance(segment, Literal):
            name = segment[1:-1]
            encoded = operation is not None and operation.parameters.properties[name].encoded
            if name in given:
                filled.append(_parameter(name, given[name], field_errors, encoded=encoded))
            elif not reported(field_errors, f"path.{name}"):
                field_errors.append(FieldError(f"path.{name}", f"missing: give it by keyword, {name}=…"))
        elif isinstance(written, Literal) or (operation is None and segment):
            filled.append(_parameter(written, str(written), field_errors))
        else:
            filled.append(segment)
    return "/" + "/".join(filled)


def _parameter(name: str, value: Any, field_errors: list[FieldError], *, encoded: bool = False) -> str:
    path = f"path.{name[:80]}"
    text = _text(value)
    if text is None or isinstance(value, (bool, float)):
        if not reported(field_errors, path):
            field_errors.append(FieldError(path, f"expected a string, got {_kind(value)}"))
    elif not text:
        field_errors.append(FieldError(path, "empty: the URL would have another path"))
    elif any(part in (".", "..") for part in re.split(r"[/\\]", unquote(text))):
        field_errors.append(FieldError(path, f"{text[:60]!r} leaves the path (. and .. are not allowed)"))
    elif len(text) > _LONGEST["path"]:
        field_errors.append(FieldError(path, f"{len(text)} characters are too long for a path"))
    elif encoded:
        if _ENCODED.match(text):
            return text
        field_errors.append(FieldError(path, f"{text[:60]!r} must be percent-encoded, as the service gave it"))
    else:
        return _quoted(text, path, field_errors)
    return ""


def query_of(given: Mapping[str, Any], field_errors: list[FieldError]) -> str:
    """The query ``?name=value&…``, or an empty string; the name of a list is repeated for each of its items."""
    pairs = []
    for name, value in given.items():
        path = f"query.{str(name)[:80]}"
        for item in value if isinstance(value, (list, tuple)) else (value,):
            text = _text(item)
            if text is not None:
                pairs.append(f"{_quoted(str(name), path, field_errors)}={_quoted(text, path, field_errors)}")
            elif not reported(field_errors, path):
                field_errors.append(FieldError(path, f"expected a string or a number, got {_kind(item)}"))
    query = "?" + "&".join(pairs) if pairs else ""
    if len(query) > _LONGEST["query"]:
        field_errors.append(FieldError("query", f"{len(query)} characters are too long for a URL"))
    return query


def headers_of(given: Mapping[str, Any], field_errors: list[FieldError]) -> dict[str, str]:
    """The headers; each value is one line, and of two names that differ only in case the later one is used."""
    headers: dict[str, tuple[str, str]] = {}
    for name, value in given.items():
        path = f"header.{str(name)[:80]}"
        text = _text(value)
        if not _HEADER_NAME.match(str(name)):
            field_errors.append(FieldError(f"header.{str(name)[:80]!r}", "is not a valid header name"))
        elif str(name).lower() in _FRAMING:
            field_errors.append(FieldError(path, "is set by the HTTP connection and cannot be set by a call"))
        # A line break in a value would let an attacker inject a header or a second request.
        elif text is None or not _HEADER_VALUE.match(text) or len(text) > _LONGEST["header"]:
            if not reported(field_errors, path):
                longest = _LONGEST["header"]
                field_errors.append(
                    FieldError(path, f"expected one line of ASCII text of at most {longest} characters")
                )
        else:
            headers[str(name).lower()] = str(name), text
    return dict(headers.values())


def reported(field_errors: list[FieldError], path: str) -> bool:
    """Whether an error at ``path`` or below it was reported already."""
    return any(error.path == path or error.path.startswith((f"{path}.", f"{path}[")) for error in field_errors)


def _text(value: Any) -> str | None:
    """A value as text in a path, a query or a header; None for a type that has no such form."""
    if isinstance(value, str):
        # A member of a string enumeration gives its value, not its name.
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value) if -_LARGEST < value < _LARGEST else None
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)
    return None


def _quoted(text: str, path: str, field_errors: list[FieldError]) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        if not reported(field_errors, path):
            field_errors.append(FieldError(path, "holds a lone surrogate, which is not a character"))
        return ""


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    name = type(value).__name__
    return f"{name} out of range" if isinstance(value, (int, float)) and _text(value) is None else name
