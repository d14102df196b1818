"""``wxpay bulk``: one operation for every row of a table, each row once, however often the run is interrupted."""

from __future__ import annotations

import asyncio
import csv
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wxpay_dsl.cli.input.chain_text import target_of
from wxpay_dsl.cli.input.completion import complete_chain, complete_field
from wxpay_dsl.cli.input.options import json_option, profile_option

if TYPE_CHECKING:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.core.chain.node import Target
    from wxpay_dsl.core.specs.model import Operation

    from .journal import Entry, Journal
    from .rows import Table
    from .run import Plan

__all__ = ["bulk"]

_HELP = """Call one operation for every row of a CSV file. 批量调用

The first line names the fields (amount.total reaches in), an empty cell leaves its field out. All rows are checked
before the first is sent. Each step is in a journal beside the results before the next is taken, so the same command,
given again, continues an interrupted run. A row whose outcome is unknown is sent again only where the operation may be
repeated, under the same number; else --query asks for it, or it is reported.

\b
Examples:
  wxpay bulk v3.fundApp.mchTransfer.transferBills.post rows.csv --out results.csv -p appid=wx8888888888888888
  wxpay bulk v3.refund.domestic.refunds.post refunds.csv --out results.csv --rate 10
  wxpay bulk v2.secapi.pay.refund.post rows.csv --out results.csv --query v2.pay.refundquery.post

Exits with 0 if every row is done, 5 if the outcome of any is unknown or it was not sent, 7 if any was refused.
"""
#: What a spreadsheet takes for a formula. Base64 and telephone numbers may begin with + or -, and are none.
#: Spreadsheets read the full-width signs of Chinese keyboards as well, and may pass over blanks.
_FORMULA = re.compile(r"[\t\r\n]|[\s\x00\u200b\ufeff]*(?:[=@＝＠＋－]|[+-].*[|(!｜（！])", re.DOTALL)
_STATES = ("succeeded", "rejected", "not_sent", "unknown")


