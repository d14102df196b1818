"""``wxpay bill``: a day's bill from the sandbox, as a file and as rows, and its errors."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.cli.shell import Ran, environment
from tests.noon import to_noon
from wxpay_dsl import Wechatpay, bills
from wxpay_dsl.sandbox import Sandbox

Run = Callable[..., Awaitable[Ran]]
#: In an argument: the day of the payments, as the sandbox has it.
DAY = "DAY"


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """Runs the command with a sandbox whose clock is one day after three payments."""
    async with Sandbox(home=tmp_path) as sandbox:
        day = to_noon(sandbox).isoformat()
        async with Wechatpay(**sandbox.credentials) as wxpay:
            for number in range(3):
                await wxpay.v3.pay.transactions.native.post(
                    appid="wx8888888888888888",
                    mchid=wxpay.settings.mchid,
                    description="茶",
                    out_trade_no=f"order-{number}",
                    notify_url="https://127.0.0.1/none",
                    amount={"total": 100 + number},
                )
                sandbox.control.pay(f"order-{number}")
        sandbox.control.advance_clock(86400)
        sandbox.write_home(tmp_path)

        async def run(*arguments: str) -> Ran:
            given = [day if argument == DAY else argument for argument in arguments]
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "wxpay_dsl.cli", "bill", *given, "--profile", "wxpay.toml"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=tmp_path,
                env=environment(),
            )
            out, err = await process.communicate()
            return Ran(process.returncode or 0, out.decode(), err.decode())

        yield run


async def test_rows_go_to_stdout_in_fen(run: Run) -> None:
    ran = await run("trade", DAY)
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert sorted(row["total"] for row in rows) == [100, 101, 102]
    assert rows[0]["description"] == "茶"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT12:.*\+08:00", rows[0]["time"]), "paid at noon"
    assert "3 rows" in ran.err
    assert "SHA1" in ran.err
    assert "verified" in ran.err


async def test_the_file_is_written_as_it_is(run: Run, tmp_path: Path) -> None:
    ran = await run("trade", DAY, "--type", "SUCCESS", "--out", "trade.csv")
    assert ran.code == 0, ran.err
    assert ran.out == ""
    rows = [row async for row in bills.rows(tmp_path / "trade.csv")]
    assert [row.out_trade_no for row in rows] == ["order-0", "order-1", "order-2"]


async def test_rows_are_written_to_a_file(run: Run, tmp_path: Path) -> None:
    ran = await run("fund-flow", DAY, "--account", "BASIC", "--out", "flow.jsonl", "--format", "jsonl")
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in (tmp_path / "flow.jsonl").read_text("utf-8").splitlines()]
    assert sum(row["amount"] for row in rows if row["direction"] == "收入") == 303
    assert not list(tmp_path.glob(".*.part"))  # noqa: ASYNC240 (a test may)


async def test_a_bill_is_for_its_owner_and_written_through_no_link(run: Run, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name, form in (("trade.csv", "csv"), ("trade.jsonl", "jsonl")):
        (tmp_path / name).symlink_to(victim)
        ran = await run("trade", DAY, "--out", name, "--format", form)
        assert ran.code == 0, ran.err
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert victim.read_text() == "mine"


async def test_csv_may_go_to_stdout(run: Run) -> None:
    ran = await run("trade", DAY, "--format", "csv")
    assert ran.out.lstrip("\ufeff").startswith("交易时间,")


async def test_a_day_without_a_bill_is_the_service_s_refusal(run: Run) -> None:
    ran = await run("trade", "2020-01-01", "--out", "none.csv")
    assert ran.code == 7
    assert "NO_STATEMENT_EXIST" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trade", "18.3.2026"], "DATE is yyyy-mm-dd"),
        (["trade", "2026-02-30"], "DATE is yyyy-mm-dd"),
        (["trade", "٢٠٢٦-03-18"], "DATE is yyyy-mm-dd"),
        (["fund-flow", DAY, "--type", "ALL"], "--type is for trade bills"),
        (["trade", DAY, "--account", "BASIC"], "--account is for fund-flow bills"),
        (["everything"], "everything"),
        (["trade", DAY, "--out", "no/such/folder/a.csv"], "No such file"),
        (["trade", DAY, "--out", "no/such/folder/a.jsonl", "--format", "jsonl"], "No such file"),
    ],
    ids=["date", "no such day", "other digits", "type", "account", "kind", "folder", "folder of rows"],
)
async def test_wrong_usage_is_said(run: Run, arguments: list[str], message: str) -> None:
    ran = await run(*arguments)
    assert ran.code == 2
    assert message in ran.err
