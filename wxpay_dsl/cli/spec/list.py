"""``wxpay spec list``: finds endpoints by path, title or field, in Chinese or English."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from wxpay_dsl.cli.input.options import json_option

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Tree
    from wxpay_dsl.core.specs.model import Operation, Schema

__all__ = ["as_data", "list_operations"]

_HELP = """List endpoints. 查找接口

Each WORD is searched in the path, the chain, the title, the product and the names and titles of fields, in Chinese or
English; an endpoint is listed if it has all words.

\b
Examples:
  wxpay spec list 退款
  wxpay spec list refund --role partner
  wxpay spec list sub_mchid 分账
  wxpay spec list --count
  wxpay spec list 优惠券 --json | jq -r '.[].chain'
"""


class _Hit(NamedTuple):
    operation: Operation
    chain: str
    #: For each word that only a field has, that field.
    fields: tuple[str, ...]


@click.command("list", help=_HELP)
@click.argument("words", metavar="[WORD]...", nargs=-1)
@click.option("--tag", metavar="TAG", help="Only those with this text in a tag: 分账 …")
@click.option("--role", metavar="ROLE", help="Only those for this role: merchant, partner …, or 服务商 …")
@click.option("--count", is_flag=True, help="Only the counts.")
@json_option
def list_operations(
    words: tuple[str, ...],
    tag: str | None,
    role: str | None,
    count: bool,  # noqa: FBT001 (flags of the command line)
    as_json: bool,  # noqa: FBT001
) -> None:
    from wxpay_dsl import wxpay
    from wxpay_dsl.cli.output.terminal import note, plain, write_json

    _check_role(role)
    hits = list(_search(wxpay.tree, [word.casefold() for word in words], tag, role))
    if count:
        paths = {(hit.operation.dialect, hit.operation.path) for hit in hits}
        if as_json:
            write_json({"paths": len(paths), "operations": len(hits)})
        else:
            sys.stdout.write(f"{len(paths)} paths, {len(hits)} operations\n")
    elif as_json:
        write_json([{**as_data(hit.operation), "fields": list(hit.fields)} for hit in hits])
    elif not hits:
        note("nothing found: try a shorter word, Chinese or English, or part of a path")
    elif sys.stdout.isatty():
        _print(hits)
    else:
        for operation, chain, _ in hits:
            line = f"{chain}\t{operation.name}\t{operation.summary}\t{operation.product}"
            sys.stdout.write(f"{plain(line)}\n")


def _check_role(role: str | None) -> None:
    from wxpay_dsl.wechat.roles import ROLES, plays

    if role is not None and not any(plays(each, role) for each in ROLES):
        roles = ", ".join(f"{word} ({official})" for word, official in ROLES.items())
        raise click.UsageError(f"--role {role}: the roles are {roles}")


def _search(tree: Tree, words: Sequence[str], tag: str | None, role: str | None) -> Iterator[_Hit]:
    from wxpay_dsl.core.chain.describe import dotted
    from wxpay_dsl.wechat.roles import plays

    for operation in _operations(tree):
        # An operation without tags has its product as tag.
        tags = operation.tags or (operation.product,)
        if tag is not None and not any(tag.casefold() in its.casefold() for its in tags):
            continue
        if role is not None and not any(plays(its, role) for its in operation.roles):
            continue
        chain = dotted(operation)
        text = f"{operation.name} {chain} {operation.summary} {operation.product}".casefold()
        missing = [word for word in words if word not in text]
        fields: list[str] = []
        for word in missing:
            field = next((path for path, title in _fields(operation) if word in f"{path} {title}".casefold()), None)
            if field is None:
                break
            fields.append(field)
        if len(fields) == len(missing):
            yield _Hit(operation, chain, tuple(fields))


def _operations(tree: Tree) -> Iterator[Operation]:
    """All operations; prints a warning for each file that cannot be read, and skips it."""
    from wxpay_dsl.cli.output.terminal import note
    from wxpay_dsl.core.errors import SpecError

    for file in tree.files:
        try:
            file.product()
        except SpecError as error:
            note(f"warning: {error}")
    for declared in tree.declared():
        if declared.file.error is None:
            try:
                yield declared.operation()
            except SpecError:
                continue


def _fields(operation: Operation) -> Iterator[tuple[str, str]]:
    """``(dotted name, title)`` of each field, those of the request first."""
    for schema in (operation.parameters, operation.query, operation.header, operation.body, operation.form):
        yield from _nested_fields(schema, "")
    yield from _nested_fields(operation.returns, "")


def _nested_fields(schema: Schema | None, prefix: str) -> Iterator[tuple[str, str]]:
    while schema is not None and schema.items is not None:
        schema = schema.items
    for name, field in schema.properties.items() if schema is not None else ():
        yield prefix + name, field.title
        yield from _nested_fields(field, f"{prefix}{name}.")


def as_data(operation: Operation) -> dict[str, Any]:
    """An operation for ``--json``, of ``wxpay spec list`` and ``wxpay spec show``."""
    from attrs import asdict

    from wxpay_dsl.core.chain.describe import dotted

    return {
        "chain": dotted(operation),
        "verb": operation.verb,
        "path": operation.path,
        "summary": operation.summary,
        "product": operation.product,
        "roles": list(operation.roles),
        "tags": list(operation.tags),
        "docs": list(operation.docs),
        "deprecated": operation.deprecated,
        "checked": asdict(operation.checked) if operation.checked is not None else None,
    }


def _print(hits: Sequence[_Hit]) -> None:
    from rich.text import Text

    from wxpay_dsl.cli.output.terminal import print_wrapped, stdout

    console = stdout()
    product = None
    for hit in hits:
        operation = hit.operation
        if operation.product != product:
            product = operation.product
            console.print(Text(product or operation.path, style="bold"))
        line = Text.assemble("  ", (hit.chain, "cyan"), "  ", operation.summary)
        if operation.deprecated:
            line.append("  已下线", style="red")
        if hit.fields:
            line.append(f"  ({', '.join(hit.fields)})", style="dim")
        print_wrapped(console, line, 6)
    console.print(
        Text(f"{len(hits)} operations; `wxpay spec show CHAIN` shows the fields and the response", style="dim")
    )
