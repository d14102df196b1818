"""``wxpay bulk``: every row is executed once, whatever happens to the process, the network, or the file."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.shell import Wxpay, environment
from tests.core.raw_server import RawServer, json_answer
from tests.wechat.platform_server import PUB_KEY_ID, Platform, keys, serving, wechatpay
from wxpay_dsl.cli.bulk.journal import Entry, Journal
from wxpay_dsl.cli.bulk.rows import Row
from wxpay_dsl.cli.bulk.run import Plan, run
from wxpay_dsl.cli.input.chain_text import target_of
from wxpay_dsl.sandbox.background import BackgroundSandbox

TRANSFER = "v3.fundApp.mchTransfer.transferBills.post"
CONSTANTS = (
    *("-p", "appid=wx8888888888888888", "-p", "transfer_remark=报销", "-p", "transfer_scene_id=1000"),
    *("-p", 'transfer_scene_report_infos=[{"info_type": "活动名称", "info_content": "新会员有礼"}]'),
)
PRESIGN = "v3.eduPapay.contracts.presign.post"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BackgroundSandbox, Path]]:
    home = tmp_path_factory.mktemp("home")
    with BackgroundSandbox(home=home) as sandbox:
        yield sandbox, home / "wxpay.toml"


@pytest.fixture
def sandbox(server: tuple[BackgroundSandbox, Path]) -> BackgroundSandbox:
    server[0].reset()
    server[0].control.faults.clear()
    return server[0]


@pytest.fixture
def profile(server: tuple[BackgroundSandbox, Path]) -> str:
    return str(server[1])


def table(path: Path, count: int, amount: int = 30) -> int:
    """Writes a file of ``count`` transfers; returns their sum in fen."""
    amounts = [amount + number for number in range(count)]
    lines = [f"B{number:08},o-{number},{fen}" for number, fen in enumerate(amounts)]
    path.write_text("out_bill_no,openid,transfer_amount\n" + "\n".join(lines) + "\n")
    return sum(amounts)


def steps(journal: Path) -> int:
    """The number of lines of a journal: its header, and one line for each step of a row."""
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def held_back(sandbox: BackgroundSandbox) -> bool:
    """Whether all calls have arrived whose responses a fault rule delays."""
    return not any(rule.kind == "delay" for rule in sandbox.control.faults.rules)


def results(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_called_and_has_its_result(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    total = table(tmp_path / "rows.csv", 12)
    ran = wxpay(
        "bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--rate", "200", "--json", "--profile", profile
    )
    assert (ran.code, json.loads(ran.out)) == (
        0,
        {"rows": 12, "succeeded": 12, "rejected": 0, "not_sent": 0, "unknown": 0},
    ), ran.err
    transfers = sandbox.control.list("transfers")
    assert sum(each["amount"] for each in transfers) == total
    found = results(tmp_path / "out.csv")
    assert [row["out_bill_no"] for row in found] == [f"B{number:08}" for number in range(12)]
    assert {row["response.transfer_bill_no"] for row in found} == {each["bill_no"] for each in transfers}
    assert (tmp_path / "out.csv.journal").stat().st_mode & 0o777 == 0o600


def test_a_run_that_is_done_sends_nothing_when_given_again(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    table(tmp_path / "rows.csv", 3)
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    assert wxpay(*command).code == 0
    first = (tmp_path / "out.csv").read_text()
    sandbox.control.reset()
    assert wxpay(*command).code == 0
    assert sandbox.control.list("transfers") == []
    assert (tmp_path / "out.csv").read_text() == first


def test_rows_may_be_added_at_the_end(wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path) -> None:
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    table(tmp_path / "rows.csv", 2)
    assert wxpay(*command).code == 0
    table(tmp_path / "rows.csv", 4)
    assert wxpay(*command).code == 0
    assert len(sandbox.control.list("transfers")) == 4


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("out_bill_no,openid,transfer_amount\nB00000001,o,30\nB00000002,o,0.3\n", 4, "rows.csv:3 body.transfer_amount"),
        ("out_bill_no,openid,transfer_amount\nB00000001,o,30\nB00000002,,30\n", 4, "rows.csv:3 body.openid: missing"),
        ("out_bill_no,openid,amount\nB00000001,o,30\n", 4, "no such field"),
        ("out_bill_no,openid,transfer_amount\nB1,o,30\nB1,p,40\n", 2, "lines 2 and 3 have the same out_bill_no"),
        ("out_bill_no,openid,transfer_amount\nB1,o\n", 2, "rows.csv:2: 2 cells under 3 columns"),
        ("out_bill_no,openid,openid\nB1,o,o\n", 2, "two columns are called openid"),
        ("out_bill_no,openid,transfer_amount\n", 2, "no row"),
        ("", 2, "its first line names the fields"),
    ],
)
def test_a_table_with_a_fault_is_refused_before_the_first_row_is_sent(
    content: str, code: int, said: str, wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text(content)
    ran = wxpay("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert sandbox.control.list("transfers") == []


def test_a_changed_row_a_foreign_journal_and_a_second_run_are_refused(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    table(tmp_path / "rows.csv", 2)
    assert wxpay(*command).code == 0
    table(tmp_path / "rows.csv", 2, amount=50)
    assert "rows.csv:2 differs from row 1 of the run in the journal, whose state is succeeded" in wxpay(*command).err
    (tmp_path / "rows.csv").write_text("user_id\n1\n")
    other = wxpay("bulk", PRESIGN, "rows.csv", "--out", "out.csv", "--profile", profile)
    assert (other.code, "the journal of another run" in other.err) == (2, True)
    assert len(sandbox.control.list("transfers")) == 2


def test_what_is_refused_is_in_the_results_and_sent_again_only_when_asked(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text("out_trade_no,amount.total\norder-1,30\norder-2,40\n")
    (tmp_path / "rows.csv").write_text(
        "out_trade_no,out_refund_no,amount.refund,amount.total\norder-1,R1,30,30\norder-2,R2,40,40\n"
    )
    command = ("bulk", "v3.refund.domestic.refunds.post", "rows.csv", "--out", "out.csv", "-p", "amount.currency=CNY")
    command += ("--profile", profile)
    assert wxpay(*command).code == 7
    refused = results(tmp_path / "out.csv")
    assert {row["result.state"] for row in refused} == {"rejected"}
    assert {row["result.code"] for row in refused} == {"RESOURCE_NOT_EXISTS"}
    order = ("-p", "appid=wx8888888888888888", "-p", f"mchid={sandbox.merchant.mchid}", "-p", "description=茶")
    order += ("-p", "notify_url=https://127.0.0.1/none", "--profile", profile)
    assert wxpay("bulk", "v3.pay.transactions.native.post", "orders.csv", "--out", "orders.out.csv", *order).code == 0
    for number in ("order-1", "order-2"):
        sandbox.control.pay(number)
    assert wxpay(*command).code == 7
    assert sandbox.control.list("refunds") == []
    assert wxpay(*command, "--retry-rejected").code == 0
    assert sorted(each["out_refund_no"] for each in sandbox.control.list("refunds")) == ["R1", "R2"]


def test_a_refusal_that_is_not_final_leaves_a_row_unknown(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    """The spec of a transfer has ``outcome: query``; the same number may be sent again."""
    total = table(tmp_path / "rows.csv", 2)
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    sandbox.control.set_balance(sandbox.merchant.mchid, 0)
    ran = wxpay(*command)
    assert (ran.code, ran.err) == (5, "2 unknown: out.csv\n")
    refused = results(tmp_path / "out.csv")
    assert {(row["result.state"], row["result.code"]) for row in refused} == {("unknown", "NOT_ENOUGH")}
    sandbox.control.set_balance(sandbox.merchant.mchid, total)
    assert wxpay(*command).code == 0
    assert len(sandbox.control.list("transfers")) == 2


def test_a_killed_run_goes_on_and_pays_each_row_once(sandbox: BackgroundSandbox, profile: str, tmp_path: Path) -> None:
    """The run is killed repeatedly after a random number of steps; some responses are lost as well."""
    total = table(tmp_path / "rows.csv", 60)
    chance = random.Random(8)  # noqa: S311 (where to kill, nothing secret)
    journal = tmp_path / "out.csv.journal"
    command = [sys.executable, "-m", "wxpay_dsl.cli", "bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS]
    kills = 8
    for number in range(kills + 1):
        sandbox.control.faults.clear()
        if number < kills:
            sandbox.control.faults.add("response-lost", share=0.1, path="/v3/fund-app/*")
            # The responses of four calls, as many as are made at once, are delayed beyond the kill, so no run can end
            # before it. Which four is random.
            sandbox.control.faults.add("delay", value=600, times=4, share=0.7, path="/v3/fund-app/*")
        with subprocess.Popen(
            [*command, "--profile", profile, "--concurrency", "4"],
            cwd=tmp_path,
            env=environment({"WXPAY_TIMEOUT": "600"}),
            stderr=subprocess.DEVNULL,
        ) as process:
            if number < kills:
                enough = steps(journal) + chance.randint(1, 12)
                while process.poll() is None and steps(journal) < enough and not held_back(sandbox):
                    time.sleep(0.002)
                process.kill()
        assert process.returncode == (-signal.SIGKILL if number < kills else 0)
    transfers = sandbox.control.list("transfers")
    assert sorted(each["out_bill_no"] for each in transfers) == [f"B{number:08}" for number in range(60)]
    assert sum(each["amount"] for each in transfers) == total
    assert {row["result.state"] for row in results(tmp_path / "out.csv")} == {"succeeded"}


def test_what_may_not_be_repeated_is_never_sent_twice(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    """A pre-signing makes a new token each time: rows without a response at a kill are reported, not sent again."""
    rows = "".join(f"user{number:04}\n" for number in range(40))
    (tmp_path / "rows.csv").write_text("user_id\n" + rows)
    constants = ("-p", "appid=wx8888888888888888", "-p", "openid=o", "-p", "plan_id=1")
    constants += ("-p", "period_start_date=2026-03-19", "-p", "trade_scene=EDUCATION_PERIOD")
    command = ("bulk", PRESIGN, "rows.csv", "--out", "out.csv", *constants, "--profile", profile)
    # The responses of eight calls, as many as are made at once, are delayed beyond the kill.
    sandbox.control.faults.add("delay", value=600, times=8, share=0.5, path="/v3/edu-papay/*")
    with subprocess.Popen(
        [sys.executable, "-m", "wxpay_dsl.cli", *command],
        cwd=tmp_path,
        env=environment({"WXPAY_TIMEOUT": "600"}),
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not held_back(sandbox):
            time.sleep(0.05)
        process.kill()
    sandbox.control.faults.clear()
    ran = wxpay(*command, "--json")
    counts = json.loads(ran.out)
    assert ran.code == 5
    assert (counts["succeeded"], counts["unknown"]) == (32, 8)
    made = [each["echoed"]["user_id"] for each in sandbox.control.list("contracts")]
    assert len(made) >= counts["succeeded"]
    assert len(made) == len({*made})
    assert counts == json.loads(wxpay(*command, "--json").out)


def test_a_query_tells_what_became_of_a_row(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    table(tmp_path / "rows.csv", 3)
    sandbox.control.faults.add("response-lost", times=50, path="/v3/fund-app/mch-transfer/transfer-bills")
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    assert wxpay(*command, "--concurrency", "1").code == 5
    query = "v3.fundApp.mchTransfer.transferBills.outBillNo._out_bill_no_.get"
    assert wxpay(*command, "--query", query).code == 0
    assert len(sandbox.control.list("transfers")) == 3


def test_a_query_says_that_a_row_failed(wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path) -> None:
    table(tmp_path / "rows.csv", 2)
    # The responses are lost; then the payee declines one transfer, which the query reports.
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    sandbox.control.faults.add("response-lost", times=50, path="/v3/fund-app/mch-transfer/transfer-bills")
    assert wxpay(*command).code == 5
    sandbox.control.decline("B00000000")
    query = "v3.fundApp.mchTransfer.transferBills.outBillNo._out_bill_no_.get"
    ran = wxpay(*command, "--query", query)
    assert ran.code == 7, ran.err
    first, second = results(tmp_path / "out.csv")
    assert (first["result.state"], second["result.state"]) == ("rejected", "succeeded")
    assert "state FAIL" in first["result.message"]


def test_a_query_that_finds_nothing_settles_nothing(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    table(tmp_path / "rows.csv", 1)
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    sandbox.control.faults.add("system-error", times=50, path="/v3/fund-app/mch-transfer/transfer-bills")
    query = "v3.fundApp.mchTransfer.transferBills.outBillNo._out_bill_no_.get"
    assert wxpay(*command, "--query", query).code == 5
    (row,) = results(tmp_path / "out.csv")
    assert row["result.state"] == "unknown"
    assert row["result.message"].startswith("the query: ")


def test_a_query_about_something_else_is_refused_before_anything_is_sent(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    """The state of an order does not say whether its refund was executed."""
    (tmp_path / "rows.csv").write_text("out_trade_no,out_refund_no,amount.refund\nT1,R1,1\n")
    command = ("bulk", "v3.refund.domestic.refunds.post", "rows.csv", "--out", "out.csv", "--profile", profile)
    constants = ("-p", "amount.total=1", "-p", "amount.currency=CNY")
    order = "v3.pay.transactions.outTradeNo._out_trade_no_.get"
    ran = wxpay(*command, *constants, "--query", order)
    assert (ran.code, "does not say out_refund_no" in ran.err) == (2, True), ran.err
    assert not (tmp_path / "out.csv.journal").exists()


def test_a_rate_limit_which_nobody_signs_does_not_send_twice_what_may_not_be_repeated(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("user_id\nuser1\n")
    constants = ("-p", "appid=wx8888888888888888", "-p", "openid=o", "-p", "plan_id=1")
    constants += ("-p", "period_start_date=2026-03-19", "-p", "trade_scene=EDUCATION_PERIOD")
    command = ("bulk", PRESIGN, "rows.csv", "--out", "out.csv", *constants, "--profile", profile)
    sandbox.control.faults.add("rate-limit", times=50, path="/v3/edu-papay/*")
    assert wxpay(*command).code == 5
    sandbox.control.faults.clear()
    ran = wxpay(*command)
    assert (ran.code, sandbox.control.list("contracts")) == (5, [])
    (row,) = results(tmp_path / "out.csv")
    assert (row["result.state"], row["result.code"]) == ("unknown", "FREQUENCY_LIMITED")
    assert "not signed" in row["result.message"]


def test_a_rate_limit_leaves_unsent_what_may_be_repeated(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("out_trade_no,amount.total\norder-0001,1\n")
    constants = ("-p", "appid=wx8888888888888888", "-p", f"mchid={sandbox.merchant.mchid}", "-p", "description=茶")
    constants += ("-p", "notify_url=https://127.0.0.1/none")
    command = ("bulk", "v3.pay.transactions.native.post", "rows.csv", "--out", "out.csv", *constants)
    command += ("--profile", profile)
    sandbox.control.faults.add("rate-limit", times=50, value=0, path="/v3/pay/*")
    ran = wxpay(*command, "--json")
    assert json.loads(ran.out)["not_sent"] == 1, ran.err
    sandbox.control.faults.clear()
    assert wxpay(*command).code == 0
    assert len(sandbox.control.list("transactions")) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--out", "rows.csv"), "--out rows.csv is the file of ROWS.CSV"),
        (("--out", "there/rows.csv"), "is the file of ROWS.CSV"),
        (("--out", "hard.csv"), "is the file of ROWS.CSV"),
        (("--out", "link.csv"), "is the file of ROWS.CSV"),
        (("--out", "out.csv", "--journal", "rows.csv"), "--journal rows.csv is the file of ROWS.CSV"),
        (("--out", "out.csv", "--journal", "out.csv"), "--out out.csv is the file of --journal"),
        (("--out", "out.csv", "--journal", "there/out.csv"), "--out out.csv is the file of --journal"),
        (("--out", "wxpay.toml"), "is the file of --profile"),
        (("--out", "out.csv", "--journal", "wxpay.toml"), "is the file of --profile"),
        (("--out", "out.csv", "--journal", "notes.txt"), "is not a journal"),
        (("--out", "out.csv", "--journal", "half.txt"), "is not a journal"),
        (("--out", "out.csv", "--journal", "lines.json"), "is not a journal"),
        (("--out", "out.csv", "--journal", "deep.json"), "is not a journal"),
    ],
)
def test_no_file_of_the_users_is_destroyed(
    options: tuple[str, ...], said: str, wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    table(tmp_path / "rows.csv", 2)
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("B9,o-9,30")  # the last line has no line end
    (tmp_path / "wxpay.toml").write_text(Path(profile).read_text())
    (tmp_path / "there").symlink_to(".")
    (tmp_path / "link.csv").symlink_to("rows.csv")
    (tmp_path / "hard.csv").hardlink_to(tmp_path / "rows.csv")
    (tmp_path / "notes.txt").write_text("to do: pay the bills\nand half a line")
    (tmp_path / "half.txt").write_text("half a line")
    (tmp_path / "lines.json").write_text('[1]\n{"row": 1, "digest": "", "state": "succeeded"}\n"half')
    (tmp_path / "deep.json").write_text("[" * 100_000 + "\n")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()}
    ran = wxpay("bulk", TRANSFER, "rows.csv", *options, *CONSTANTS, "--profile", "wxpay.toml")
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()} == before
    assert (tmp_path / "link.csv").is_symlink()
    assert sandbox.control.list("transfers") == []


@pytest.mark.parametrize(
    "entry",
    [
        '{"row":"1","digest":"","state":"succeeded"}',
        '{"row":0,"digest":"","state":"succeeded"}',
        '{"row":1,"digest":"","state":"paid"}',
        '{"row":1,"digest":5,"state":"succeeded"}',
        '{"row":1,"state":"succeeded"}',
        '{"row":1,"digest":"","state":"succeeded","more":1}',
        "[]",
        "{",
        "",
    ],
)
def test_a_damaged_journal_is_refused_and_left_as_it_is(
    entry: str, wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    table(tmp_path / "rows.csv", 1)
    assert wxpay(*command).code == 0
    journal = tmp_path / "out.csv.journal"
    damaged = journal.read_bytes() + entry.encode() + b"\nand half"
    journal.write_bytes(damaged)
    ran = wxpay(*command)
    assert (ran.code, "damaged" in ran.err) == (2, True), ran.err
    assert journal.read_bytes() == damaged


def test_a_journal_that_was_cut_short_goes_on(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    """Cut off in its first line, before anything was sent, or in its last."""
    command = ("bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS, "--profile", profile)
    table(tmp_path / "rows.csv", 2)
    assert wxpay(*command).code == 0
    journal = tmp_path / "out.csv.journal"
    whole = journal.read_bytes()
    for cut in (len(whole) - 3, 10, 0):
        journal.write_bytes(whole[:cut])
        assert wxpay(*command).code == 0
        assert journal.read_bytes().startswith(whole.partition(b"\n")[0] + b"\n")
    assert len(sandbox.control.list("transfers")) == 2


def test_a_pipe_is_no_journal(wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path) -> None:
    table(tmp_path / "rows.csv", 1)
    os.mkfifo(tmp_path / "pipe")
    ran = wxpay("bulk", TRANSFER, "rows.csv", "--out", "out.csv", "--journal", "pipe", *CONSTANTS, "--profile", profile)
    assert (ran.code, "not a regular file" in ran.err) == (2, True), ran.err


async def test_no_refusal_keeps_the_results_from_being_written(
    wxpay: Wxpay, sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    """It is not signed, and JSON can hold a lone surrogate, which UTF-8 cannot encode."""
    (tmp_path / "rows.csv").write_text("out_trade_no,out_refund_no,amount.refund\norder-1,R1,1\n")
    constants = ("-p", "amount.total=1", "-p", "amount.currency=CNY")
    refusal = rb'{"code": "\udc00", "message": "=1 \ud800", "detail": {"\ud800": "\udfff"}}'
    command = ("bulk", "v3.refund.domestic.refunds.post", "rows.csv", "--out", "out.csv", *constants)
    command += ("--profile", profile)
    async with RawServer() as server:
        server.script = [json_answer(refusal, "400 Bad Request")]
        ran = await asyncio.to_thread(wxpay, *command, env={"WXPAY_BASE_URL": server.url})
    assert ran.code == 7, ran.err
    (row,) = results(tmp_path / "out.csv")
    assert (row["result.code"], row["result.message"]) == ("\ufffd", "'=1 \ufffd")
    # Again, from the entries of the journal.
    ran = wxpay(*command, env={"WXPAY_BASE_URL": server.url})
    assert ran.code == 7, ran.err


def test_a_call_leaves_only_when_the_disk_has_the_row(tmp_path: Path) -> None:
    """``disk`` is the content of the journal at its last sync, all that a power failure would leave."""
    disk = b""
    seen: list[tuple[str, bytes]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal disk
        real(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            disk = (tmp_path / "journal").read_bytes()

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        number = json.loads(body)["out_bill_no"]
        seen.append((number, disk))
        return platform.signed(json.dumps({"out_bill_no": number, "state": "ACCEPTED"}).encode())

    def settled(entry: Entry) -> None:
        told = [json.loads(line) for line in disk.splitlines()[1:]]
        assert [each["state"] for each in told if each["row"] == entry.row] == ["sent", "succeeded"]

    platform = Platform(answer=answer)

    async def run_all() -> None:
        async with serving(platform):
            client = wechatpay(platform, platform_keys={PUB_KEY_ID: keys()[1].public_key()}, validate=False)
            target = target_of(client, TRANSFER)
            rows = [Row(number, {}, {"out_bill_no": f"B{number}"}, {}) for number in range(1, 21)]
            with Journal(tmp_path / "journal", {}) as journal:
                assert disk.startswith(b'{"journal":')
                async with client:
                    await run(Plan(target, repeatable=True), client, rows, journal, settled, asyncio.Event())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        asyncio.run(run_all())
    assert len(seen) == 20
    for number, had in seen:
        states = [
            json.loads(line)["state"] for line in had.splitlines()[1:] if json.loads(line)["row"] == int(number[1:])
        ]
        assert states == ["sent"], number


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_new_journals_name_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").resolve()))
    with Journal(tmp_path / "journal", {}):
        pass
    assert synced == [tmp_path / "journal", tmp_path]


def test_ctrl_c_ends_after_the_calls_that_are_under_way(
    sandbox: BackgroundSandbox, profile: str, tmp_path: Path
) -> None:
    # The rows take a hundred seconds, so some are left when the signal arrives.
    table(tmp_path / "rows.csv", 200)
    journal = tmp_path / "out.csv.journal"
    command = [sys.executable, "-m", "wxpay_dsl.cli", "bulk", TRANSFER, "rows.csv", "--out", "out.csv", *CONSTANTS]
    with subprocess.Popen(
        [*command, "--profile", profile, "--rate", "2"], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None and steps(journal) < 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 5
    states = [row["result.state"] for row in results(tmp_path / "out.csv")]
    assert {*states} == {"succeeded", "not_sent"}
    assert states.count("succeeded") == len(sandbox.control.list("transfers"))
