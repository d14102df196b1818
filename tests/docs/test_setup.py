"""The two commands that do all set-up, as a reader of the README runs them: in a fresh clone.

The second one, which runs the tests, cannot run inside a test of its own: ``.ci/run`` takes it from the README and
runs it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks
from tests.requirements import require

THIS = "tests/docs/test_setup.py"


def commands() -> list[Block]:
    return [block for block in blocks(ROOT / "README.md") if block.said.get("run by") == THIS]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_first_command_ends_in_a_verified_call(tmp_path: Path) -> None:
    require("package index")
    clone = tmp_path / "wxpay_dsl"
    subprocess.run([require("git"), "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WXPAY_") and name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    first, _ = commands()
    ran = subprocess.run(
        [require("bash"), "-c", first.text], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    token = re.search(r'"presign_token": "([^"]+)"', ran.stdout)
    assert token
    assert re.search(rf"^verified .*{re.escape(token[1])}$", ran.stdout, re.MULTILINE)


def test_the_second_command_is_what_the_project_s_own_checks_run() -> None:
    _, second = commands()
    found = subprocess.run(
        [require("bash"), "-c", "source .ci/run --functions-only && readme_command"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == second.text
