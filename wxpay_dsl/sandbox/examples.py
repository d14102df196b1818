"""Answers made from a spec alone: its examples, and where there are none values that its types and names suggest.

What a request says comes back in the answer under the same name, so that an answer fits its question.
"""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from wxpay_dsl.core.mismatch import SHAPES
from wxpay_dsl.core.model import ABSENT, Schema
from wxpay_dsl.core.validate import check

__all__ = ["answer", "example"]

_MOMENT: Final = "2026-01-02T15:04:05+08:00"
_FORMATS: Final = {
    "date": "2026-01-02",
    "date-time": _MOMENT,
    "time": "15:04:05",
    "uri": "https://pay.weixin.qq.com/sandbox/example",
    "url": "https://pay.weixin.qq.com/sandbox/example",
    "ipv4": "127.0.0.1",
    "email": "someone@example.com",
}
#: Parts of names that tell what a string holds where its spec does not.
_NAMES: Final = (
    ("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
    ("appid", "wx8888888888888888"),
    ("mchid", "1900000109"),
    ("mch_id", "1900000109"),
    ("_url", "https://pay.weixin.qq.com/sandbox/example"),
    ("_time", _MOMENT),
    ("_date", "2026-01-02"),
    ("currency", "CNY"),
)
#: Times without separators, and plain numbers, for fields that have a pattern and no example.
_DIGITS: Final = ("20260102150405", "20260102", "150405", "1504", "100", "1")
_LETTERS: Final = string.ascii_letters + string.digits

_made: WeakKeyDictionary[Schema, Any] = WeakKeyDictionary()


def answer(schema: Schema | None, given: Mapping[str, Any]) -> Any:
    """The example of ``schema``, with ``given`` (a request's fields) in the place of what has the same name."""
    if schema is None:
        return None
    return _echoed(schema, example(schema), given)


def example(schema: Schema, name: str = "") -> Any:
    """One value that fits ``schema``. Callers must not change what they get."""
    found = _made.get(schema, ABSENT)
    if found is ABSENT:
        found = _made[schema] = _example(schema, name)
    return found


def _example(schema: Schema, name: str) -> Any:
    for told in (schema.example, *schema.enum[:1], schema.default):
        if told is not ABSENT:
            value = _converted(schema, told)
            if _fits(schema, value):
                return value
    if schema.type == "object":
        return {below: example(inner, below) for below, inner in schema.properties.items()}
    if schema.type == "array":
        item = example(schema.items, name) if schema.items is not None else ""
        return [item] * max(1, schema.min_items or 0)
    if schema.type in ("integer", "number"):
        return int(max(schema.minimum if schema.minimum is not None else 1, 1 if schema.maximum is None else 0))
    if schema.type == "boolean":
        return True
    return _text(schema, name)


def _fits(schema: Schema, value: Any) -> bool:
    return not any(mismatch.kind in SHAPES for mismatch in check(schema, value, ""))


def _converted(schema: Schema, told: Any) -> Any:
    """An example as the type that its field has: published ones are often text."""
    if schema.type == "string" and isinstance(told, (int, float)) and not isinstance(told, bool):
        return str(told)
    if schema.type == "integer" and isinstance(told, str) and told.lstrip("-").isdigit():
        return int(told)
    if schema.type == "boolean" and told in ("true", "false"):
        return told == "true"
    return told


def _text(schema: Schema, name: str) -> str:
    if schema.media_type == "application/json":
        return "{}"
    text = _FORMATS.get(schema.format, "")
    if not text:
        lowered = name.lower()
        text = next((value for part, value in _NAMES if part in lowered), "")
    if schema.encoding == "base64" or schema.format == "binary":
        text = base64.b64encode(b"wxpay-dsl sandbox").decode()
    if schema.pattern and not re.search(schema.pattern, text):
        text = next((digits for digits in _DIGITS if re.search(schema.pattern, digits)), text)
    if not text:
        # Ids and tokens: a name that says what it is, and enough behind it to look like one.
        text = f"{name or 'value'}_{_LETTERS[:16]}"
    least, most = schema.min_length or 0, schema.max_length
    if most is not None and len(text) > most:
        text = text[-most:] if most else ""
    return text.ljust(least, "0")


def _echoed(schema: Schema, made: Any, given: Any) -> Any:
    if not isinstance(made, dict) or not isinstance(given, Mapping):
        return made
    result = dict(made)
    for name, field in schema.properties.items():
        if name not in given or field.encrypted:
            continue
        value = given[name]
        if field.type == "object":
            result[name] = _echoed(field, made.get(name), value)
        elif _fits(field, value):
            result[name] = value
    return result
