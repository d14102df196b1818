"""What a shell offers at the tab key: chains, the fields of a chain, values, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from wxpay_dsl.core.specs.model import SECTIONS, Schema

from .chain_text import node_of, target_of

__all__ = ["complete_chain", "complete_data", "complete_event", "complete_field"]


def complete_chain(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The chains that begin with ``incomplete``, one segment further; one that goes on ends in a dot."""
    from wxpay_dsl import wxpay

    done, dot, begun = incomplete.rpartition(".")
    try:
        node = node_of(wxpay, done)
    except click.UsageError:
        return []
    return [
        CompletionItem(f"{done}{dot}{name}{'.' if dir(getattr(node, name)) else ''}")
        for name in dir(node)
        if name.startswith(begun)
    ]


def complete_field(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The fields of the chain before it on the line, by dotted names, each with its title; after ``=`` its values."""
    from wxpay_dsl import wxpay

    # A `-p` that still lacks its value stops click's parser before it has named what came before.
    chain = context.params.get("chain") or next(iter(context.args), "")
    try:
        target = target_of(wxpay, chain)
    except click.UsageError:
        return []
    if target.declared is None:
        return []
    operation = target.declared.operation()
    found = {path: schema for name in SECTIONS for path, schema in _paths(operation.section(name))}
    begun, equals, value = incomplete.partition("=")
    if not equals:
        return [CompletionItem(f"{path}=", help=each.title) for path, each in found.items() if path.startswith(begun)]
    schema = found.get(begun)
    if schema is None:
        return []
    if schema.format == "binary":
        return [CompletionItem(f"{begun}={file}") for file in _files(value)]
    words = ("true", "false") if schema.type == "boolean" else schema.enum
    return [CompletionItem(f"{begun}={word}") for word in words if str(word).startswith(value)]


def complete_event(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The declared notifications, each with its title."""
    from wxpay_dsl import wxpay

    names = [name for name in wxpay.tree.event_names() if name.startswith(incomplete)]
    events = {name: wxpay.tree.event(name) for name in names}
    return [CompletionItem(name, help=event.summary) for name, event in events.items() if event is not None]


def complete_data(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """``@`` and a file's name."""
    return [CompletionItem(file) for file in _files(incomplete)] if incomplete.startswith("@") else []


def _files(begun: str) -> Iterator[str]:
    """The names of files that begin so, as they are written, a folder's with a slash."""
    at = "@" if begun.startswith("@") else ""
    folder, slash, name = begun.removeprefix("@").rpartition("/")
    try:
        for path in sorted(Path(folder + slash or ".").expanduser().iterdir()):
            if path.name.startswith(name) and (name or not path.name.startswith(".")):
                yield f"{at}{folder}{slash}{path.name}{'/' if path.is_dir() else ''}"
    except OSError:
        return


def _paths(schema: Schema | None, before: str = "") -> Iterator[tuple[str, Schema]]:
    for name, below in schema.properties.items() if schema is not None else ():
        if below.type == "object" and below.properties:
            yield from _paths(below, f"{before}{name}.")
        else:
            yield before + name, below
