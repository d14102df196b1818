"""The two tiers of the suite: ``quick``, which a newcomer waits for, and ``slow``, which takes several times as long.

A slow test is marked ``@pytest.mark.slow``. ``--tier`` chooses: ``quick`` leaves slow tests out, ``slow`` runs no
others, ``all`` runs everything. Without ``--tier`` a run of the whole suite is quick; a run whose command names files
or tests runs all of those, since they were asked for.
"""

from __future__ import annotations

import pytest

__all__ = ["COMMAND", "TIERS", "chosen", "split"]

TIERS = ("quick", "slow", "all")
#: Runs everything.
COMMAND = ".venv/bin/python -m pytest -n 2 --tier all"


def chosen(config: pytest.Config) -> str:
    """The tier of this run."""
    tier = config.getoption("tier")
    if tier is not None:
        return str(tier)
    return "all" if config.args_source is pytest.Config.ArgsSource.ARGS else "quick"


def split(items: list[pytest.Item], tier: str) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that ``tier`` runs, and those that it leaves out; each in their order."""
    if tier == "all":
        return items, []
    runs, left_out = [], []
    for item in items:
        slow = item.get_closest_marker("slow") is not None
        (runs if slow == (tier == "slow") else left_out).append(item)
    return runs, left_out
