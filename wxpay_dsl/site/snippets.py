"""Renders Python examples: a program that calls an operation with the examples of its spec, or a handler."""

from __future__ import annotations

import json
import keyword
from collections.abc import Callable, Iterator
from pprint import pformat
from textwrap import wrap
from typing import Any, Final

from wxpay_dsl.core.chain.describe import dotted
from wxpay_dsl.core.specs.model import Event, Operation, Schema
from wxpay_dsl.core.specs.transform import fields_of, names_of
from wxpay_dsl.wechat.chains import AUTO_FIELDS
from wxpay_dsl.wechat.v2.environments import SANDBOXES

__all__ = ["Example", "call_snippet", "event_snippet"]

#: Creates an example value for a schema and the name of its field; the sandbox responds with the same values.
Example = Callable[[Schema, str], Any]

_WIDTH: Final = 96
_FILE: Final = "image.png"

_PROGRAM: Final = """\
import asyncio

from wxpay_dsl import Wechatpay


async def main() -> None:
    async with Wechatpay(profile="wxpay.toml"{options}) as wxpay:
{call}


asyncio.run(main())
"""

_HANDLER: Final = """\
from wxpay_dsl import Notifications

notifications = Notifications({client})


@notifications.on({name})
async def handle(event) -> None:
    print({field})
"""


def call_snippet(operation: Operation, example: Example) -> str:
    """A program that calls ``operation`` with the required arguments, and prints the first field of the response.

    A comment names the optional arguments.
    """
    lines = [f"response = await wxpay.{dotted(operation)}("]
    for name, value in _arguments(operation, example):
        text = value if name == "file" and value == f'"{_FILE}"' else _literal(value)
        lines.append(f"    {_keyword(name, text)},".replace("\n", "\n    "))
    optional = ", ".join(_optional(operation))
    if optional:
        lines += [f"    # {line}" for line in wrap(f"可选 optional: {optional}", _WIDTH - 20)]
    lines = [lines[0] + ")"] if len(lines) == 1 else [*lines, ")"]
    lines.append(_shown(operation))
    call = "\n".join(f"        {line}".rstrip() for line in "\n".join(lines).split("\n"))
    options = next((f', v2_sandbox="{name}"' for name in SANDBOXES if name in operation.chain), "")
    return _PROGRAM.format(call=call, options=options)


def event_snippet(event: Event) -> str:
    """A handler for ``event``."""
    schema = event.resource or event.body
    name = next(iter(schema.properties), None) if schema is not None else None
    field = f"event.resource[{_quoted(name)}]" if name is not None else "event.resource"
    return _HANDLER.format(name=_quoted(event.name), client="wxpay", field=field)


def _arguments(operation: Operation, example: Example) -> Iterator[tuple[str, Any]]:
    auto_fields, role = AUTO_FIELDS[operation.dialect], _role(operation)
    for section in ("path", "query", "header", "body", "form"):
        schema = operation.section(section)
        if schema is None:
            continue
        for name in names_of(schema, role, whole=False):
            below = schema.properties[name]
            if name.lower() in auto_fields:
                continue
            if section == "form" and below.format == "binary":
                yield _spelled(name), _FILE
            elif not (section == "form" and below.media_type):
                argument = name.lower().replace("-", "_") if section == "header" else name
                yield _spelled(argument), fields_of(below, example(below, name), role, whole=False)


def _optional(operation: Operation) -> Iterator[str]:
    """The names of the optional arguments."""
    auto_fields, role = AUTO_FIELDS[operation.dialect], _role(operation)
    for section in ("path", "query", "header", "body", "form"):
        schema = operation.section(section)
        required = names_of(schema, role, whole=False) if schema is not None else ()
        for name in names_of(schema, role, whole=True) if schema is not None else ():
            if name not in required and name.lower() not in auto_fields:
                yield _spelled(name.lower().replace("-", "_") if section == "header" else name)


def _role(operation: Operation) -> str:
    """The role of the example: the first of the operation."""
    return operation.roles[0] if operation.roles else ""


def _spelled(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def _keyword(name: str, value: str) -> str:
    """An argument of a call; a name that is not an identifier is passed in a mapping."""
    return f"{name}={value}" if name.isidentifier() else f"**{{{_quoted(name)}: {value}}}"


def _quoted(name: str) -> str:
    """A name as a Python string literal on one line; JSON strings are Python literals."""
    return json.dumps(name, ensure_ascii=not name.isprintable())


def _literal(value: Any) -> str:
    text = pformat(value, width=_WIDTH - 20, sort_dicts=False)
    # Double quotes, as formatters use, unless the text contains some.
    return text.replace("'", '"') if '"' not in text and "\\" not in text else text


def _shown(operation: Operation) -> str:
    if operation.produces and operation.status < 300:
        return "print(len(response.data))"
    if operation.returns is None or not operation.returns.properties:
        return "print(response.status)"
    first = next((name for name in operation.returns.properties if name in operation.returns.required), None)
    return f"print(response.data[{_quoted(first)}])" if first is not None else "print(response.data)"
