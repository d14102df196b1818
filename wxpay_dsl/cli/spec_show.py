"""``wxpay spec show``: an endpoint as a readable page."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from .chain_text import complete, declared_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from wxpay_dsl.core.model import Operation, Schema
    from wxpay_dsl.core.tree import Declared, Tree

__all__ = ["show_operation"]

_HELP = """Show what an endpoint takes and gives. 接口详情

CHAIN is the chain with or without its verb, or the URL's path. A chain that only leads to endpoints lists them.

\b
Examples:
  wxpay spec show v3.eduPapay.contracts.presign.post
  wxpay spec show /v3/edu-papay/contracts/presign
  wxpay spec show v3.eduPapay
"""


@click.command("show", help=_HELP)
@click.argument("chain", shell_complete=complete)
def show_operation(chain: str) -> None:
    from wxpay_dsl import wxpay

    from .terminal import stdout

    found = declared_by(wxpay, chain)
    if not found:
        raise click.UsageError(f"no spec declares {chain}{_nearest(wxpay.tree, chain)}")
    console = stdout()
    if len({declared.path for declared in found}) > 1:
        _list(console, found)
        return
    for position, declared in enumerate(found):
        if position:
            console.print()
        _page(console, declared.operation())


def _nearest(tree: Tree, chain: str) -> str:
    from wxpay_dsl.core.page import dotted

    if chain.startswith("/"):
        near = tree.nearest(chain)
    else:
        chains = [dotted(operation) for operation in tree.operations()]
        near = next(iter(get_close_matches(chain, chains, n=1, cutoff=0.5)), "")
    return f"; the nearest is {near}" if near else "; `wxpay spec list WORD` finds endpoints"


def _list(console: Console, found: Sequence[Declared]) -> None:
    from rich.text import Text

    from wxpay_dsl.core.page import dotted

    for declared in found:
        console.print(Text.assemble((dotted(declared.operation()), "cyan"), "  ", declared.summary))


def _page(console: Console, operation: Operation) -> None:
    from rich.text import Text

    from wxpay_dsl.core.page import dotted, heading, remarks, sections
    from wxpay_dsl.wechat.roles import ROLES

    title = Text.assemble((operation.summary or operation.path, "bold"), "  ", (operation.product, "dim"))
    console.print(title)
    console.print(Text(operation.name, style="green"))
    console.print(Text.assemble("await wxpay.", (dotted(operation), "cyan"), "(…)"))
    if operation.description:
        console.print(Text(operation.description))
    for remark in remarks(operation):
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

    from wxpay_dsl.core.page import fields

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for ratio in (None, None, None, 1):
        table.add_column(overflow="fold", ratio=ratio)
    for entry in fields(schema):
        name = Text("  " * (entry.depth + 1)).append(entry.name, style="" if entry.optional else "bold")
        name.append("?" if entry.optional else "", style="dim")
        table.add_row(name, Text(entry.type, style="dim"), Text(entry.title), Text("; ".join(entry.notes), style="dim"))
    if table.row_count:
        console.print(table)
