"""Clocks that jump: of this machine, of the service, and of the lease of a claim."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.processes import ROOT
from wxpay_dsl import ClockSkewError, Wechatpay
from wxpay_dsl.notify import Claim, ClaimLostError
from wxpay_dsl.notify.stores import Finished
from wxpay_dsl.notify.stores.sqlite import SqliteStore
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.background import BackgroundSandbox

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

HOUR = 3600.0


class Clock:
    """The process's Unix time, and its offset in seconds."""

    def __init__(self) -> None:
        self.off = 0.0

    def __call__(self) -> float:
        return time.time() + self.off


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


def ask(wxpay: Wechatpay) -> Any:
    return wxpay.v3.certificates.get()


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, 301, -400])
async def test_a_service_whose_clock_jumps_is_not_believed_and_then_is_again(seconds: float, sandbox: Sandbox) -> None:
    async with Wechatpay(**sandbox.credentials) as wxpay:
        assert (await ask(wxpay)).status == 200
        sandbox.control.faults.add("stale-timestamp", value=seconds)
        with pytest.raises(ClockSkewError, match="run NTP"):
            await ask(wxpay)
        sandbox.control.faults.clear()
        assert (await ask(wxpay)).status == 200


@pytest.mark.parametrize("years", [1, 10], ids=["", "beyond the certificates' end"])
@pytest.mark.parametrize("keys", ["public-key", "certificates"])
def test_this_machine_s_clock_jumps_and_comes_back(keys: str, years: int, tmp_path: Path) -> None:
    """Far ahead, far back, and correct again each time, after which the next call succeeds at once."""
    far = HOUR if years == 1 else years * 366 * 86400
    jumps = [0, far, 0, -far, 0, 250, -250]
    with BackgroundSandbox(home=tmp_path):
        ran = subprocess.run(
            [sys.executable, "-m", "tests.faults.jumping", keys, *map(str, jumps)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    told = ran.stdout.split()
    assert [told[place] for place in (0, 2, 4, 5, 6)] == ["200"] * 5
    # Messages signed at another time are refused; nothing is sent while the keys seem to have expired.
    assert {told[1], told[3]} <= {"SignError", "ClockSkewError", "ConfigurationError"}


class TestLeases:
    """Leases in SQLite use the clock of the machine, which all its processes share."""

    async def test_a_jump_forward_gives_a_claim_away_and_its_holder_can_mark_nothing(self, tmp_path: Path) -> None:
        clock = Clock()
        holder = SqliteStore(tmp_path / "shop.db", clock=clock)
        other = SqliteStore(tmp_path / "shop.db", clock=clock)
        mine, theirs = Claim("EV-1"), Claim("EV-1")
        assert await holder.claim(mine, 60) is True
        clock.off = HOUR
        assert await other.claim(theirs, 60) is True
        # The effect and the mark are one transaction: the holder's is rolled back.
        with closing(sqlite3.connect(tmp_path / "shop.db")) as database, pytest.raises(ClaimLostError):
            holder.mark_done(mine, database)
        assert await other.done(theirs, b"") is True
        assert await holder.done(mine, b"") is False
        assert await holder.claim(mine, 60) == Finished(b"")
        await holder.close()
        await other.close()

    async def test_a_jump_back_neither_loses_what_is_held_nor_what_is_done(self, tmp_path: Path) -> None:
        clock = Clock()
        store = SqliteStore(tmp_path / "shop.db", clock=clock)
        held, done = Claim("EV-1"), Claim("EV-2")
        assert await store.claim(held, 60) is True
        assert await store.claim(done, 60) is True
        assert await store.done(done, b"x") is True
        clock.off = -HOUR
        assert await store.claim(Claim("EV-1"), 60) is False
        assert await store.claim(Claim("EV-2"), 60) == Finished(b"x")
        assert await store.done(held, b"") is True
        assert await store.claim(Claim("EV-1"), 60) == Finished(b"")
        await store.close()
