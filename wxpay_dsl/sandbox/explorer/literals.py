"""Values as source code of Python and of JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from wxpay_dsl.core.specs.model import Schema

__all__ = ["IDENTIFIER", "JAVASCRIPT", "PYTHON", "Style", "literal"]

#: A property name that JavaScript accepts without quotes.
IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")


def literal(value: Any, style: Style, schema: Schema | None = None, depth: int = 0) -> str:
    """``value`` as source code; long objects and arrays take several lines."""
    words, name_of, encrypts = style
    if isinstance(value, str):
        text = _quoted(value)
        return f"encrypt({text})" if encrypts and schema is not None and schema.encrypted else text
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, Mapping):
        properties = schema.properties if schema is not None else {}
        items = [
            f"{name_of(str(name))}: {literal(item, style, properties.get(name), depth + 1)}"
            for name, item in value.items()
        ]
        return _bracketed("{", items, "}", depth)
    if isinstance(value, list):
        inner = schema.items if schema is not None else None
        return _bracketed("[", [literal(item, style, inner, depth + 1) for item in value], "]", depth)
    return repr(value)


def _bracketed(opening: str, items: list[str], closing: str, depth: int) -> str:
    line = ", ".join(items)
    if len(line) + 4 * depth < 70 and "\n" not in line:
        return f"{opening}{line}{closing}"
    pad = "    " * (depth + 1)
    return "\n".join([opening, *(f"{pad}{item}," for item in items), "    " * depth + closing])


def _quoted(text: str) -> str:
    """A string in double quotes, valid in both languages."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + re.sub(r"[\x00-\x1f\x7f\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", escaped) + '"'


#: How a language writes true, false and null, the name of a field, and whether the code calls ``encrypt``.
Style = tuple[Mapping[Any, str], Callable[[str], str], bool]
PYTHON: Final[Style] = ({True: "True", False: "False", None: "None"}, _quoted, False)
JAVASCRIPT: Final[Style] = (
    {True: "true", False: "false", None: "null"},
    lambda name: name if IDENTIFIER.match(name) else _quoted(name),
    True,
)
