"""The body of a request: its fields encoded once, and where in them the fault is when they cannot be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.specs.model import Operation, Schema
from wxpay_dsl.core.specs.transform import rewrite

from .params import reported

__all__ = ["MAX_BODY", "body_of", "is_embedded"]

#: Bytes of a request's body; what is larger is a file, and goes by upload.
MAX_BODY: Final = 1024 * 1024
#: Deeper than this no request is; how deep an encoder could go depends on the interpreter.
_DEEPEST: Final = 100
#: Faults of one body that are searched for.
_MOST_FAULTS: Final = 20


def body_of(
    operation: Operation | None,
    data: Any,
    dialect: Dialect,
    field_errors: list[FieldError],
    embeds: Schema | None = None,
) -> bytes:
    """The bytes of ``data``; nothing, and what is wrong added to ``field_errors``, where it cannot be encoded.

    ``embeds``: the body's schema, where fields of it hold JSON as text.
    """
    try:
        if embeds is not None:
            data = rewrite(embeds, data, is_embedded, _embed, "body")
        body = dialect.encode(operation, data)
    except (TypeError, ValueError, RecursionError) as error:
        found = list(islice(_unencodable(data, "body", ()), _MOST_FAULTS)) or [FieldError("body", str(error))]
        field_errors += [fault for fault in found if not reported(field_errors, fault.path)]
        return b""
    if len(body) > MAX_BODY:
        field_errors.append(FieldError("body", f"{len(body)} bytes; at most {MAX_BODY} are sent (files go by upload)"))
    return body


def _unencodable(value: Any, path: str, outer: tuple[int, ...]) -> Iterator[FieldError]:
    """Where, in data that would not encode, the reason is; ``outer`` are the ids of what holds ``value``."""
    if id(value) in outer:
        yield FieldError(path[:200], "holds itself")
    elif len(outer) > _DEEPEST:
        yield FieldError(path[:200], f"nested more than {_DEEPEST} levels deep")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(name, str):
                yield from _unencodable(name, f"{path}.{name[:80]!a}", ())
                yield from _unencodable(item, f"{path}.{name}", (*outer, id(value)))
            else:
                yield FieldError(f"{path}.{name!r:.80}", "a field's name is text")
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _unencodable(item, f"{path}[{position}]", (*outer, id(value)))
    elif isinstance(value, float) and not math.isfinite(value):
        yield FieldError(path, f"{value} is no JSON number")
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield FieldError(path, "holds half a character (a lone surrogate)")
    elif isinstance(value, int):
        if abs(value) >= 10**4300:
            yield FieldError(path, "a number of more than 4300 digits")
    elif value is not None and not isinstance(value, float):
        yield FieldError(path, f"{type(value).__name__} is no JSON value")


def is_embedded(schema: Schema) -> bool:
    """Whether a field holds JSON as text."""
    return schema.media_type == "application/json" and schema.type == "string"


def _embed(schema: Schema, value: Any, path: str) -> Any:
    """A value for a field that holds JSON as text; text is taken for that JSON already."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return value
