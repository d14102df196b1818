"""One client in two processes after a fork, and in two event loops: it works, or raises an error that explains why."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.processes import ROOT
from tests.requirements import require
from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox.background import BackgroundSandbox

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    with BackgroundSandbox(home=home):
        yield home


def forked(home: Path, *case: str, **environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
    ran = subprocess.run(
        # Python warns of a fork in a process with threads, which is tested here.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.faults.forking", *case],
        cwd=home,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return sorted(ran.stdout.splitlines())


@pytest.mark.parametrize("case", ["unused", "used", "inside", "downloading", "threaded"])
def test_a_client_that_was_made_before_a_fork_works_in_both_processes(case: str, home: Path) -> None:
    assert forked(home, case) == ["child 200", "parent 200"]


def test_and_while_it_rests_in_another_thread(home: Path) -> None:
    assert forked(home, "other-thread") == ["child 200"] * 3 + ["parent 200"]


def test_a_token_that_the_parent_has_open_is_the_parent_s(home: Path, tmp_path: Path) -> None:
    """A PKCS#11 session does not survive a fork: the error in the child says what to do instead."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")}
    for command in (
        ("--init-token", "--free", "--label", "merchant", "--so-pin", "12345678", "--pin", "1234"),
        ("--import", str(home / "apiclient_key.pem"), "--token", "merchant", "--label", "wxpay", "--id", "01"),
    ):
        subprocess.run(
            [require("softhsm2-util"), *command, "--pin", "1234"], check=True, capture_output=True, env=environment
        )
    child, parent = forked(home, "token", require("softhsm2"), "merchant", SOFTHSM2_CONF=environment["SOFTHSM2_CONF"])
    assert parent == "parent 200"
    assert child.startswith("child ConfigurationError PKCS#11")
    assert "forked" in child


async def order(wxpay: Wechatpay, number: str) -> Any:
    return await wxpay.v3.pay.transactions.native.post(
        appid="wx8888888888888888",
        mchid=wxpay.settings.mchid,
        description="公仔",
        out_trade_no=number,
        notify_url="https://www.example.com/notify",
        amount={"total": 100},
    )


@pytest.mark.parametrize("certificates", [False, True], ids=["public key", "certificates on their way"])
def test_one_client_in_four_event_loops_at_once(certificates: bool) -> None:
    with BackgroundSandbox() as sandbox:
        wxpay = Wechatpay(**{**sandbox.credentials, **({"platform_keys": {}} if certificates else {})})
        statuses: list[int] = []
        together = threading.Barrier(4)

        async def work(name: int) -> None:
            together.wait(60)
            responses = await asyncio.gather(*(order(wxpay, f"L{name}x{number}") for number in range(10)))
            statuses.extend(response.status for response in responses)

        threads = [threading.Thread(target=lambda name=name: asyncio.run(work(name))) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        asyncio.run(wxpay.close())
        assert statuses == [200] * 40
        assert len(sandbox.control.list("transactions")) == 40


def test_a_loop_that_is_stopped_in_the_middle_of_a_call_leaves_the_client_to_the_next() -> None:
    with BackgroundSandbox() as sandbox:
        wxpay = Wechatpay(**{**sandbox.credentials, "platform_keys": {}, "max_connections": 1})
        for turns in range(1, 30):

            async def begin(turns: int = turns) -> None:
                task = asyncio.ensure_future(order(wxpay, "T1"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()

            asyncio.run(begin())
        assert asyncio.run(order(wxpay, "T1")).status == 200
        asyncio.run(wxpay.close())
