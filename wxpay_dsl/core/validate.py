"""Checks data against a :class:`~wxpay_dsl.core.model.Schema` before it is sent, by closures compiled once a schema.

A missing field, a wrong type and an unknown name are errors; a value outside ``enum``, length, limits or pattern is
a warning, since published facts age and a valid payment must not be blocked. All faults are found at once, each with
its path.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from .derived import derived
from .errors import Fault
from .model import Schema
from .patterns import matcher

__all__ = ["Findings", "check", "checker"]

#: What a check finds: None, or ``(path below, message, whether it is an error)`` of each fault.
Findings = list[tuple[str, str, bool]] | None
Check = Callable[[Any], Findings]

#: How much of a wrong value a message shows.
_SHOWN: Final = 60
_NAMES: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    bytes: "bytes",
}


def check(schema: Schema, value: Any, path: str) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """``(errors, warnings)`` of ``value``, each with its whole path, which begins with ``path``."""
    found = checker(schema)(value)
    if not found:
        return (), ()
    errors = tuple(Fault(path + below, message) for below, message, severe in found if severe)
    warnings = tuple(Fault(path + below, message) for below, message, severe in found if not severe)
    return errors, warnings


@derived
def checker(schema: Schema) -> Check:
    """The compiled check of a schema; it gives None for a value without fault."""
    kind = schema.type
    if kind == "any":
        return _anything
    if kind == "object":
        made = _object(schema)
    elif kind == "array":
        made = _array(schema)
    elif kind == "string" and schema.media_type == "application/json":
        made = _embedded(schema)
    else:
        made = _scalar(schema)
    return _nullable(made) if schema.nullable else made


def _anything(value: Any) -> Findings:
    return None


def _nullable(inner: Check) -> Check:
    def check(value: Any) -> Findings:
        return None if value is None else inner(value)

    return check


def _object(schema: Schema) -> Check:
    fields = {name: checker(below) for name, below in schema.properties.items()}
    get = fields.get
    quick = {name: good for name, below in schema.properties.items() if (good := _quick(below)) is not None}.get
    required = schema.required
    additional = None if schema.additional is None else checker(schema.additional)

    def check(value: Any) -> Findings:
        if type(value) is not dict and not isinstance(value, Mapping):
            return [("", _wrong("object", value, schema), True)]
        found: Findings = None
        for name, item in value.items():
            good = quick(name)
            if good is not None and type(item) is good[0]:
                _, least, most, allowed = good
                if (not most or least <= len(item) <= most) and (allowed is None or item in allowed):
                    continue
            inner = get(name, additional)
            if inner is None:
                found = found or []
                found.append(("." + str(name)[:_SHOWN], f"no such field{_nearest(name, fields)}", True))
                continue
            below = inner(item)
            if below:
                found = found or []
                found += [(f".{name}{path}", message, severe) for path, message, severe in below]
        if not required <= value.keys():
            found = found or []
            for name in schema.properties:
                if name in required and name not in value:
                    title = schema.properties[name].title
                    found.append(("." + name, "missing" + (f" ({title})" if title else ""), True))
        return found

    return check


def _array(schema: Schema) -> Check:
    inner = _anything if schema.items is None else checker(schema.items)
    least, most = schema.min_items, schema.max_items

    def check(value: Any) -> Findings:
        if not isinstance(value, (list, tuple)):
            return [("", _wrong("array", value, schema), True)]
        found: Findings = None
        for position, item in enumerate(value):
            below = inner(item)
            if below:
                found = found or []
                found += [(f"[{position}]{path}", message, severe) for path, message, severe in below]
        if least is not None and len(value) < least:
            found = [*(found or ()), ("", f"at least {least} items, got {len(value)}", False)]
        if most is not None and len(value) > most:
            found = [*(found or ()), ("", f"at most {most} items, got {len(value)}", False)]
        return found

    return check


def _embedded(schema: Schema) -> Check:
    """A string that holds JSON: given as that string, or as the value to be written into it."""
    plain = _scalar(schema)

    def check(value: Any) -> Findings:
        return None if isinstance(value, (dict, list)) else plain(value)

    return check


def _scalar(schema: Schema) -> Check:
    kind = schema.type
    limits = _limits(schema)
    # `bool` is an `int` to Python, and never one on the wire.
    kinds: dict[str, tuple[type, tuple[type, ...]]] = {
        "string": (str, (str,)),
        "integer": (int, (int,)),
        "number": (float, (int, float)),
        "boolean": (bool, (bool,)),
    }
    exact, wide = kinds[kind]

    def check(value: Any) -> Findings:
        if type(value) is not exact and not (
            isinstance(value, wide) and (kind == "boolean" or not isinstance(value, bool))
        ):
            return [("", _wrong(kind, value, schema), True)]
        if kind == "number" and isinstance(value, float) and not math.isfinite(value):
            return [("", f"expected a finite number, got {value}", True)]
        return limits(value) if limits is not None else None

    return check


def _quick(schema: Schema) -> tuple[type[Any], int, int, frozenset[Any] | None] | None:
    """The type, of text the lengths, and the enumeration, by which most values are good without calling anything.

    Whatever is not good by it is looked at closely. Six fields take 1 µs so, and 5 µs by their lists of limits.
    """
    limits = schema.pattern, schema.media_type, schema.minimum is not None, schema.maximum is not None
    if any(limits) or schema.max_length == 0:
        return None
    allowed = frozenset(schema.enum) if schema.enum else None
    if schema.type == "string":
        # Of an encrypted value the length is not looked at.
        least, most = (0, None) if schema.encrypted else (schema.min_length or 0, schema.max_length)
        return str, least, sys.maxsize if most is None else most, allowed
    kind = {"integer": int, "boolean": bool}.get(schema.type)
    return None if kind is None else (kind, 0, 0, allowed)


def _limits(schema: Schema) -> Check | None:
    """Everything about a scalar that is only warned of."""
    checks: list[tuple[Callable[[Any], bool], str]] = []
    if schema.enum:
        allowed = schema.enum
        words = ", ".join(map(str, allowed[:12])) + (" …" if len(allowed) > 12 else "")
        checks.append((lambda value: value in allowed, f"expected one of {words}"))
    # Encrypted fields are measured in what they will be on the wire, which is not known yet.
    if schema.type == "string" and not schema.encrypted:
        least, most = schema.min_length, schema.max_length
        if least is not None:
            checks.append((lambda value: len(value) >= least, f"expected at least {least} characters"))
        if most is not None:
            checks.append((lambda value: len(value) <= most, f"expected at most {most} characters"))
        if schema.pattern:
            checks.append((matcher(schema.pattern), f"expected to match {schema.pattern}"))
    minimum, maximum = schema.minimum, schema.maximum
    if minimum is not None:
        checks.append((lambda value: value >= minimum, f"expected at least {minimum}"))
    if maximum is not None:
        checks.append((lambda value: value <= maximum, f"expected at most {maximum}"))
    if not checks:
        return None

    def check(value: Any) -> Findings:
        found = [("", f"{message}, got {_show(value, schema)}", False) for holds, message in checks if not holds(value)]
        return found or None

    return check


def _wrong(expected: str, value: Any, schema: Schema) -> str:
    hint = ""
    if value is None:
        hint = " (leave an optional field out)"
    elif expected == "string" and type(value) is bytes:
        hint = " (decode it)"
    elif expected == "integer" and type(value) is float:
        hint = " (money is whole fen)"
    return f"expected {expected}, got {_show(value, schema)}{hint}"


def _show(value: Any, schema: Schema) -> str:
    if value is None:
        return "null"
    name = _NAMES.get(type(value), type(value).__name__)
    if schema.encrypted:
        return f"{name} (a sensitive value, not shown)"
    if isinstance(value, (Mapping, list, tuple)):
        return "object" if isinstance(value, Mapping) else f"array of {len(value)}"
    try:
        shown = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return f"{name} out of range"
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}… ({len(value)} long)" if isinstance(value, (str, bytes)) else shown[:_SHOWN] + "…"
    return shown if isinstance(value, (str, int, float)) else f"{name} {shown}"


def _nearest(name: Any, fields: Mapping[str, Check]) -> str:
    close = get_close_matches(str(name)[:_SHOWN], fields, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
