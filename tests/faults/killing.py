"""Kills programs at random points; afterwards the records of all sides must agree."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from attrs import field, frozen

from tests.faults.ledger import entries
from tests.faults.processes import Program, listens, sandbox_program, strike
from tests.faults.shop import refunded, total_of
from tests.notify.redis_server import RedisServer
from tests.patience import wait_until
from tests.ports import free_port
from wxpay_dsl.sandbox.background import BackgroundSandbox
from wxpay_dsl.sandbox.domain.accounts import OPENING_BALANCE

__all__ = ["ROUNDS", "Outcome"]


@frozen
class Outcome:
    """What a round did, and where the records disagree."""

    kills: Counter[str] = field(factory=Counter)
    #: What happened, counted: orders, transfers, files …
    done: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)

    def check(self, name: str, one: object, other: object) -> None:
        """Records an error unless both are equal."""
        if one != other:
            self.wrong.append(f"{name}: {one!r:.500} is not {other!r:.500}")


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wxpay-faults-") as made:
        yield Path(made)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def payments(chance: Random, kills: int) -> Outcome:
    """Orders, payments, refunds and transfers, while the shop or the service is killed."""
    outcome, count = Outcome(), 4 + 2 * kills
    with folder() as here, sandbox_program(here, free_port()) as sandbox:
        ledger = here / "ledger.jsonl"
        with Program("client", here, "-m", "tests.faults.shop", str(count)) as shop:
            for _ in range(kills):
                if shop.code() is not None:
                    break
                strike([shop, sandbox], chance, lambda: lines(ledger), outcome.kills, 14)
            wait_until(lambda: shop.code() is not None, "the shop's end")
            outcome.check("the shop's end", shop.code(), 0)
            if shop.code() != 0:
                outcome.wrong.append(shop.log.read_text()[-2000:])
        sandbox.stop()
        outcome.kills["sandbox"] += 1
        compare_shop(here, count, outcome)
    return outcome


def compare_shop(here: Path, count: int, outcome: Outcome) -> None:
    """Compares the shop's ledger with the service's records, to the fen."""
    last = {entry["thing"]: entry for entry in entries(here / "ledger.jsonl")}
    with BackgroundSandbox(home=here / "home") as books:
        transactions = {each["out_trade_no"]: each for each in books.control.list("transactions")}
        refunds = {each["out_refund_no"]: each for each in books.control.list("refunds")}
        transfers = {each["out_bill_no"]: each for each in books.control.list("transfers")}
        entered = [each["amount"] for each in books.control.list("ledger_entries")]
        account = next(each for each in books.control.list("accounts") if each["mchid"] == books.merchant.mchid)
    sold = {f"T{number:08}": total_of(number) for number in range(count)}
    outcome.check("what was paid", {name: each["total"] for name, each in transactions.items()}, sold)
    outcome.check("what the shop was paid", {name: last[name]["total"] for name in sold if name in last}, sold)
    outcome.check("states of orders", {last.get(name, {}).get("state") for name in sold}, {"paid"})
    given = {f"R{number:08}": total_of(number) for number in range(count) if refunded(number)}
    outcome.check("what was refunded", {name: each["amount"] for name, each in refunds.items()}, given)
    outcome.check("what the shop refunded", {name: last[name]["total"] for name in given if name in last}, given)
    # Each person is paid once, under whichever number.
    out = sorted(each["openid"] for each in transfers.values())
    outcome.check("who got a transfer", out, sorted(f"o-{number}" for number in range(count)))
    mine = {last[f"B{number:06}"]["bill"]: 30 + number for number in range(count) if f"B{number:06}" in last}
    outcome.check("transfers", {name: each["amount"] for name, each in transfers.items()}, mine)
    done_all_the_same = [
        entry["bill"] for entry in last.values() if entry["state"] == "not" and entry["bill"] in transfers
    ]
    outcome.check("what was said not to be done", done_all_the_same, [])
    outcome.check("the account", account["balance"], OPENING_BALANCE + sum(entered))
    outcome.done.update(orders=len(transactions), refunds=len(refunds), transfers=len(transfers))
    outcome.done["said not to be done"] += sum(entry["state"] == "not" for entry in last.values())


def notifications_sqlite(chance: Random, kills: int) -> Outcome:
    """Payments that are notified of, twice at once and once more, while receiver or service is killed: each is booked
    once, since the effect and its mark are one transaction."""
    return notified(chance, kills, "shop.db", None)


def notifications_redis(chance: Random, kills: int) -> Outcome:
    """The same with a Redis that is killed, too. Only a kill between effect and mark may repeat an effect."""
    with folder() as data:
        redis = RedisServer(data)
        redis.start()
        try:
            return notified(chance, kills, redis.url, redis)
        finally:
            redis.stop()


def notified(chance: Random, kills: int, store: str, redis: RedisServer | None) -> Outcome:
    outcome, count = Outcome(), 4 + 3 * kills
    port, receiving = free_port(), free_port()
    url = f"http://127.0.0.1:{receiving}/notify"
    with folder() as here:
        sandbox = sandbox_program(
            here, port, lambda: control(port, "notifications", {"speed": 300, "copies": 2, "redeliver": True})
        )
        receive = ("-m", "tests.faults.receiver", str(receiving), store)
        receiver = Program("receiver", here, *receive, ready=lambda: listens(receiving))
        with sandbox, receiver, Program("client", here, "-m", "tests.faults.shop", str(count), url) as shop:
            victims: list[Any] = [receiver, sandbox, *([Killed("redis", redis)] if redis is not None else [])]
            for _ in range(kills):
                strike(victims, chance, lambda: len(booked(here)), outcome.kills, 4)
            wait_until(lambda: shop.code() is not None, "the shop's end")
            wait_until(lambda: not pending(port), "the deliveries' end")
            told = {each["id"] for each in control(port, "notifications") if each["state"] == "accepted"}
        compare_bookings(here, count, told, outcome)
    return outcome


class Killed:
    """A Redis server that can be killed, with the name for the counts."""

    def __init__(self, name: str, server: RedisServer) -> None:
        self.name, self.start, self.stop = name, server.start, server.stop


def compare_bookings(here: Path, count: int, told: set[str], outcome: Outcome) -> None:
    payments = booked(here)
    paid = {f"T{number:08}": total_of(number) for number in range(count)}
    twice = [number for number, times in Counter(number for number, _, _ in payments).items() if times > 1]
    outcome.check("booked twice", twice, [])
    totals = {number: total for number, total, _ in payments}
    outcome.check("wrong sums", {number: total for number, total in totals.items() if paid.get(number) != total}, {})
    outcome.check("accepted and not booked", told - {event for _, _, event in payments}, set())
    # After a restart, the service delivers what it had not delivered.
    outcome.check("never booked", paid.keys() - totals.keys(), set())
    with closing(sqlite3.connect(here / "shop.db")) as database:
        runs = database.execute("SELECT count(*) - count(DISTINCT event) FROM runs").fetchone()[0]
    crashes = outcome.kills["receiver"] + outcome.kills["redis"]
    if runs > crashes * 8:  # so many handlers ran at the same time
        outcome.wrong.append(f"handled again: {runs} times after {crashes} crashes")
    outcome.done.update(payments=len(payments))
    outcome.done["handled again after a crash"] += runs


def booked(here: Path) -> list[tuple[str, int, str]]:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(here / "shop.db", timeout=30)) as database:
        return database.execute("SELECT number, total, event FROM payments").fetchall()
    return []


def control(port: int, name: str, fields: Any = None) -> Any:
    """Calls the sandbox's control API: a step with fields, a listing without."""
    data = None if fields is None else json.dumps(fields).encode()
    url = f"http://127.0.0.1:{port}/sandbox/{name}"
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 (loopback)
        return json.load(response)


