"""Rules of the suite itself: how programs are found, how tests are left out, and the summary of a run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.requirements import REQUIREMENTS

TESTS = Path(__file__).parent
#: These files contain what the rules forbid elsewhere.
EXEMPT = (TESTS / "requirements.py", Path(__file__))
FILES = [file for file in sorted(TESTS.rglob("*.py")) if "node_modules" not in file.parts and file not in EXEMPT]

#: Names that find a program or leave out a test, instead of ``tests.requirements.require``.
FORBIDDEN = ("which", "find_executable", "importorskip", "skip", "skipTest", "SkipTest", "xfail")
#: Conditions for the kind of operating system, the only ones that ``skipif`` may have.
SYSTEMS = ("os.name ", "sys.platform ", "not Path('/proc/")
#: The calls that start a program, and the programs that every POSIX system has.
STARTS = re.compile(r"subprocess\.\w+|asyncio\.create_subprocess_\w+|os\.(exec|spawn|posix_spawn)\w*|os\.system")
ALWAYS = ("sh", "env")


def problems(source: str) -> list[str]:
    """``LINE: REASON`` for each place in ``source`` that finds a program or leaves out a test by other means."""
    tree = ast.parse(source)
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    return [f"{node.lineno}: {reason}" for node in ast.walk(tree) for reason in _reasons(node, assigned)]  # type: ignore[attr-defined]


def _reasons(node: ast.AST, assigned: list[ast.Assign]) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module in ("pytest", "shutil", "unittest", "os"):
        yield from (f"imports {alias.name}" for alias in node.names if alias.name in (*FORBIDDEN, "environ"))
    elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
        yield ast.unparse(node)
    elif isinstance(node, ast.Call):
        function = ast.unparse(node.func)
        if function == "pytest.mark.skipif" and not ast.unparse(node.args[0]).startswith(SYSTEMS):
            yield ast.unparse(node)
        elif function in ("require", "requirements.require", "pytest.mark.requires"):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            yield from (f"{name!r} is not declared" for name in names if name not in REQUIREMENTS)
        elif function != "pytest.mark.parametrize":
            yield from _named_programs(node, assigned, starts=STARTS.fullmatch(function) is not None)


def _named_programs(call: ast.Call, assigned: list[ast.Assign], *, starts: bool) -> Iterator[str]:
    """Programs that are named in the first argument of a call that starts one, or first in a list argument."""
    for number, argument in enumerate(call.args):
        value = argument.value if isinstance(argument, ast.Starred) else argument
        before = [each.value for each in assigned if each.lineno < call.lineno and _is(each.targets[0], value)]
        value = max(before, key=lambda each: each.lineno) if starts and before else value
        listed = isinstance(value, ast.List | ast.Tuple)
        first = value.elts[0] if isinstance(value, ast.List | ast.Tuple) and value.elts else value
        name = first.value if isinstance(first, ast.Constant) else None
        if not isinstance(name, str) or name in ALWAYS:
            continue
        if (starts and number == 0) or (listed and name in REQUIREMENTS):
            yield f"names the program {name.partition(' ')[0]!r}"


def _is(one: ast.expr, other: ast.expr) -> bool:
    return ast.unparse(one) == ast.unparse(other)


def test_programs_are_found_and_tests_left_out_in_one_place() -> None:
    found = {str(file.relative_to(TESTS)): problems(file.read_text("utf-8")) for file in FILES}
    assert {name: reasons for name, reasons in found.items() if reasons} == {}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("shutil.which('node')", "shutil.which"),
        ("from shutil import which", "imports which"),
        ("pytest.importorskip('redis')", "pytest.importorskip"),
        ("pytest.skip('no node')", "pytest.skip"),
        ("skip = pytest.fail if CI else pytest.skip", "pytest.skip"),
        ("@pytest.mark.skip\ndef test(): ...", "pytest.mark.skip"),
        ("pytest.mark.skipif(not NODE, reason='no node')", "pytest.mark.skipif(not NODE, reason='no node')"),
        ("require('nodejs')", "'nodejs' is not declared"),
        ("pytest.mark.requires('git', 'gti')", "'gti' is not declared"),
        ("subprocess.run(['openssl', 'version'])", "names the program 'openssl'"),
        ("subprocess.run('openssl version', shell=True)", "names the program 'openssl'"),
        ("command = ['anything', '--version']\nsubprocess.Popen(command)", "names the program 'anything'"),
        ("asyncio.create_subprocess_exec('node', '-e', code)", "names the program 'node'"),
        ("asyncio.create_subprocess_exec(*('bash', '-c', code))", "names the program 'bash'"),
        ("ran(home, ['bash'], code)", "names the program 'bash'"),
    ],
)
def test_another_way_is_found(source: str, reason: str) -> None:
    assert [problem.partition(": ")[2] for problem in problems(source)] == [reason]


def test_the_way_that_is_meant_is_no_problem() -> None:
    source = """
