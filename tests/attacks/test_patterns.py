"""Regular expressions of the code and of the specs stay fast on hostile text."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from itertools import product

import pytest

import wxpay_dsl
from wxpay_dsl.client import tree
from wxpay_dsl.core.specs.model import SECTIONS, Schema

#: Characters of a hostile text: what would cost the square of that is bearable, what doubles with each is not.
LENGTH = 2000
#: Seconds, on the busiest machine.
PATIENCE = 300
#: What builds documentation at the developer's own command, and needs what is not installed everywhere.
ELSEWHERE = ("wxpay_dsl.site", "wxpay_dsl.typed")


def of_the_code() -> dict[str, re.Pattern[str]]:
    """Every pattern that a module holds, by where."""
    found = {}
    for module in pkgutil.walk_packages(wxpay_dsl.__path__, "wxpay_dsl."):
        if module.name.startswith(ELSEWHERE) or module.name.endswith("__main__"):
            continue
        try:
            held = vars(importlib.import_module(module.name))
        except ModuleNotFoundError:
            continue  # of an extra that is not installed here
        for name, value in held.items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                found[f"{module.name}.{name}"] = value
    return found


def of_the_specs() -> dict[str, re.Pattern[str]]:
    found = {}

    def look(schema: Schema | None) -> None:
        if schema is None:
            return
        if schema.pattern:
            found[f"specs: {schema.pattern}"] = re.compile(schema.pattern)
        for inner in (*schema.properties.values(), schema.items, schema.additional):
            look(inner)

    for operation in tree().operations():
        for section in SECTIONS:
            look(operation.section(section))
        look(operation.returns)
    return found


def hostile(pattern: str) -> list[str]:
    """Long runs of what the pattern names, one character or two in turn, and then something that fits nowhere."""
    named = {c for c in pattern if c.isprintable() and c not in "\\^$()[]{}?*+|"} | set("a0 .-_/\n\t\"'=&")
    ends = ("", "\0", "!", "\n", "é")
    runs = [c * LENGTH for c in named]
    runs += [(a + b) * (LENGTH // 2) for a, b in product("a0 .,/-\"='\\\n", repeat=2) if a != b]
    return [run + end for run in runs for end in ends]


def attack() -> int:
    """Tries them all; gives how many there were."""
    patterns = {**of_the_code(), **of_the_specs()}
    for where, pattern in patterns.items():
        sys.stdout.write(f"{where}\n")
        sys.stdout.flush()
        # What says where it ends is asked of whole texts; the rest is looked for in them.
        ask = pattern.match if pattern.pattern.endswith(("\\Z", "$")) else pattern.search
        for text in hostile(pattern.pattern):
            ask(text)
    return len(patterns)


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + 100)
def test_none_of_them_runs_for_ever() -> None:
    command = [sys.executable, "-c", "from tests.attacks.test_patterns import attack; print(attack())"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except subprocess.TimeoutExpired as expired:
        said = expired.stdout.decode() if isinstance(expired.stdout, bytes) else expired.stdout or ""
        pytest.fail(f"still busy after {PATIENCE} s with {said.splitlines()[-1]}")
    assert int(ran.stdout.splitlines()[-1]) > 50
