"""Converts ``-p KEY=VALUE`` and ``-d`` from text to the values that an operation's spec expects."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from wxpay_dsl.core.chain.node import Target
from wxpay_dsl.core.specs.model import SECTIONS, Operation, Schema

__all__ = ["fields_of", "fields_within", "read_data", "value_of"]

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{0,18}\.[0-9]{1,18}\Z")
_BOOLEANS: Final = {"true": True, "false": False}


def read_data(given: str) -> Any:
    """The value of ``-d``: JSON text, ``@FILE``, or ``-`` for standard input.

    Raises UsageError if the file cannot be read, or the text is not JSON in UTF-8, or an object has a name twice.
    """
    if given == "-":
        name, raw = "standard input", sys.stdin.buffer.read()
    elif given.startswith("@"):
        name = given[1:]
        try:
            raw = Path(name).read_bytes()
        except OSError as error:
            raise click.UsageError(f"-d @{name}: {error.strerror}") from None
    else:
        name, raw = "-d", given.encode("utf-8", "surrogateescape")
    try:
        return json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{name} is not UTF-8, from byte {error.start} on") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise click.UsageError(f"{name} is not JSON: {error.msg} ({where})") from None
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{name} is not JSON: {error}") from None


def fields_of(
    target: Target, operation: Operation | None, given: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """``(fields, loose)``: the parameters that the spec or the path declares, and all others, which go into the data.

    A key with dots names a field of an object (``amount.total=1``); a repeated key adds to an array. Raises UsageError
    for text that is not ``KEY=VALUE``, a value that does not convert, or a repeated key of a field that is no array.
    """
    fields: dict[str, Any] = {}
    loose: dict[str, Any] = {}
    templates = {segment[1:-1] for segment in target.segments if segment.startswith("{")}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"-p takes KEY=VALUE, not {pair!r}")
        path, schema = ((key,), None) if operation is None else _find(operation, key)
        declared = schema is not None or key in templates
        _put(fields if declared else loose, path, _converted(schema, key, text), schema)
    return fields, loose


def fields_within(schema: Schema | None, given: Sequence[str]) -> dict[str, Any]:
    """``-p KEY=VALUE`` as the fields of one object; a key with dots names a field of an inner object.

    Raises UsageError for text that is not ``KEY=VALUE``, or a value that does not convert.
    """
    fields: dict[str, Any] = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"-p takes KEY=VALUE, not {pair!r}")
        path = (key,) if schema is not None and key in schema.properties else tuple(key.split("."))
        below = schema
        for name in path:
            below = below.properties.get(name) if below is not None else None
        _put(fields, path, _converted(below, key, text), below)
    return fields


def _find(operation: Operation, key: str) -> tuple[tuple[str, ...], Schema | None]:
    """``(path, schema)`` of the field that a key names; ``((key,), None)`` if the spec declares no such field."""
    for section in SECTIONS:
        schema = operation.section(section)
        if schema is None:
            continue
        if key in schema.properties:
            return (key,), schema.properties[key]
        path = key.split(".")
        below: Schema | None = schema
        for name in path:
            below = below.properties.get(name) if below is not None else None
        if below is not None:
            return tuple(path), below
    return (key,), None


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any, schema: Schema | None) -> None:
    *outer, last = path
    for name in outer:
        fields = fields.setdefault(name, {})
        if not isinstance(fields, dict):
            raise click.UsageError(f"-p {'.'.join(path)}: {name} is given both as a whole and by its fields")
    if last not in fields:
        fields[last] = value
    elif schema is not None and schema.type == "array" and isinstance(value, list) and isinstance(fields[last], list):
        fields[last] += value
    else:
        raise click.UsageError(f"-p {'.'.join(path)} is given twice")


def _converted(schema: Schema | None, key: str, text: str) -> Any:
    """The text of one ``-p`` as its field's type. Raises UsageError if an integer or boolean does not convert."""
    value = value_of(schema, text)
    if schema is not None and schema.type in ("integer", "boolean") and isinstance(value, str):
        hint = "; a value of another type is given as JSON, by -d" if schema.type == "integer" else ""
        raise click.UsageError(f"-p {key}: expected {schema.type}, got {text!r:.60}{hint}")
    return value


def value_of(schema: Schema | None, text: str) -> Any:
    """The text as a value of the schema's type; the text itself if it does not convert."""
    kind = "string" if schema is None else schema.type
    if schema is not None and schema.format == "binary":
        return text.removeprefix("@")  # a file name; curl writes it with @
    if kind == "integer" and _INTEGER.match(text):
        return int(text)
    if kind == "integer" and _DECIMAL.match(text):
        # Probably yuan instead of fen: the call refuses a float before anything is sent.
        return float(text)
    if kind == "boolean":
        return _BOOLEANS.get(text.lower(), text)
    if kind in ("number", "object", "any"):
        return _json(text)
    if kind == "array" and schema is not None:
        whole = _json(text)
        return whole if isinstance(whole, list) else [value_of(schema.items, text)]
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _unique(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    """A JSON object. Raises ValueError if a name is there twice: which value is meant cannot be known."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return unique


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
