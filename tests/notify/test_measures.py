"""What the measures must show: every effect exactly once, and little time beside what the cryptography takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def measured(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench", *arguments, "--json", "-"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("store", ["sqlite", "redis", "memory"])
def test_four_processes_with_fifty_deliveries_each_have_each_effect_once(store: str) -> None:
    figures = measured("once", "--store", store)[store]
    assert figures["events"] == figures["effects"] == 2000
    assert figures["deliveries"] >= 6000
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert figures["events_per_s"] > 0


def test_a_notification_costs_little_beside_the_bare_primitives() -> None:
    figures = measured("notify", "--quick")
    assert figures["ratio"] == pytest.approx(figures["us"] / figures["bare_us"], abs=0.01)
    assert figures["crypto_us"] < figures["bare_us"] < figures["handle_us"]
    # Other tests run beside this one, and a busy machine is rarely busy for all alike: one quiet round of three counts.
    ratios = [figures["ratio"]]
    while min(ratios) > 1.15 and len(ratios) < 3:
        ratios.append(measured("notify")["ratio"])
    assert min(ratios) <= 1.15, ratios
