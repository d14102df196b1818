"""The body of a request: encodes its fields once, and locates the field that cannot be encoded."""

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

#: The most bytes of a request's body; larger content is a file, which is uploaded.
MAX_BODY: Final = 1024 * 1024
#: The deepest nesting that is searched; the limit of the encoder depends on the interpreter.
_DEEPEST: Final = 100
#: The most errors that are searched for in one body.
_MOST_ERRORS: Final = 20


def body_of(
    operation: Operation | None,
    data: Any,
    dialect: Dialect,
    field_errors: list[FieldError],
    embedded: Schema | None = None,
) -> bytes:
    """The encoded bytes of ``data``; empty, with the reasons added to ``field_errors``, if it cannot be encoded.

    ``embedded``: the body's schema, if fields of it hold JSON as text.
    """
    try:
        if embedded is not None:
            data = rewrite(embedded, data, is_embedded, _embed, "body")
        body = dialect.encode(operation, data)
    except (TypeError, ValueError, RecursionError) as error:
        found = list(islice(_unencodable(data, "body", ()), _MOST_ERRORS)) or [FieldError("body", str(error))]
        field_errors += [error for error in found if not reported(field_errors, error.path)]
        return b""
    if len(body) > MAX_BODY:
        field_errors.append(
            FieldError("body", f"{len(body)} bytes; at most {MAX_BODY} are sent (upload more as a file)")
        )
    return body


def _unencodable(value: Any, path: str, outer: tuple[int, ...]) -> Iterator[FieldError]:
    """The places in ``value`` that JSON cannot represent; ``outer`` are the ids of the containers around it."""
    if id(value) in outer:
        yield FieldError(path[:200], "contains itself")
    elif len(outer) > _DEEPEST:
        yield FieldError(path[:200], f"nested more than {_DEEPEST} levels deep")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(name, str):
                yield from _unencodable(name, f"{path}.{name[:80]!a}", ())
                yield from _unencodable(item, f"{path}.{name}", (*outer, id(value)))
            else:
                yield FieldError(f"{path}.{name!r:.80}", "a field name must be a string")
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _unencodable(item, f"{path}[{position}]", (*outer, id(value)))
    elif isinstance(value, float) and not math.isfinite(value):
        yield FieldError(path, f"{value} is not a JSON number")
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield FieldError(path, "holds a lone surrogate, which is not a character")
    elif isinstance(value, int):
        if abs(value) >= 10**4300:
            yield FieldError(path, "a number of more than 4300 digits")
    elif value is not None and not isinstance(value, float):
        yield FieldError(path, f"{type(value).__name__} is not a JSON value")


def is_embedded(schema: Schema) -> bool:
    """Whether a field holds JSON as text."""
    return schema.media_type == "application/json" and schema.type == "string"


def _embed(schema: Schema, value: Any, path: str) -> Any:
    """Encodes a dict or list for a field that holds JSON as text; text is passed through as it is."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return value
