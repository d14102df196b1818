"""Masks secrets in text that is logged or shown: signatures, tokens, and fields that specs declare as encrypted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from wxpay_dsl.core.errors import on_one_line
from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.core.specs.transform import rewrite

__all__ = ["MASK", "mask_fields", "redact_data", "redact_headers", "redact_text", "redact_unknown", "redact_url"]

#: Replaces a value that is not shown.
MASK: Final = "***"

#: Headers whose values are never shown: credentials, cookies and signatures.
_HEADERS: Final = re.compile(r"(?:proxy-)?authorization\Z|(?:set-)?cookie\Z|(?:.*-)?signature\Z")
#: Headers whose values begin with the name of a scheme, which is shown.
_SCHEMES: Final = frozenset({"authorization", "proxy-authorization"})
#: Last words of the names of fields and parameters whose values are never shown, whatever the specs say of them.
_SECRET_NAMES: Final = ("token", "secret", "password", "signature", "sign", "key", "download_url", "ciphertext")
_PARAMETER: Final = re.compile(r"([?&])([^=&#]+)=([^&#]*)")
#: The user and password of a URL within a text. A password may hold characters that should have been encoded.
_USER: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^\s/?#'\"]*@")
#: Characters of data that are shown.
_SHOWN: Final = 4096


def _names_pattern(names: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:.*[_-])?(?:{'|'.join(map(re.escape, names))})\Z", re.IGNORECASE)


class _SecretNames:
    """The names in use: :data:`_SECRET_NAMES`, and those that vocabularies have added."""

    def __init__(self) -> None:
        self._names: dict[str, None] = dict.fromkeys(_SECRET_NAMES)
        self.pattern = _names_pattern(self._names)

    def add(self, names: Iterable[str]) -> None:
        fresh = {**self._names, **dict.fromkeys(names)}
        if len(fresh) > len(self._names):
            self._names, self.pattern = fresh, _names_pattern(fresh)


_secret: Final = _SecretNames()


def mask_fields(names: Iterable[str]) -> None:
    """Masks the values of fields and parameters of these names too, from now on and in the whole process.

    For the names of one API: ``mask_fields(["pin"])`` masks ``pin`` and ``card_pin``. Names can only be added.
    """
    _secret.add(names)


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with credentials, cookies and signatures masked; the scheme of ``Authorization`` is kept."""
    return {name: _masked_header(name.lower(), value) for name, value in headers.items()}


def _masked_header(name: str, value: str) -> str:
    if not _HEADERS.match(name):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {MASK}" if name in _SCHEMES and space else MASK


def redact_url(url: str, *, declared: bool = True) -> str:
    """The URL with the values of secret parameters masked; of all parameters unless its path is ``declared``."""
    return _PARAMETER.sub(
        lambda found: f"{found[1]}{found[2]}={MASK}" if not declared or _secret.pattern.match(found[2]) else found[0],
        url,
    )


def redact_text(text: str) -> str:
    """A text of another library, with users and passwords of URLs and the values of secret URL parameters masked."""
    return redact_url(_USER.sub(rf"\1{MASK}@", text))


def redact_data(schema: Schema | None, data: Any) -> str:
    """Data as JSON, at most 4096 characters, with the schema's encrypted fields and secret names masked at any depth.

    Bytes are shown by their length, what JSON cannot say by its type.
    """
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
    # JSON leaves some characters unescaped that a reader of logs may take for the end of a line.
    return on_one_line(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)")


def redact_unknown(data: Any) -> str:
    """Data without a schema as JSON: the names of its fields, with every value masked."""
    if data is None or isinstance(data, (bytes, bytearray)):
        return redact_data(None, data)
    try:
        return redact_data(None, _mask_values(data))
    except RecursionError:
        return f"<{type(data).__name__}>"


def _mask_values(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {name: _mask_values(value) for name, value in data.items()}
    return [_mask_values(item) for item in data] if isinstance(data, (list, tuple)) else MASK


def _masked(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {
            name: MASK if isinstance(value, str) and value and _secret.pattern.match(str(name)) else _masked(value)
            for name, value in data.items()
        }
    return [_masked(item) for item in data] if isinstance(data, (list, tuple)) else data
