"""Asks on a terminal for the required fields that a call lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from wxpay_dsl.core.model import ABSENT, SECTIONS, Operation, Schema
from wxpay_dsl.wechat.families import SUPPLIED

__all__ = ["ask", "lacking", "may_ask"]


def may_ask() -> bool:
    """Whether somebody is there to answer: never in a pipe or a script's redirection."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def lacking(operation: Operation, given: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """Every required field that ``given`` does not have, by its dotted name, in the order of the spec.

    A list or an object without named fields is one answer, as JSON.
    """
    supplied = SUPPLIED[operation.family]
    for section in SECTIONS:
        schema = operation.section(section)
        for name, below in schema.properties.items() if schema is not None else ():
            if schema is not None and name in schema.required and name.lower() not in supplied:
                yield from _lacking(name, below, given.get(name, ABSENT))


def _lacking(path: str, schema: Schema, given: Any) -> Iterator[tuple[str, Schema]]:
    if given is ABSENT and not schema.properties:
        yield path, schema
        return
    inside: Any = {} if given is ABSENT else given
    for name, below in schema.properties.items() if isinstance(inside, Mapping) else ():
        if name in schema.required:
            yield from _lacking(f"{path}.{name}", below, inside.get(name, ABSENT))


def ask(operation: Operation, given: Mapping[str, Any]) -> list[str]:
    """``KEY=VALUE`` of each field that is missing, as somebody typed it; an empty answer asks again.

    Raises click.Abort at Ctrl-C or the end of the input.
    """
    answers = []
    for path, schema in lacking(operation, given):
        title = f"{path} {schema.title}".rstrip()
        hint = f" ({' | '.join(map(str, schema.enum))})" if schema.enum else ""
        if not hint and schema.example is not ABSENT and not isinstance(schema.example, (dict, list)):
            hint = f" (例 e.g. {schema.example})"
        elif schema.type in ("array", "object"):
            hint = " (JSON)"
        answer = click.prompt(f"{title}{hint}", err=True, hide_input=schema.encrypted, prompt_suffix=": ")
        answers.append(f"{path}={answer}")
    return answers
