"""What of a request and an answer may be shown: everything but signatures, tokens, and what specs call sensitive."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from .errors import on_one_line
from .model import Schema
from .rewrite import rewrite

__all__ = ["MASK", "redact_data", "redact_headers", "redact_text", "redact_unknown", "redact_url"]

#: What stands in the place of a value that is not shown.
MASK: Final = "***"

#: Headers whose values are never shown: what proves an identity, and signatures.
_HEADERS: Final = re.compile(r"(?:proxy-)?authorization\Z|(?:set-)?cookie\Z|(?:.*-)?signature\Z")
#: Those whose values begin with the name of a scheme, which is shown.
_SCHEMES: Final = frozenset({"authorization", "proxy-authorization"})
#: Fields and parameters whose values open something, whatever the specs say of them.
_NAMES: Final = re.compile(
    r"(?:.*[_-])?(?:token|secret|password|signature|sign|key|code_url|download_url|ciphertext|auth_code)\Z",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(r"([?&])([^=&#]+)=([^&#]*)")
#: The user and password of a URL, wherever it stands in a text. A password may hold what ought to be encoded.
_USER: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^\s/?#'\"]*@")
#: Characters of data that are shown.
_SHOWN: Final = 4096


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, without what proves an identity and signatures; of ``Authorization`` its scheme stays."""
    return {name: _masked_header(name.lower(), value) for name, value in headers.items()}


def _masked_header(name: str, value: str) -> str:
    if not _HEADERS.match(name):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {MASK}" if name in _SCHEMES and space else MASK


def redact_url(url: str, *, declared: bool = True) -> str:
    """The URL, without the values of parameters that are tokens; of an undeclared path without any."""
    return _PARAMETER.sub(
        lambda found: f"{found[1]}{found[2]}={MASK}" if not declared or _NAMES.match(found[2]) else found[0],
        url,
    )


def redact_text(text: str) -> str:
    """What another library says, without the user and password of a URL in it, and without values of tokens."""
    return redact_url(_USER.sub(rf"\1{MASK}@", text))


def redact_data(schema: Schema | None, data: Any) -> str:
    """Data as JSON, without what its schema calls encrypted, and without tokens, at any depth; cut where it is long."""
    if data is None:
        return ""
    if isinstance(data, (bytes, bytearray)):
        return f"<{len(data)} bytes>"
    if schema is not None:
        data = rewrite(schema, data, lambda below: below.encrypted, lambda *_: MASK, "")
    try:
        text = json.dumps(_masked(data), ensure_ascii=False, separators=(",", ":"), default=lambda value: f"<{value}>")
    except (TypeError, ValueError, RecursionError):
        return f"<{type(data).__name__}>"
    # What JSON leaves as it is and a log's reader may take for the end of a line.
    return on_one_line(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)")


def redact_unknown(data: Any) -> str:
    """Data of which no schema says what is sensitive, as JSON: its names, and none of its values."""
    if data is None or isinstance(data, (bytes, bytearray)):
        return redact_data(None, data)
    try:
        return redact_data(None, _nameless(data))
    except RecursionError:
        return f"<{type(data).__name__}>"


def _nameless(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {name: _nameless(value) for name, value in data.items()}
    return [_nameless(item) for item in data] if isinstance(data, (list, tuple)) else MASK


def _masked(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {
            name: MASK if isinstance(value, str) and value and _NAMES.match(str(name)) else _masked(value)
            for name, value in data.items()
        }
    return [_masked(item) for item in data] if isinstance(data, (list, tuple)) else data
