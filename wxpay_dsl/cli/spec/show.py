"""``wxpay spec show``: prints an endpoint, with its fields and response, as a page."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from wxpay_dsl.cli.input.chain_text import declared_operations
from wxpay_dsl.cli.input.completion import complete_chain
from wxpay_dsl.cli.input.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from wxpay_dsl.core.chain.describe import FieldEntry
    from wxpay_dsl.core.chain.tree import Declared, Tree
    from wxpay_dsl.core.specs.model import Operation, Schema

__all__ = ["show_operation"]

_HELP = """Show an endpoint, its fields and its response. 接口详情

CHAIN is the chain with or without its verb, or the URL's path. A chain that only leads to endpoints lists them.

\b
Examples:
  wxpay spec show v3.eduPapay.contracts.presign.post
  wxpay spec show /v3/edu-papay/contracts/presign
  wxpay spec show v3.eduPapay
"""

#: The least columns for notes; on a narrower terminal each field is a wrapped line instead of a table row.
_NOTES_WIDTH: Final = 24


@click.command("show", help=_HELP)
@click.argument("chain", shell_complete=complete_chain)
@json_option
def show_operation(chain: str, as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    from wxpay_dsl import wxpay
    from wxpay_dsl.cli.output.terminal import stdout, write_json

    operations = declared_operations(wxpay, chain)
    if not operations:
        raise click.UsageError(f"no spec declares {chain}{_nearest(wxpay.tree, chain)}")
    if as_json:
        write_json([_as_data(declared.operation()) for declared in operations])
        return
    console = stdout()
    if len({declared.path for declared in operations}) > 1:
        _list(console, operations)
        return
    for position, declared in enumerate(operations):
        if position:
            console.print()
        _page(console, declared.operation())


def _as_data(operation: Operation) -> dict[str, Any]:
    """The JSON of ``wxpay spec list``, with all fields by dotted names; ``[]`` means each item of a list."""
    from wxpay_dsl.core.chain.describe import sections

    from .list import as_data

    return {
        **as_data(operation),
        "status": operation.status,
        "fields": [
            {"in": name, **field} for name, schema in sections(operation) for field in _fields_below(schema, "")
        ],
    }


def _fields_below(schema: Schema, prefix: str) -> Iterator[dict[str, Any]]:
    from wxpay_dsl.core.specs.model import ABSENT

    for name, below in schema.properties.items():
        path, inner = f"{prefix}{name}", below
        entry = {"name": path, "type": below.type, "required": name in schema.required, "title": below.title}
        limits = {"maxLength": below.max_length, "minimum": below.minimum, "maximum": below.maximum}
        entry |= {word: limit for word, limit in limits.items() if limit is not None}
        if below.enum:
            entry["enum"] = list(below.enum)
        if below.encrypted:
            entry["encrypted"] = True
        entry |= {word: list(roles) for word in ("roles", "required_by") if (roles := getattr(below, word))}
        if below.doubt:
            entry["doubt"] = below.doubt
        if below.example is not ABSENT:
            entry["example"] = below.example
        yield entry
        while inner.items is not None:
            inner, path = inner.items, f"{path}[]"
        yield from _fields_below(inner, f"{path}.")


def _nearest(tree: Tree, chain: str) -> str:
    from wxpay_dsl.core.chain.describe import dotted

    if chain.startswith("/"):
        near = tree.nearest(chain)
    else:
        chains = [dotted(operation) for operation in tree.operations()]
        near = next(iter(get_close_matches(chain, chains, n=1, cutoff=0.5)), "")
    return f"; the nearest is {near}" if near else "; `wxpay spec list WORD` finds endpoints"


def _list(console: Console, operations: Sequence[Declared]) -> None:
    from rich.text import Text

    from wxpay_dsl.core.chain.describe import dotted

    for declared in operations:
        console.print(Text.assemble((dotted(declared.operation()), "cyan"), "  ", declared.summary))


def _page(console: Console, operation: Operation) -> None:
    from rich.text import Text

    from wxpay_dsl.core.chain.describe import dotted, heading, remarks, sections
    from wxpay_dsl.wechat.roles import ROLES
    from wxpay_dsl.wechat.terms import TERMS

    title = Text.assemble((operation.summary or operation.path, "bold"), "  ", (operation.product, "dim"))
    console.print(title)
    console.print(Text(operation.name, style="green"))
    console.print(Text.assemble("await wxpay.", (dotted(operation), "cyan"), "(…)"))
    if operation.description:
        console.print(Text(operation.description))
    for remark in remarks(operation, TERMS):
        if not remark.startswith("roles: "):
            console.print(Text(remark, style="red" if remark.startswith("deprecated") else ""))
    if operation.roles:
        console.print(Text("roles: " + ", ".join(f"{role} {ROLES.get(role, '')}".strip() for role in operation.roles)))
    for page in operation.docs:
        console.print(Text(page, style=f"blue link {page}", overflow="fold"))
    for name, schema in sections(operation):
        console.print()
        console.print(Text(heading(name, schema), style="bold magenta"))
        _table(console, schema)
    if operation.returns is None:
        console.print()
        console.print(Text(f"returns {operation.produces or 'nothing'} ({operation.status})", style="bold magenta"))


def _table(console: Console, schema: Schema) -> None:
    from rich.table import Table
    from rich.text import Text

    from wxpay_dsl.cli.output.terminal import print_wrapped
    from wxpay_dsl.core.chain.describe import fields
    from wxpay_dsl.wechat.terms import TERMS

    rows = [_row(entry) for entry in fields(schema, TERMS)]
    if not rows:
        return
    taken = sum(max(cell.cell_len for cell in column) + 2 for column in [*zip(*rows, strict=True)][:3])
    if console.is_terminal and console.width - taken < _NOTES_WIDTH:
        # In a table the names of fields would be broken.
        for row in rows:
            indent = len(row[0].plain) - len(row[0].plain.lstrip()) + 4
            print_wrapped(console, Text("  ").join(cell for cell in row if cell), indent)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for ratio in (None, None, None, 1):
        table.add_column(overflow="fold", ratio=ratio)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _row(entry: FieldEntry) -> tuple[Text, ...]:
    from rich.text import Text

    name = Text("  " * (entry.depth + 1)).append(entry.name, style="" if entry.optional else "bold")
    name.append("?" if entry.optional else "", style="dim")
    return name, Text(entry.type, style="dim"), Text(entry.title), Text("; ".join(entry.notes), style="dim")
