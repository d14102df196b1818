"""``wxpay bill``: downloads a day's bill, decompresses and verifies it, and writes the file or its rows."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from wxpay_dsl.cli.input.options import json_option, profile_option

if TYPE_CHECKING:
    from wxpay_dsl import Download, Progress, Wechatpay, bills

__all__ = ["bill"]

_HELP = """Download a day's bill. 下载账单

KIND is trade (交易账单), fund-flow (资金账单) or profit-sharing (分账账单); DATE is yyyy-mm-dd, yesterday in
Beijing time by default. The file is streamed, decompressed, and verified by the hash that WeChat Pay signed. Without
--out its rows go to stdout as JSON, one per line, amounts in fen; use them only if the command ends with exit code 0.
With --json an error is the last line.

\b
Examples:
  wxpay bill trade 2026-03-18 --out trade.csv
  wxpay bill trade --type REFUND | jq -s 'map(.refund) | add'
  wxpay bill fund-flow 2026-03-18 --account OPERATION --out flow.jsonl --format jsonl
"""

_KINDS: Final = ("trade", "fund-flow", "profit-sharing")
#: A bill covers a day of Beijing time.
_BEIJING: Final = timedelta(hours=8)


@click.command(help=_HELP)
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("date", metavar="[DATE]", required=False)
@click.option("--type", "bill_type", type=click.Choice(["ALL", "SUCCESS", "REFUND"]), help="Rows of a trade bill.")
@click.option("--account", type=click.Choice(["BASIC", "OPERATION", "FEES"]), help="Account of a fund-flow bill.")
@click.option("--sub-mchid", metavar="MCHID", help="The bill of one sub-merchant (子商户).")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, atomically."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    help="csv: the original file, the default with --out; jsonl: rows.",
)
@profile_option
@json_option
def bill(
    kind: str,
    date: str | None,
    bill_type: str | None,
    account: str | None,
    sub_mchid: str | None,
    out: Path | None,
    form: str | None,
    profile: Path | None,
    as_json: bool,  # noqa: FBT001 (a flag of the command line)
) -> None:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.cli.output.file_conflicts import check_file_conflicts, input_files
    from wxpay_dsl.cli.output.terminal import note, write_json

    check_file_conflicts([("--out", out)], input_files(profile))
    if bill_type is not None and kind != "trade":
        raise click.UsageError("--type is for trade bills")
    if account is not None and kind != "fund-flow":
        raise click.UsageError("--account is for fund-flow bills")
    if as_json and form == "csv" and out is None:
        raise click.UsageError("--json and --format csv would both write to stdout: give --out FILE")
    if date is not None and not _is_date(date):
        raise click.UsageError(f"DATE is yyyy-mm-dd, such as 2026-03-18, not {date!r:.40}")
    given = {"bill_date": date or _yesterday(), "bill_type": bill_type, "account_type": account, "sub_mchid": sub_mchid}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    rows = form == "jsonl" or (form is None and out is None)
    result = asyncio.run(_fetch(Wechatpay(profile=profile), kind, fields, out, rows=rows))
    if as_json and out is not None:
        write_json({"kind": kind, "date": fields["bill_date"], "out": str(out), **result})
    else:
        note(f"{kind} {fields['bill_date']}: {_summary(result, out)}")


def _summary(result: Mapping[str, Any], out: Path | None) -> str:
    written = f"{result['rows']} rows" if "rows" in result else f"written to {out if out is not None else 'stdout'}"
    verified = f"{result['digest']} verified" if result["digest"] else "not verified: the service gave no hash"
    return f"{written}; {result['bytes'] / 1e6:.1f} MB in {result['seconds']:.1f} s; {verified}"


def _is_date(text: str) -> bool:
    try:
        # fromisoformat accepts other forms as well (20260318, 2026-W12-3), which the service refuses.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _yesterday() -> str:
    return str((datetime.now(UTC) + _BEIJING).date() - timedelta(days=1))


async def _fetch(
    wxpay: Wechatpay, kind: str, fields: dict[str, Any], out: Path | None, *, rows: bool
) -> dict[str, Any]:
    """Downloads a bill. Returns ``bytes`` (decompressed), ``seconds``, ``digest``, and ``rows`` if they were parsed."""
    start = time.perf_counter()
    async with wxpay:
        v3: Any = wxpay["v3"]
        endpoint = {
            "trade": v3.bill.tradebill,
            "fund-flow": v3.bill.fundflowbill,
            "profit-sharing": v3.profitsharing.bills,
        }[kind]
        size = 0
        with _bar() as advance:

            def progress(each: Progress) -> None:
                nonlocal size
                size = each.unpacked
                advance(each)

            async with wxpay.download(endpoint.get, tar_type="GZIP", progress=progress, **fields) as download:
                counted = {"rows": await _rows(download, out)} if rows else await _file(download, out)
                digest = download.digest
    seconds = round(time.perf_counter() - start, 3)
    verified = f"{digest.algorithm} {digest.value}" if digest is not None else ""
    return {**counted, "bytes": size, "seconds": seconds, "digest": verified}


async def _file(download: Download, out: Path | None) -> dict[str, int]:
    if out is None:
        async for piece in download:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return {}
    try:
        await download.save(out)
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror}") from None
    return {}


async def _rows(download: Download, out: Path | None) -> int:
    from wxpay_dsl import bills

    read = bills.rows(download)
    if out is None:
        await _write(read, sys.stdout)
    else:
        from wxpay_dsl.core.files.atomic_write import atomic_text_file

        try:
            with atomic_text_file(out, private=True) as file:
                await _write(read, file)
        except OSError as error:
            raise click.UsageError(f"--out {out}: {error.strerror}") from None
    return read.count


async def _write(read: bills.Rows[Any], file: TextIO) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
    async for row in read:
        file.write(encode(row.as_dict()) + "\n")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """A progress bar on stderr, if that is a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from wxpay_dsl.cli.output.terminal import stderr

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=stderr(), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("downloading 下载中", total=None)
        yield lambda each: bar.update(task, completed=each.received, total=each.total)
