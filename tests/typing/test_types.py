"""Runs mypy and pyright on small user programs, and compares their output with golden files.

Messages change from version to version; lines, severities, codes and revealed types do not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import wxpay_dsl
from wxpay_dsl.typing.files import write_overlay, write_packaged

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(600)

PROGRAMS = ("presign", "own_specs", "notifications")

OWN_SPECS = """\
path: /v3
operations:
  /my/thing:
    post:
      summary: A thing of our own
      body: {name: 名称, amount: {type: integer}}
      returns: {id: 编号}
  /edu-papay/contracts/archive:
    post:
      body: {contract_id: 签约协议号}
      returns: {archived: {type: boolean}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and newly generated stubs, user programs, and stubs of the user's specs."""
    root = tmp_path_factory.mktemp("user")
    package = root / "wxpay_dsl"
    package.mkdir()
    for entry in Path(wxpay_dsl.__file__).parent.iterdir():
        if entry.name not in ("typed", "__pycache__"):
            (package / entry.name).symlink_to(entry)
    write_packaged(package / "typed")
    specs = root / "specs"
    specs.mkdir()
    (specs / "shop.yaml").write_text(OWN_SPECS, "utf-8")
    write_overlay([str(specs)], root / "shop_pay")
    for name in PROGRAMS:
        (root / f"{name}.py").write_text((HERE / "programs" / f"{name}.py").read_text("utf-8"), "utf-8")
    return root


def mypy(project: Path) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--hide-error-context"]
    environment = {**os.environ, "MYPYPATH": str(project), "COLUMNS": "400"}
    run = subprocess.run(
        [*command, *(f"{program}.py" for program in PROGRAMS)],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    found: dict[str, list[str]] = {program: [] for program in PROGRAMS}
    for line in run.stdout.splitlines():
        match = re.match(r"(\w+)\.py:(\d+): (error|note): (.*)", line)
        if match is None:
            assert line.startswith("Found "), run.stdout + run.stderr
            continue
        program, number, severity, message = match.groups()
        if severity == "error":
            code = re.findall(r"\[([a-z-]+)\]", message)[-1]
            found[program].append(f"{number}: error {code}")
        elif message.startswith("Revealed type"):
            found[program].append(f"{number}: {message}")
    return found


def pyright(project: Path) -> dict[str, list[str]]:
    (project / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}', "utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "-p", "."]
    run = subprocess.run(
        [*command, *(f"{program}.py" for program in PROGRAMS)],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    found: dict[str, list[str]] = {program: [] for program in PROGRAMS}
    for diagnostic in json.loads(run.stdout)["generalDiagnostics"]:
        program = Path(diagnostic["file"]).stem
        number = diagnostic["range"]["start"]["line"] + 1
        rule = diagnostic.get("rule", "")
        if diagnostic["severity"] == "error":
            found[program].append(f"{number}: error {rule}")
        elif diagnostic["message"].startswith("Type of"):
            found[program].append(f"{number}: {diagnostic['message']}")
    return found


@pytest.mark.parametrize(
    "checker", [pytest.param(mypy, marks=pytest.mark.slow), pyright], ids=lambda checker: str(checker.__name__)
)
def test_a_checker_accepts_what_is_right_and_refuses_what_is_not(
    project: Path, checker: Callable[[Path], dict[str, list[str]]]
) -> None:
    """Checks all programs in one run, since the checker spends most of its time on the package."""
    found = checker(project)
    for program in PROGRAMS:
        golden = (HERE / "golden" / f"{program}.{checker.__name__}.txt").read_text("utf-8").splitlines()
        assert sorted(found[program]) == sorted(golden), program
