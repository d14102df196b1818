"""The threat model names a module for each check and a test for each attack: all of them exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/security.md").read_text("utf-8")
NAMED = re.findall(r"`((?:wxpay_dsl|tests)/[\w/.]+(?:::\w+)?)`", PAGE)
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "tests/" in line]


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_what_is_named_is_there(name: str) -> None:
    file, _, test = name.partition("::")
    assert (ROOT / file).exists()
    if test:
        tree = ast.parse((ROOT / file).read_bytes())
        assert test in {node.name for node in ast.walk(tree) if hasattr(node, "name")}


def test_each_attack_has_a_proof() -> None:
    assert len(ROWS) > 35
    for row in ROWS:
        assert len(row) == 3, row
        assert "tests/" in row[2], row
        assert "wxpay_dsl/" in row[1] or "none backtracks" in row[1], row


def test_every_file_of_attacks_is_in_the_model() -> None:
    files = {f"tests/attacks/{file.name}" for file in (ROOT / "tests/attacks").glob("test_*.py")}
    assert files == {name.partition("::")[0] for name in NAMED if name.startswith("tests/attacks/")}
