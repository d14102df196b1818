"""Example values made from a spec: its own examples, or else values that fit the types and the names of the fields.

A response repeats the request's fields of the same name.
"""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from wxpay_dsl.core.request.mismatch import SHAPES
from wxpay_dsl.core.request.validate import check
from wxpay_dsl.core.specs.model import ABSENT, Schema

__all__ = ["example", "example_response"]

_TIMESTAMP: Final = "2026-01-02T15:04:05+08:00"
_FORMATS: Final = {
    "date": "2026-01-02",
    "date-time": _TIMESTAMP,
    "time": "15:04:05",
    "uri": "https://pay.weixin.qq.com/sandbox/example",
    "url": "https://pay.weixin.qq.com/sandbox/example",
    "ipv4": "127.0.0.1",
    "email": "someone@example.com",
}
#: Values of string fields without an example, by a part of their name.
_NAMES: Final = (
    ("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
    ("appid", "wx8888888888888888"),
    ("mchid", "1900000109"),
    ("mch_id", "1900000109"),
    ("_url", "https://pay.weixin.qq.com/sandbox/example"),
    ("_time", _TIMESTAMP),
    ("_date", "2026-01-02"),
    ("currency", "CNY"),
)
#: Times without separators, and plain numbers, for fields that have a pattern and no example.
_DIGITS: Final = ("20260102150405", "20260102", "150405", "1504", "100", "1")
_LETTERS: Final = string.ascii_letters + string.digits

_examples: WeakKeyDictionary[Schema, Any] = WeakKeyDictionary()


def example_response(schema: Schema | None, given: Mapping[str, Any]) -> Any:
    """The example of ``schema``; a field that ``given`` (the request's fields) has too takes its value from there."""
    if schema is None:
        return None
    return _with_given(schema, example(schema), given)


def example(schema: Schema, name: str = "") -> Any:
    """One value that fits ``schema``, cached: callers must not modify it."""
    value = _examples.get(schema, ABSENT)
    if value is ABSENT:
        value = _examples[schema] = _example(schema, name)
    return value


def _example(schema: Schema, name: str) -> Any:
    for candidate in (schema.example, *schema.enum[:1], schema.default):
        if candidate is not ABSENT:
            value = _converted(schema, candidate)
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


def _converted(schema: Schema, value: Any) -> Any:
    """``value`` converted to the type of its field: published examples are often text."""
    if schema.type == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if schema.type == "integer" and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if schema.type == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


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
        # Ids and tokens: the field's name and a suffix.
        text = f"{name or 'value'}_{_LETTERS[:16]}"
    least, most = schema.min_length or 0, schema.max_length
    if most is not None and len(text) > most:
        text = text[-most:] if most else ""
    return text.ljust(least, "0")


def _with_given(schema: Schema, made: Any, given: Any) -> Any:
    if not isinstance(made, dict) or not isinstance(given, Mapping):
        return made
    result = dict(made)
    for name, field in schema.properties.items():
        if name not in given or field.encrypted:
            continue
        value = given[name]
        if field.type == "object":
            result[name] = _with_given(field, made.get(name), value)
        elif _fits(field, value):
            result[name] = value
    return result
