"""``-p KEY=VALUE``: text from the command line, as the values that the spec asks for."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from wxpay_dsl.core.chain import Target
from wxpay_dsl.core.model import SECTIONS, Operation, Schema

__all__ = ["fields_of", "fields_within", "read_data", "value_of"]

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{0,18}\.[0-9]{1,18}\Z")
_BOOLEANS: Final = {"true": True, "false": False}


def read_data(given: str) -> Any:
    """The value of ``-d``: JSON, ``@FILE``, or ``-`` for standard input. Raises UsageError."""
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
    """``(fields, loose)``: what the spec or the path knows by name, and everything else, which goes into the data.

    A key may reach into an object (``amount.total=1``), and one that is given again adds to an array. Raises
    UsageError for what is not ``KEY=VALUE``, or given twice.
    """
    fields: dict[str, Any] = {}
    loose: dict[str, Any] = {}
    templates = {segment[1:-1] for segment in target.segments if segment.startswith("{")}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"-p takes KEY=VALUE, not {pair!r}")
        path, schema = ((key,), None) if operation is None else _find(operation, key)
        known = schema is not None or key in templates
        _put(fields if known else loose, path, value_of(schema, text), schema)
    return fields, loose


def fields_within(schema: Schema | None, given: Sequence[str]) -> dict[str, Any]:
    """``-p KEY=VALUE`` as the fields of one object; a key may reach into an object. Raises UsageError."""
    fields: dict[str, Any] = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"-p takes KEY=VALUE, not {pair!r}")
        path = (key,) if schema is not None and key in schema.properties else tuple(key.split("."))
        found = schema
        for name in path:
            found = found.properties.get(name) if found is not None else None
        _put(fields, path, value_of(found, text), found)
    return fields


def _find(operation: Operation, key: str) -> tuple[tuple[str, ...], Schema | None]:
    """Where the spec has this key, and what it says of it."""
    for section in SECTIONS:
        schema = operation.section(section)
        if schema is None:
            continue
        if key in schema.properties:
            return (key,), schema.properties[key]
        path = key.split(".")
        found: Schema | None = schema
        for name in path:
            found = found.properties.get(name) if found is not None else None
        if found is not None:
            return tuple(path), found
    return (key,), None


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any, schema: Schema | None) -> None:
    *outer, last = path
    for name in outer:
        fields = fields.setdefault(name, {})
        if not isinstance(fields, dict):
            raise click.UsageError(f"-p {'.'.join(path)}: {name} is given whole and in part")
    if last not in fields:
        fields[last] = value
    elif schema is not None and schema.type == "array" and isinstance(value, list) and isinstance(fields[last], list):
        fields[last] += value
    else:
        raise click.UsageError(f"-p {'.'.join(path)} is given twice")


def value_of(schema: Schema | None, text: str) -> Any:
    """The text as the schema's type. What does not convert stays text: validation says what is wrong with it."""
    kind = "string" if schema is None else schema.type
    if schema is not None and schema.format == "binary":
        return text.removeprefix("@")  # the name of a file, as curl writes it too
    if kind == "integer" and _INTEGER.match(text):
        return int(text)
    if kind == "integer" and _DECIMAL.match(text):
        # Yuan where fen belong: as a fraction it is refused before anything is sent.
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
    """An object, if no name stands in it twice: which of two amounts is meant nobody can know."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