def pending(port: int) -> int:
    return sum(each["state"] == "pending" for each in control(port, "notifications"))


TRANSFER = (
    *("v3.fundApp.mchTransfer.transferBills.post", "rows.csv", "--out", "out.csv"),
    *("-p", "appid=wx8888888888888888", "-p", "transfer_remark=报销", "-p", "transfer_scene_id=1000"),
    *("-p", 'transfer_scene_report_infos=[{"info_type": "活动名称", "info_content": "新会员有礼"}]'),
)
PRESIGN = (
    *("v3.eduPapay.contracts.presign.post", "rows.csv", "--out", "out.csv"),
    *("-p", "appid=wx8888888888888888", "-p", "openid=o", "-p", "plan_id=1"),
    *("-p", "period_start_date=2026-03-19", "-p", "trade_scene=EDUCATION_PERIOD"),
)


def bulk(chance: Random, kills: int) -> Outcome:
    """``wxpay bulk`` pays a table, killed and started again, and the service with it: each row is paid once."""
    outcome, count = Outcome(), 20 + 8 * kills
    rows = {f"B{number:08}": 30 + number for number in range(count)}
    table = "out_bill_no,openid,transfer_amount\n" + "".join(f"{name},o,{fen}\n" for name, fen in rows.items())
    with folder() as here:
        states = run_bulk(here, table, TRANSFER, chance, kills, outcome)
        outcome.check("results", states, Counter(succeeded=count))
        with BackgroundSandbox(home=here / "home") as books:
            transfers = [(each["out_bill_no"], each["amount"]) for each in books.control.list("transfers")]
        outcome.check("transfers", sorted(transfers), sorted(rows.items()))
    outcome.done["rows"] += count
    return outcome


