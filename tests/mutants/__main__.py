"""Mutation testing: makes small changes to the code, one at a time, and reports those that no test detects.

    pip install cosmic-ray
    nice python -m tests.mutants [MODULE …] [--folder /tmp/wxpay-mutants]

``MODULE`` is a key of ``modules.yaml``, which names the tests that must detect the changes; the default is all of them.
The checkout is copied first, and not changed. Results are kept in the folder, so that an interrupted run continues
there; ``--again`` tries the survivors again with the current tests. The exit status is 1 if a change survived that
``modules.yaml`` does not explain.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

from tests.notify.redis_server import running_redis
from tests.patience import wait_until

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("modules.yaml")
COPIED = ("wxpay_dsl", "specs", "tests", "docs", "bench", "pyproject.toml", "hatch_build.py", "README.md")
#: Changes without effect: `A | B` is used in annotations, which are not evaluated; `is` and `==` in each other's place
#: mean the same or raise.
EXCLUDED = [
    "core/ReplaceBinaryOperator_BitOr_.*",
    "core/ReplaceComparisonOperator_(Eq|NotEq|Lt|LtE|Gt|GtE|In|NotIn)_(Is|IsNot)$",
    "core/ReplaceComparisonOperator_(Is|IsNot)_(Eq|NotEq|Lt|LtE|Gt|GtE|In|NotIn)$",
    # Of the five replacements of a comparison, the contrary and the neighbour are enough.
    "core/ReplaceComparisonOperator_(Eq|NotEq)_(Lt|LtE|Gt|GtE)$",
    "core/ReplaceComparisonOperator_(Lt|LtE|Gt|GtE)_(Eq|NotEq)$",
    "core/ReplaceComparisonOperator_(Lt_Gt|Gt_Lt|LtE_GtE|GtE_LtE)$",
]
#: Changes that no test can detect, in any module.
EVERYWHERE: list[Mapping[str, str]] = [
    {"line": r"if TYPE_CHECKING:", "operator": "AddNot", "why": "the names are there for type checkers"},
    {
        "line": r"\[:\d+\](!r)?|!r:\.\d+",
        "operator": "NumberReplacer",
        "why": "how much of a foreign text an error shows, one character more or less",
    },
    {
        "line": r"usedforsecurity=False",
        "operator": "ReplaceFalseWithTrue",
        "why": "only OpenSSL in FIPS mode distinguishes the two",
    },
    {
        "line": r"zip\(.*strict=True",
        "operator": "ReplaceTrueWithFalse",
        "why": "both have the same length, which strict only asserts",
    },
]
#: Seconds for the tests of a change; one that makes them hang counts as detected.
TIMEOUT = 90.0


@frozen
class Survivor:
    """A change that no test detected."""

    operator: str
    number: int
    line: str
    diff: str

    def explained(self, equivalents: list[Mapping[str, str]]) -> bool:
        return any(
            self.operator.startswith(known["operator"])
            and re.search(known["line"], self.line)
            # Of several changes to a line, those that the explanation applies to.
            and known.get("becomes", "") in self.diff
            for known in equivalents
        )


def main() -> int:
    """The command line."""
    table = yaml.safe_load(TABLE.read_text("utf-8"))
    parser = argparse.ArgumentParser(description="Mutation testing of what signs, verifies and decrypts.")
    parser.add_argument("module", nargs="*", help=f"one of {', '.join(table)}")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "wxpay-mutants"))
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for the tests of a change")
    parser.add_argument("--again", action="store_true", help="try the survivors again")
    parser.add_argument("--report", action="store_true", help="run nothing, show what is known")
    options = parser.parse_args()
    unknown = [name for name in options.module if name not in table]
    if unknown:
        parser.error(f"{', '.join(unknown)}: modules.yaml has {', '.join(table)}")
    if not options.report:
        copy(options.folder / "tree")
    left = 0
    with running_redis() as redis:
        for name in options.module or table:
            if not options.report:
                run(
                    name,
                    table[name],
                    options.folder,
                    again=options.again,
                    redis=redis,
                    timeout=options.timeout,
                )
            left += report(name, EVERYWHERE + table[name].get("equivalent", []), options.folder)
    return 1 if left else 0


def copy(tree: Path) -> None:
    """The checkout as it is now, without what was made of it."""
    for name in COPIED:
        source, target = ROOT / name, tree / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules", ".*"))
        else:
            tree.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def run(name: str, entry: Mapping[str, Any], folder: Path, *, again: bool, redis: str, timeout: float) -> None:
    """Tests the changes that were not tested yet."""
    session, config = session_of(name, folder), folder / f"{name.replace('/', '-')}.toml"
    address = folder / "preloaded.socket"
    program = "tests/mutants/preloaded.py"
    selected = ["-k", entry["select"]] if "select" in entry else []
    arguments = ["run", address, "-q", "-x", "-p", "no:cacheprovider", *entry["tests"], *selected]
    command = shlex.join([sys.executable, "-S", "-E", program, *map(str, arguments)])
    config.write_text(
        f'[cosmic-ray]\nmodule-path = "wxpay_dsl/{name}.py"\ntimeout = {timeout}\nexcluded-modules = []\n'
        f'test-command = {json.dumps(command)}\n[cosmic-ray.distributor]\nname = "local"\n'
        f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {json.dumps(EXCLUDED)}\n"
    )
    # Bytecode is matched by size and time in seconds, and changes are made faster than that.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ".", "WXPAY_TEST_REDIS": redis}

    def tool(program: str, *arguments: str | Path) -> None:
        found = Path(sys.executable).with_name(program)
        subprocess.run([found, *arguments], cwd=folder / "tree", env=environment, check=True)

    address.unlink(missing_ok=True)
    preloaded = subprocess.Popen(
        [sys.executable, program, "serve", address],
        cwd=folder / "tree",
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: address.exists() or preloaded.poll() is not None, "the process that runs the tests")
        # Tests that fail without a change would seem to detect every change.
        tool("cosmic-ray", "--verbosity", "ERROR", "baseline", config)
        if not session.exists():
            tool("cosmic-ray", "--verbosity", "ERROR", "init", config, session)
            tool("cr-filter-operators", session, config)
            skip_markers(session, folder / "tree" / "wxpay_dsl" / f"{name}.py")
        elif again:
            with sqlite3.connect(session) as database:
                database.execute("DELETE FROM work_results WHERE test_outcome = 'SURVIVED'")
        tool("cosmic-ray", "--verbosity", "ERROR", "exec", config, session)
    finally:
        preloaded.kill()
        preloaded.wait()


def skip_markers(session: Path, module: Path) -> None:
    """Leaves out changes to the ``*`` after which parameters are keyword-only, which the tool takes for an operator.

    Eleven of the twelve are no Python, and type checkers check the other.
    """
    lines = module.read_text("utf-8").splitlines()
    with sqlite3.connect(session) as database:
        places = database.execute("SELECT job_id, start_pos_row, start_pos_col FROM mutation_specs").fetchall()
        markers = [job for job, row, column in places if lines[row - 1][column : column + 2] == "*,"]
        database.executemany(
            "INSERT OR IGNORE INTO work_results (worker_outcome, output, job_id) VALUES ('SKIPPED', 'a marker', ?)",
            [(job,) for job in markers],
        )


def session_of(name: str, folder: Path) -> Path:
    return folder / f"{name.replace('/', '-')}.sqlite"


def results(session: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    program = Path(sys.executable).with_name("cosmic-ray")
    dumped = subprocess.run([program, "dump", session], capture_output=True, text=True, check=True).stdout
    for line in dumped.splitlines():
        item, result = json.loads(line)
        yield item["mutations"][0], result


def report(name: str, equivalents: list[Mapping[str, str]], folder: Path) -> int:
    """Prints the results for a module; returns the number of survivors without an explanation."""
    counts: Counter[str] = Counter()
    left = []
    for mutation, result in results(session_of(name, folder)):
        if result is None or result["worker_outcome"] == "skipped" or not result["test_outcome"]:
            counts["untried" if result is None else "excluded"] += 1
        elif result["test_outcome"] != "survived":
            counts["killed"] += 1
        else:
            removed = (
                line
                for line in result["diff"].splitlines()
                if line[:1] == "-" and line[:3] != "---" and line[1:].strip()
            )
            operator = mutation["operator_name"].partition("/")[2]
            line = next(removed, "-")[1:].strip()
            survivor = Survivor(operator, mutation["start_pos"][0], line, result["diff"])
            if survivor.explained(equivalents):
                counts["equivalent"] += 1
            else:
                left.append(survivor)
    tried = counts["killed"] + counts["equivalent"] + len(left)
    rest = f", {counts['untried']} untried" if counts["untried"] else ""
    known = f"{counts['killed']} killed, {counts['equivalent']} equivalent, {len(left)} left{rest}"
    sys.stdout.write(f"{name}: {tried} tried, {known}\n")
    for survivor in left:
        changed = [line for line in survivor.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        sys.stdout.write("\n    ".join([f"  {survivor.number} {survivor.operator}", *changed]) + "\n")
    return len(left)


if __name__ == "__main__":
    sys.exit(main())