@click.command(help=_HELP)
@click.argument("chain", metavar="CHAIN.VERB", shell_complete=complete_chain)
@click.argument("rows", metavar="ROWS.CSV", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The results, a row each.")
@click.option("--journal", type=click.Path(path_type=Path, dir_okay=False), help="By default OUT.journal.")
@click.option(
    "-p",
    "--param",
    "parameters",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=complete_field,
    help="A field of every row.",
)
@click.option("--concurrency", metavar="N", type=click.IntRange(1, 100), default=8, show_default=True)
@click.option("--rate", metavar="N", type=click.FloatRange(0, min_open=True), help="Calls a second, at most.")
@click.option("--query", metavar="CHAIN.VERB", shell_complete=complete_chain, help="Tells what became of a row.")
@click.option("--retry-rejected", is_flag=True, help="Send what was refused again, as it is (余额不足, say).")
@json_option
@profile_option
@click.pass_context
def bulk(
    context: click.Context,
    chain: str,
    rows: Path,
    out: Path,
    journal: Path | None,
    parameters: tuple[str, ...],
    concurrency: int,
    rate: float | None,
    query: str | None,
    retry_rejected: bool,  # noqa: FBT001 (a flag of the command line)
    as_json: bool,  # noqa: FBT001 (likewise)
    profile: Path | None,
) -> None:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.cli.output.file_conflicts import check_places, inputs

    from .journal import Journal
    from .rows import read
    from .run import Plan

    journal = journal or out.with_name(f"{out.name}.journal")
    check_places(
        [("--out", out), ("--journal", journal)], [("ROWS.CSV", rows), *inputs(profile, parameters=parameters)]
    )
    client = Wechatpay(profile=profile)
    target = target_of(client, chain)
    operation = target.declared.operation() if target.declared is not None else None
    repeatable = operation.safe_to_repeat if operation is not None else target.verb == "get"
    table = read(rows, target, parameters)
    asking = None if query is None else _query(client, query, operation, table)
    plan = Plan(target, repeatable, asking, concurrency, rate, retry_rejected)
    about = {"operation": f"{target.verb.upper()} /{'/'.join(target.segments)}", "mchid": client.settings.mchid}
    about["origin"] = client.settings.base_url
    with Journal(journal, about) as kept:
        _check_unchanged(rows, table, kept)
        counts = asyncio.run(_run(plan, client, rows, table, kept))
        _write(out, table, kept.entries)
    _say(counts, out, as_json=as_json)
    context.exit(5 if counts["unknown"] or counts["not_sent"] else 7 if counts["rejected"] else 0)


def _query(client: Wechatpay, chain: str, called: Operation | None, table: Table) -> Target:
    from .outcome import query_problem

    target = target_of(client, chain)
    if target.declared is None or not target.declared.operation().safe_to_repeat:
        raise click.UsageError(f"--query {chain}: only a declared operation that may be repeated can be asked")
    if called is None:
        raise click.UsageError("--query: what an answer says of a row is known of declared operations only")
    asked = target.declared.operation()
    for row in table.rows:
        problem = query_problem(called, asked, row.numbers)
        if problem:
            raise click.UsageError(f"--query {chain}: {problem} (the row of line {row.line})")
    return target


def _check_unchanged(path: Path, table: Table, journal: Journal) -> None:
    for number, entry in journal.entries.items():
        row = table.rows[number - 1] if number <= len(table.rows) else None
        if row is None or row.digest != entry.digest:
            where = f"{path}:{row.line} is another row" if row is not None else f"{path} lacks row {number}"
            raise click.UsageError(
                f"{where} than when the run began, and that one is {entry.state}: "
                "put the file back as it was (rows may be added at its end), or choose another --out"
            )


async def _run(plan: Plan, client: Wechatpay, path: Path, table: Table, journal: Journal) -> Counter[str]:
    from wxpay_dsl.cli.output.terminal import note

    from .rows import check
    from .run import pending, run

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with client:
        for doubt in await check(path, client, plan.target, table.rows):
            note(f"warning: {doubt}")
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: Ctrl-C ends the run at once, and the journal knows
                loop.add_signal_handler(signal_number, stop.set)
        todo = len([*pending(plan, table.rows, journal)])
        if todo < len(table.rows):
            note(f"{len(table.rows) - todo} of {len(table.rows)} rows are settled or cannot be sent again")
        with _bar(todo) as advance:
            await run(plan, client, table.rows, journal, advance, stop)
    return Counter(_known(number, journal.entries) for number in range(1, len(table.rows) + 1))


def _known(number: int, entries: Mapping[int, Entry]) -> str:
    entry = entries.get(number)
    if entry is None:
        return "not_sent"
    return "unknown" if entry.state == "sent" else entry.state


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Entry], None]]:
    """A bar on stderr, where that is a terminal, with what was not done by its side."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from wxpay_dsl.cli.output.terminal import stderr

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr(), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("calling 调用中", total=total)
        failed = 0

        def advance(entry: Entry) -> None:
            nonlocal failed
            failed += entry.state != "succeeded"
            what = f"calling 调用中, {failed} not done" if failed else "calling 调用中"
            progress.update(task, advance=1, description=what)

        yield advance


def _write(out: Path, table: Table, entries: Mapping[int, Entry]) -> None:
    """The results, whole or not at all, and for their owner only: they name payers and amounts."""
    from wxpay_dsl.core.files.atomic_write import atomic_text_file

    from .journal import Entry

    found = []
    for number, row in enumerate(table.rows, 1):
        entry = entries.get(number, Entry(number, row.digest, "not_sent"))
        told = {name: getattr(entry, name) for name in ("status", "code", "message", "request_id")}
        told = {"state": _known(number, entries), **told}
        found.append(
            {**row.cells, **_told({f"result.{name}": value or "" for name, value in told.items()} | _flat(entry.data))}
        )
    columns = list(dict.fromkeys(name for result in found for name in result))
    try:
        with atomic_text_file(out, private=True, encoding="utf-8-sig", newline="") as file:
            # Text in quotes: a program that takes ; or a tab for what divides cells finds no formula behind one.
            writer = csv.DictWriter(file, columns, restval="", quoting=csv.QUOTE_NONNUMERIC)
            writer.writeheader()
            writer.writerows(found)
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror}") from None


def _told(cells: dict[str, Any]) -> dict[str, Any]:
    """What was answered, as text that UTF-8 can hold, with a quote before what a spreadsheet would take for a formula.

    Nobody signs a refusal: it may hold anything, half a character included.
    """
    return {_whole_characters(name): _told_cell(value) for name, value in cells.items()}


def _told_cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = _whole_characters(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _whole_characters(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _flat(data: Any, prefix: str = "response") -> dict[str, Any]:
    """A response's fields by dotted names; lists as JSON."""
    if isinstance(data, Mapping):
        return {key: value for name, item in data.items() for key, value in _flat(item, f"{prefix}.{name}").items()}
    if data is None:
        return {}
    if isinstance(data, (list, bool)):
        from wxpay_dsl.cli.output.terminal import json_bytes

        return {prefix: json_bytes(data).decode()}
    return {prefix: data}


def _say(counts: Counter[str], out: Path, *, as_json: bool) -> None:
    from wxpay_dsl.cli.output.terminal import note, write_json

    if as_json:
        write_json({"rows": counts.total(), **{state: counts[state] for state in _STATES}})
    said: Sequence[str] = [f"{counts[state]} {state}" for state in _STATES if counts[state]]
    note(f"{', '.join(said)}: {out}")