def bulk_once(chance: Random, kills: int) -> Outcome:
    """The same with calls that must not be repeated: none is, and each that is reported as succeeded did succeed."""
    outcome, count = Outcome(), 20 + 8 * kills
    with folder() as here:
        users = [f"user{number:05}" for number in range(count)]
        states = run_bulk(here, "user_id\n" + "\n".join(users) + "\n", PRESIGN, chance, kills, outcome)
        outcome.check("rows without a result", count - states["succeeded"] - states["unknown"], 0)
        with BackgroundSandbox(home=here / "home") as books:
            made = Counter(each["echoed"]["user_id"] for each in books.control.list("contracts"))
        outcome.check("done twice", [user for user, times in made.items() if times > 1], [])
        with (here / "out.csv").open(encoding="utf-8-sig", newline="") as file:
            told = {row["user_id"] for row in csv.DictReader(file) if row["result.state"] == "succeeded"}
        outcome.check("said to be done and not done", told - made.keys(), set())
    outcome.done["rows"] += count
    outcome.done["rows of unknown outcome"] += states["unknown"]
    return outcome


def run_bulk(
    here: Path, table: str, command: tuple[str, ...], chance: Random, kills: int, outcome: Outcome
) -> Counter[str]:
    """Runs the table to its end; returns the number of rows in each state."""
    (here / "rows.csv").write_text(table)
    journal = here / "out.csv.journal"
    arguments = ("-m", "wxpay_dsl.cli", "bulk", *command, "--profile", "home/wxpay.toml", "--concurrency", "4")
    with sandbox_program(here, free_port()) as sandbox, Program("client", here, *arguments) as client:
        for _ in range(kills):
            strike([client, sandbox], chance, lambda: lines(journal), outcome.kills, 16)
            if client.code() is not None:
                client.start()
        while True:
            wait_until(lambda: client.code() is not None, "the run's end")
            states = results(here / "out.csv")
            if not states["not_sent"] and states.total() and client.code() in (0, 5):
                return states
            client.start()


def results(path: Path) -> Counter[str]:
    if not path.exists():
        return Counter()
    with path.open(encoding="utf-8-sig", newline="") as file:
        return Counter(row["result.state"] for row in csv.DictReader(file))


def downloads(chance: Random, kills: int) -> Outcome:
    """Saves bills while the client or the service is killed: a file is complete or does not exist."""
    outcome, count, port = Outcome(), 2 + kills, free_port()
    content = chance.randbytes(2_000_000).hex().encode()
    with folder() as here:
        with BackgroundSandbox(home=here / "home"):
            pass  # which writes the keys
        (here / "bill.csv").write_bytes(content)
        files = here / "files"
        server = Program("server", here, "-m", "tests.faults.file_server", str(port), ready=lambda: listens(port))
        arguments = ("-m", "tests.faults.fetch", f"http://127.0.0.1:{port}", str(count))
        with server, Program("client", here, *arguments) as client:
            for _ in range(kills):
                strike([client, server], chance, lambda: size_of(files) >> 18, outcome.kills, 24)
                look(files, content, outcome)
            wait_until(lambda: client.code() is not None, "the downloads' end")
            outcome.check("the client's end", client.code(), 0)
        outcome.check("files", len(look(files, content, outcome)), count)
        left = list(files.glob(".*.part"))
        # Only a killed process may leave a temporary file.
        if len(left) > outcome.kills["client"]:
            outcome.wrong.append(f"{len(left)} parts were left by {outcome.kills['client']} kills")
        outcome.done.update(files=count, parts=len(left))
    return outcome


def size_of(files: Path) -> int:
    total = 0
    for file in files.iterdir() if files.exists() else ():
        with suppress(FileNotFoundError):  # it has just got its name
            total += file.stat().st_size
    return total


def look(files: Path, content: bytes, outcome: Outcome) -> list[Path]:
    """The files under their final names, each of which must be complete."""
    found = sorted(files.glob("bill-*.csv"))
    digest = hashlib.sha256(content).digest()
    broken = [file.name for file in found if hashlib.sha256(file.read_bytes()).digest() != digest]
    outcome.wrong.extend(f"{name} is not whole" for name in broken)
    return found


#: Each takes a source of chance and how often to kill.
ROUNDS: dict[str, Callable[[Random, int], Outcome]] = {
    "payments": payments,
    "notifications-sqlite": notifications_sqlite,
    "notifications-redis": notifications_redis,
    "bulk": bulk,
    "bulk-once": bulk_once,
    "downloads": downloads,
}
