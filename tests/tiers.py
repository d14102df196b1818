"""The two tiers of the suite: ``quick`` for every change, and ``slow``, which takes several times as long.

A slow test is marked ``@pytest.mark.slow``. ``--tier`` selects: ``quick`` skips slow tests, ``slow`` runs only those,
``all`` runs everything. The default is ``quick`` for the whole suite, and ``all`` if the command names files or tests.
"""

from __future__ import annotations

import pytest

__all__ = ["COMMAND", "TIERS", "chosen", "split"]

TIERS = ("quick", "slow", "all")
#: The command that runs everything.
COMMAND = ".venv/bin/python -m pytest -n 2 --tier all"


def chosen(config: pytest.Config) -> str:
    """The tier of this run."""
    tier = config.getoption("tier")
    if tier is not None:
        return str(tier)
    return "all" if config.args_source is pytest.Config.ArgsSource.ARGS else "quick"


def split(items: list[pytest.Item], tier: str) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that ``tier`` runs, and those that it leaves out, in their order."""
    if tier == "all":
        return items, []
    runs, left_out = [], []
    for item in items:
        slow = item.get_closest_marker("slow") is not None
        (runs if slow == (tier == "slow") else left_out).append(item)
    return runs, left_out