@pytest.mark.skipif(os.name != "posix", reason="only POSIX forks")
@pytest.mark.requires("git")
def test():
    subprocess.run([require("openssl"), "version"])
    subprocess.run([sys.executable, "-c", program])
    subprocess.run(["sh", "-c", script])
"""
    assert problems(source) == []


SUITE = """
import pytest
from tests.requirements import require

@pytest.fixture(scope="module")
def server():
    return require("redis-server")

def test_one_of_the_fixture(server): ...
def test_another_of_the_fixture(server): ...
def test_of_its_own():
    require("zsh")
@pytest.mark.requires("npm")
def test_that_is_marked(): ...
def test_that_needs_nothing(): ...
@pytest.mark.slow
def test_that_is_slow(): ...
"""
LINE = "4 tests left out, not found here: npm (1), redis-server (2), zsh (1); to run them: "
#: No plugin but pytest-xdist, which -p names: they are slow to import.
BARE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
SLOW = "1 test of the slow tier left out; to run all: .venv/bin/python -m pytest -n 2 --tier all"


def suite(folder: Path, *arguments: str, **environment: str) -> list[str]:
    """The output of a run of SUITE on a machine without any program, line by line."""
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = .\naddopts = -p no:cacheprovider\n")
    (folder / "conftest.py").write_text("from tests.conftest import *\n")
    (folder / "test_of_suite.py").write_text(SUITE)
    kept = {
        name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")
    }
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", *arguments],
        cwd=folder,
        env={**kept, "PATH": str(folder), "PYTHONPATH": str(TESTS.parent), **BARE, **environment},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    return [line for line in ran.stdout.splitlines() if line]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_last_lines_say_what_was_left_out_and_how_to_run_it(workers: str, tmp_path: Path) -> None:
    *_, absent, slow, count = suite(tmp_path, "-n", workers)
    assert absent.startswith(LINE)
    assert {"redis-server", "zsh", "npm"} <= set(absent.removeprefix(LINE).split())
    assert slow == SLOW
    assert "1 passed, 4 skipped" in count


def test_in_ci_what_is_absent_fails(tmp_path: Path) -> None:
    lines = suite(tmp_path, "-n", "0", CI="true")
    assert "1 failed, 1 passed, 1 deselected, 3 errors" in lines[-1]
    assert any(re.search(r"requires redis-server: (sudo )?apt-get install .* redis-server", line) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (["--tier", "all"], "2 passed, 4 skipped"),
        (["--tier", "slow"], "1 passed, 5 deselected"),
        (["test_of_suite.py"], "2 passed, 4 skipped"),
        (["test_of_suite.py", "--tier", "quick"], "1 passed, 4 skipped, 1 deselected"),
    ],
    ids=["all", "slow", "a file that is named", "its quick tests"],
)
def test_the_tier_that_runs(arguments: list[str], ran: str, tmp_path: Path) -> None:
    assert ran in suite(tmp_path, "-n", "0", *arguments)[-1]


def test_mutation_tests_name_modules_and_tests_that_exist() -> None:
    table = yaml.safe_load((TESTS / "mutants" / "modules.yaml").read_text("utf-8"))
    root = TESTS.parent
    assert [name for name in table if not (root / "wxpay_dsl" / f"{name}.py").is_file()] == []
    assert [path for entry in table.values() for path in entry["tests"] if not (root / path).exists()] == []
