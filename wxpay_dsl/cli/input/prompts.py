"""Prompts on a terminal for the required fields that a call lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import click

from wxpay_dsl.core.specs.model import ABSENT, SECTIONS, Operation, Schema
from wxpay_dsl.wechat.chains import AUTO_FIELDS

from .parameters import value_of

__all__ = ["ask", "is_interactive", "missing_fields"]

#: By a field's type, the Python type of its value and the message for other input; other types accept any text.
_KINDS: Final[dict[str, tuple[type | tuple[type, ...], str]]] = {
    "integer": (int, "a whole number, please 请输入整数"),
    "number": ((int, float), "a number, please 请输入数字"),
    "boolean": (bool, "true or false, please 请输入 true 或 false"),
    "object": (dict, "a JSON object, please 请输入 JSON 对象"),
}


def is_interactive() -> bool:
    """Whether standard input and standard error are a terminal, so that a prompt can be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def missing_fields(operation: Operation, given: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """``(dotted name, schema)`` of each required field that ``given`` lacks, in the order of the spec.

    A list, or an object without declared fields, is one field whose value is JSON.
    """
    auto_fields = AUTO_FIELDS[operation.dialect]
    for section in SECTIONS:
        schema = operation.section(section)
        for name, below in schema.properties.items() if schema is not None else ():
            if schema is not None and name in schema.required and name.lower() not in auto_fields:
                yield from _missing(name, below, given.get(name, ABSENT))


def _missing(path: str, schema: Schema, given: Any) -> Iterator[tuple[str, Schema]]:
    if given is ABSENT and not schema.properties:
        yield path, schema
        return
    inside: Any = {} if given is ABSENT else given
    for name, below in schema.properties.items() if isinstance(inside, Mapping) else ():
        if name in schema.required:
            yield from _missing(f"{path}.{name}", below, inside.get(name, ABSENT))


def ask(operation: Operation, given: Mapping[str, Any]) -> list[str]:
    """Prompts for each missing field and returns ``KEY=VALUE`` of each; a value of the wrong type is asked for again.

    Raises click.Abort at Ctrl-C or the end of the input.
    """
    answers = []
    for path, schema in missing_fields(operation, given):
        title = f"{path} {schema.title}".rstrip()
        hint = f" ({' | '.join(map(str, schema.enum))})" if schema.enum else ""
        if not hint and schema.example is not ABSENT and not isinstance(schema.example, (dict, list)):
            hint = f" (例 e.g. {schema.example})"
        elif schema.type in ("array", "object"):
            hint = " (JSON)"
        answer = click.prompt(
            f"{title}{hint}",
            err=True,
            hide_input=schema.encrypted,
            prompt_suffix=": ",
            value_proc=partial(_fit, schema),
        )
        answers.append(f"{path}={answer}")
    return answers


def _fit(schema: Schema, answer: str) -> str:
    """The stripped input. Raises UsageError if it is not of the field's type.

    Limits and enumerations are not checked: the published ones may be outdated.
    """
    given = answer.strip()
    kind, wanted = _KINDS.get(schema.type, (object, ""))
    if not isinstance(value_of(schema, given), kind):
        raise click.UsageError(wanted)
    return given
