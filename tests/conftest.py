"""Selects the tests of a run by tiers and requirements, and summarises the tests that were left out."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest

from . import requirements, tiers

#: The number of tests that the tier left out. Every worker of pytest-xdist collects all tests and reports the number.
_LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--tier",
        choices=tiers.TIERS,
        help="the tests that run: quick (default for the whole suite), slow, or all (default for files that are named)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: left out of the quick tier (--tier)")
    config.addinivalue_line("markers", "requires(*names): skipped unless tests/requirements.py finds all of them")
    config.stash[_LEFT_OUT] = 0
    config.option.tier = tiers.chosen(config)  # workers inherit the option
    _keep_bytecode(config)


def _keep_bytecode(config: pytest.Config) -> None:
    """If Python is configured to write no bytecode, as in many containers, hundreds of processes would each compile the
    package again. Their bytecode is written to a temporary folder instead.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) and "PYTHONPYCACHEPREFIX" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="bytecode-")
        os.environ["PYTHONPYCACHEPREFIX"] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.hookimpl(trylast=True)  # after -k and -m, so that only selected tests are counted
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:], left_out = tiers.split(items, config.option.tier)
    config.stash[_LEFT_OUT] = len(left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = len(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Called when a worker of pytest-xdist has ended."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("requires"):
        for name in mark.args:
            requirements.require(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if report.longrepr]
    lines = requirements.summary(reasons)
    if count := config.stash[_LEFT_OUT]:
        other = "slow" if config.option.tier == "quick" else "quick"
        tests = "test" if count == 1 else "tests"
        lines.append(f"{count} {tests} of the {other} tier left out; to run all: {tiers.COMMAND}")
    if lines:
        terminalreporter.section("left out", sep="-")
        for line in lines:
            terminalreporter.line(line)
