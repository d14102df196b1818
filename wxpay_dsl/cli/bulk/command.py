"""``wxpay bulk``: calls one operation for each row of a CSV file, and continues an interrupted run."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

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

The first line names the fields (amount.total is a field of an object); an empty cell leaves its field out. All rows are
checked before the first is sent. Each step is recorded in a journal, so the same command, given again, continues an
interrupted run. Each row ends as succeeded, rejected, not_sent or unknown. An unknown row is sent again only if the
operation may be repeated, with the same number; otherwise --query asks for its outcome, or it stays unknown.

\b
Examples:
  wxpay bulk v3.fundApp.mchTransfer.transferBills.post rows.csv --out results.csv -p appid=wx8888888888888888
  wxpay bulk v3.refund.domestic.refunds.post refunds.csv --out results.csv --rate 10
  wxpay bulk v2.secapi.pay.refund.post rows.csv --out results.csv --query v2.pay.refundquery.post

Exit code 0 if every row is succeeded, 5 if any is unknown or not_sent, 7 if any is rejected.
"""


@click.command(help=_HELP)
@click.argument("chain", metavar="CHAIN.VERB", shell_complete=complete_chain)
@click.argument("rows", metavar="ROWS.CSV", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file for the results, one row each.",
)
@click.option("--journal", type=click.Path(path_type=Path, dir_okay=False), help="The journal; OUT.journal by default.")
@click.option(
    "-p",
    "--param",
    "parameters",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=complete_field,
    help="A field that all rows have.",
)
@click.option(
    "--concurrency", metavar="N", type=click.IntRange(1, 100), default=8, show_default=True, help="Calls at once."
)
@click.option("--rate", metavar="N", type=click.FloatRange(0, min_open=True), help="Calls per second, at most.")
@click.option(
    "--query",
    metavar="CHAIN.VERB",
    shell_complete=complete_chain,
    help="The operation that queries the outcome of an unknown row.",
)
@click.option("--retry-rejected", is_flag=True, help="Send rejected rows again, unchanged (e.g. after 余额不足).")
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
    from wxpay_dsl.cli.output.file_conflicts import check_file_conflicts, input_files

    from .journal import Journal
    from .results import write_results
    from .rows import read
    from .run import Plan

    journal = journal or out.with_name(f"{out.name}.journal")
    check_file_conflicts(
        [("--out", out), ("--journal", journal)], [("ROWS.CSV", rows), *input_files(profile, parameters=parameters)]
    )
    client = Wechatpay(profile=profile)
    target = target_of(client, chain)
    operation = target.declared.operation() if target.declared is not None else None
    repeatable = operation.safe_to_repeat if operation is not None else target.verb == "get"
    table = read(rows, target, parameters)
    query_target = None if query is None else _query_target(client, query, operation, table)
    plan = Plan(target, repeatable, query_target, concurrency, rate, retry_rejected)
    header = {"operation": f"{target.verb.upper()} /{'/'.join(target.segments)}", "mchid": client.settings.mchid}
    header["origin"] = client.settings.base_url
    with Journal(journal, header) as opened:
        _check_unchanged(rows, table, opened)
        counts = asyncio.run(_run(plan, client, rows, table, opened))
        write_results(out, table, opened.entries)
    _print_counts(counts, out, as_json=as_json)
    context.exit(5 if counts["unknown"] or counts["not_sent"] else 7 if counts["rejected"] else 0)


def _query_target(client: Wechatpay, chain: str, called: Operation | None, table: Table) -> Target:
    from .outcome import query_problem

    target = target_of(client, chain)
    if target.declared is None or not target.declared.operation().safe_to_repeat:
        raise click.UsageError(f"--query {chain}: give a declared operation that may be repeated")
    if called is None:
        raise click.UsageError("--query works for declared operations only, whose responses are known")
    queried = target.declared.operation()
    for row in table.rows:
        problem = query_problem(called, queried, row.numbers)
        if problem:
            raise click.UsageError(f"--query {chain}: {problem} (the row of line {row.line})")
    return target


def _check_unchanged(path: Path, table: Table, journal: Journal) -> None:
    for number, entry in journal.entries.items():
        row = table.rows[number - 1] if number <= len(table.rows) else None
        if row is None or row.digest != entry.digest:
            state = "unknown" if entry.state == "sent" else entry.state
            changed = f"{path}:{row.line} differs from" if row is not None else f"{path} lacks"
            raise click.UsageError(
                f"{changed} row {number} of the run in the journal, whose state is {state}: "
                "restore the file (rows may be added at its end), or choose another --out"
            )


async def _run(plan: Plan, client: Wechatpay, path: Path, table: Table, journal: Journal) -> Counter[str]:
    from wxpay_dsl.cli.output.terminal import note

    from .results import state_of
    from .rows import check
    from .run import pending, run

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with client:
        for warning in await check(path, client, plan.target, table.rows):
            note(f"warning: {warning}")
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: Ctrl-C ends the run at once; the journal has each step
                loop.add_signal_handler(signal_number, stop.set)
        todo = len([*pending(plan, table.rows, journal)])
        if todo < len(table.rows):
            note(f"{len(table.rows) - todo} of {len(table.rows)} rows are settled or cannot be sent again")
        with _bar(todo) as advance:
            await run(plan, client, table.rows, journal, advance, stop)
    return Counter(state_of(number, journal.entries) for number in range(1, len(table.rows) + 1))


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Entry], None]]:
    """A progress bar on stderr, if that is a terminal, with the count of rows that did not succeed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from wxpay_dsl.cli.output.terminal import stderr

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr(), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("calling 调用中", total=total)
        failed = 0

        def advance(entry: Entry) -> None:
            nonlocal failed
            failed += entry.state != "succeeded"
            what = f"calling 调用中, {failed} not succeeded" if failed else "calling 调用中"
            progress.update(task, advance=1, description=what)

        yield advance


def _print_counts(counts: Counter[str], out: Path, *, as_json: bool) -> None:
    from wxpay_dsl.cli.output.terminal import note, write_json

    from .results import STATES

    if as_json:
        write_json({"rows": counts.total(), **{state: counts[state] for state in STATES}})
    shown = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    note(f"{', '.join(shown)}: {out}")
