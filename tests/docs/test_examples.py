"""The examples in docs/examples run: on their real servers, against the sandbox, with its notifications."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.notify.redis_server import own_redis
from tests.ports import free_port
from wxpay_dsl.sandbox.background import BackgroundSandbox

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[BackgroundSandbox]:
    with BackgroundSandbox(home=tmp_path / "home") as sandbox:
        yield sandbox


@pytest.fixture
def start(tmp_path: Path, sandbox: BackgroundSandbox) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts an example in a folder of its own; what still runs at the end is killed, with its workers."""
    started = []

    def begin(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        for file in (ROOT / "docs" / "examples").glob("*.py"):
            shutil.copy(file, tmp_path)
        own = {"WXPAY_PROFILE": str(tmp_path / "home" / "wxpay.toml"), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
        output = (tmp_path / f"output-{len(started)}.txt").open("wb")
        with output:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=tmp_path,
                env={**kept, **own, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def call(url: str, data: Any = None, method: str | None = None) -> tuple[int, bytes]:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=100) as response:  # noqa: S310 (loopback)
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def until(holds: Callable[[], Any], seconds: float = 200) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = holds()
        except urllib.error.URLError:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def test_the_shop_sells_and_refunds(
    sandbox: BackgroundSandbox, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    port = free_port()
    shop = f"http://127.0.0.1:{port}"
    start("-m", "uvicorn", "shop_fastapi:app", "--port", str(port), NOTIFY_URL=f"{shop}/wxpay/notify")
    until(lambda: call(f"{shop}/orders/none")[0] == 404)
    assert call(f"{shop}/orders", {"description": "公仔", "total": 0.5})[0] == 422

    status, body = call(f"{shop}/orders", {"description": "公仔", "total": 880})
    order = json.loads(body)
    assert (status, order["state"], order["code_url"][:9]) == (201, "NOTPAY", "weixin://")
    assert call(f"{shop}/orders/{order['number']}/qr.svg")[1].lstrip().startswith((b"<svg", b"<?xml"))
    assert call(f"{shop}/orders/{order['number']}/refund", {})[0] == 409

    sandbox.control.pay(order["code_url"])
    until(lambda: f"paid {order['number']}: 880 fen" in (tmp_path / "output-0.txt").read_text())
    assert json.loads(call(f"{shop}/orders/{order['number']}")[1])["state"] == "PAID"

    for _ in range(2):
        assert call(f"{shop}/orders/{order['number']}/refund", {})[0] == 200
    until(lambda: json.loads(call(f"{shop}/orders/{order['number']}")[1])["state"] == "REFUNDED")
    assert [each["amount"] for each in sandbox.control.list("refunds")] == [880]


def test_the_service_hands_out_what_the_page_needs_and_asks_for_late_orders(
    sandbox: BackgroundSandbox, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # Its notifications lead nowhere: only asking can tell.
    start("service_aiohttp.py", PORT=str(port), NOTIFY_URL="https://www.example.com/nowhere", QUERY_AFTER="0.4")
    until(lambda: call(f"{url}/orders/none")[0] == 404)
    status, body = call(f"{url}/orders", {"description": "公仔", "total": 0.5, "openid": "o"})
    assert (status, b"body.amount.total" in body) == (400, True)
    status, body = call(f"{url}/orders", {"description": "公仔", "total": 5, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"})
    told = json.loads(body)
    assert status == 201
    assert {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"} <= told["params"].keys()
    sandbox.control.pay(told["number"])
    until(lambda: json.loads(call(f"{url}/orders/{told['number']}")[1])["state"] == "SUCCESS")


@pytest.mark.slow
def test_killed_workers_lose_no_transfer_and_double_none(
    sandbox: BackgroundSandbox, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """Three workers; one after the other is killed while it works, and replaced."""
    amounts = {f"Q{number:07}": 30 + number for number in range(90)}
    lines = "".join(f"{number},o-1,{amount}\n" for number, amount in amounts.items())
    (tmp_path / "rows.csv").write_text(f"out_bill_no,openid,amount\n{lines}")
    sandbox.control.faults.add("delay", value=0.3, share=0.5)
    sandbox.control.faults.add("response-lost", share=0.05, path="/v3/fund-app/*")
    chance = random.Random(8)  # noqa: S311 (when to kill, nothing secret)
    with own_redis() as redis:
        environment = {"REDIS_URL": redis.url, "JOB_TIMEOUT": "2"}

        def worker() -> subprocess.Popen[bytes]:
            return start("-m", "saq", "bulk_transfer.settings", "--quiet", **environment)

        workers = [worker() for _ in range(3)]
        watcher = start("bulk_transfer.py", "rows.csv", **environment)
        for kill in range(6):
            enough = min(len(sandbox.control.list("transfers")) + chance.randint(1, 6), len(amounts))
            until(lambda enough=enough: len(sandbox.control.list("transfers")) >= enough)
            end(workers[kill % 3])
            workers[kill % 3] = worker()
        assert watcher.wait(600) == 0
    told = [json.loads(line) for line in (tmp_path / "output-3.txt").read_text().splitlines()]
    assert {each["out_bill_no"] for each in told} == {*amounts}
    assert {each["status"] for each in told} == {"complete"}
    booked = [(each["out_bill_no"], each["amount"]) for each in sandbox.control.list("transfers")]
    assert sorted(booked) == sorted(amounts.items())
