"""What the layout promises: imports go one way, the framework knows no WeChat Pay, importing is cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wxpay_dsl

PACKAGE = Path(wxpay_dsl.__file__).parent

#: What each part may import of the package. What is not named here is the top: it puts the parts together.
ALLOWED = {
    "core": {"core"},
    "wechat": {"core", "wechat"},
    "sandbox": {"core", "wechat", "sandbox", "top"},
    "site": {"core", "wechat", "sandbox", "top", "site"},
    "cli": {"core", "wechat", "notify", "sandbox", "site", "top", "cli"},
    "notify": {"core", "wechat", "notify", "top"},
    "top": {"core", "wechat", "top"},
    # The door, `wxpay_dsl/__init__.py`: it names what is public, and loads it when it is used.
    "door": {"core", "wechat", "notify", "top"},
}
#: What may be imported without loading anything that the layer must not know.
HARMLESS = {"wxpay_dsl", "wxpay_dsl._version"}


def part_of(module: str) -> str:
    if module == "wxpay_dsl":
        return "door"
    names = module.split(".")
    return names[1] if len(names) > 1 and names[1] in ALLOWED else "top"


def modules() -> dict[str, Path]:
    found = {}
    for file in PACKAGE.rglob("*.py"):
        names = ("wxpay_dsl", *file.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(names).removesuffix(".__init__")] = file
    return found


def imported(module: str, file: Path) -> Iterator[str]:
    """Every module of the package that ``file`` imports, wherever in it, for types alone included."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "wxpay_dsl")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            if base.partition(".")[0] == "wxpay_dsl":
                # `from wxpay_dsl import core` imports a module, `from wxpay_dsl.core import Name` a name of one.
                yield from (f"{base}.{alias.name}" if base == "wxpay_dsl" else base for alias in node.names)


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_go_one_way(part: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, file in modules().items()
        if part_of(module) == part
        for name in imported(module, file)
        if name not in HARMLESS and part_of(name) not in ALLOWED[part]
    ]
    assert wrong == []


def test_every_part_is_looked_at() -> None:
    assert {part_of(module) for module in modules()} == set(ALLOWED)


def test_the_framework_has_no_word_of_wechat_pay() -> None:
    word = re.compile(r"wechat|weixin|tenpay|微信|商户|mchid|\bwxpay\b", re.IGNORECASE)
    found = [
        f"{file.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for file in sorted((PACKAGE / "core").rglob("*.py"))
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if word.search(line)
    ]
    assert found == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    # Only the index: a first import may have to read YAML to build it.
    probe = (
        "import sys, wxpay_dsl;"
        "print(sorted({'aiohttp', 'attr', 'click', 'cryptography', 'redis', 'rich', 'yaml'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", probe]
    subprocess.run(command, check=True, capture_output=True, cwd=PACKAGE.parent)
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PACKAGE.parent)
    assert ran.stdout == "[]\n"
