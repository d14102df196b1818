"""What the measures must show: every effect exactly once, and little time beside what the cryptography takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require


def measured(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench", *arguments, "--json", "-"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "redis", "memory"])
def test_four_processes_with_fifty_deliveries_each_have_each_effect_once(store: str) -> None:
    if store == "redis" and "WXPAY_TEST_REDIS" not in os.environ:
        require("redis-server")
    figures = measured("once", "--store", store)[store]
    assert figures["events"] == figures["effects"] == 2000
    assert figures["deliveries"] >= 6000
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert figures["events_per_s"] > 0


@pytest.mark.slow
def test_a_notification_costs_little_beside_the_bare_primitives() -> None:
    # Other tests run beside this one, and a busy machine is rarely busy for all alike: one quiet round of many counts.
    tried = [measured("notify", "--quick")]
    ends = time.monotonic() + 80
    while not _good(tried[-1]) and time.monotonic() < ends:
        tried.append(measured("notify", "--quick"))
    assert _good(tried[-1]), tried


def _good(figures: dict[str, Any]) -> bool:
    assert figures["ratio"] == pytest.approx(figures["us"] / figures["bare_us"], abs=0.01)
    return figures["ratio"] <= 1.15 and figures["crypto_us"] < figures["bare_us"] < figures["handle_us"]
