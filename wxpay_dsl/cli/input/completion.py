"""Shell completion of chains, fields, values, notification names and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from wxpay_dsl.core.specs.model import SECTIONS, Schema

from .chain_text import node_of, target_of

__all__ = ["complete_chain", "complete_data", "complete_event", "complete_field"]


def complete_chain(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a chain by one segment; a chain that has further segments ends in a dot."""
    from wxpay_dsl import wxpay

    parent, dot, prefix = incomplete.rpartition(".")
    try:
        node = node_of(wxpay, parent)
    except click.UsageError:
        return []
    return [
        CompletionItem(f"{parent}{dot}{name}{'.' if dir(getattr(node, name)) else ''}")
        for name in dir(node)
        if name.startswith(prefix)
    ]


def complete_field(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a field of the chain on the command line, by dotted name and with its title; after ``=`` its value."""
    from wxpay_dsl import wxpay

    # A `-p` without its value stops click's parser before it has assigned the chain: then it is in `args`.
    chain = context.params.get("chain") or next(iter(context.args), "")
    try:
        target = target_of(wxpay, chain)
    except click.UsageError:
        return []
    if target.declared is None:
        return []
    operation = target.declared.operation()
    schemas = {path: schema for name in SECTIONS for path, schema in _leaves(operation.section(name))}
    prefix, equals, value = incomplete.partition("=")
    if not equals:
        return [
            CompletionItem(f"{path}=", help=each.title) for path, each in schemas.items() if path.startswith(prefix)
        ]
    schema = schemas.get(prefix)
    if schema is None:
        return []
    if schema.format == "binary":
        return [CompletionItem(f"{prefix}={file}") for file in _files(value)]
    words = ("true", "false") if schema.type == "boolean" else schema.enum
    return [CompletionItem(f"{prefix}={word}") for word in words if str(word).startswith(value)]


def complete_event(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the name of a declared notification, with its title."""
    from wxpay_dsl import wxpay

    names = [name for name in wxpay.tree.event_names() if name.startswith(incomplete)]
    events = {name: wxpay.tree.event(name) for name in names}
    return [CompletionItem(name, help=event.summary) for name, event in events.items() if event is not None]


def complete_data(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes ``@FILE``; anything else is not completed."""
    return [CompletionItem(file) for file in _files(incomplete)] if incomplete.startswith("@") else []


def _files(prefix: str) -> Iterator[str]:
    """The paths of files that begin with ``prefix`` (an ``@`` is kept); a folder ends in a slash."""
    at = "@" if prefix.startswith("@") else ""
    folder, slash, name = prefix.removeprefix("@").rpartition("/")
    try:
        for path in sorted(Path(folder + slash or ".").expanduser().iterdir()):
            if path.name.startswith(name) and (name or not path.name.startswith(".")):
                yield f"{at}{folder}{slash}{path.name}{'/' if path.is_dir() else ''}"
    except OSError:
        return


def _leaves(schema: Schema | None, parent: str = "") -> Iterator[tuple[str, Schema]]:
    """``(dotted name, schema)`` of each field that has no fields of its own."""
    for name, below in schema.properties.items() if schema is not None else ():
        if below.type == "object" and below.properties:
            yield from _leaves(below, f"{parent}{name}.")
        else:
            yield parent + name, below
