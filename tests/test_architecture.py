"""The layout: imports go one way and in no circle, core knows no API, folders are small, importing is cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import wxpay_dsl

PACKAGE = Path(wxpay_dsl.__file__).parent

#: The parts of each folder, each of which may import those that stand before it, and no others.
ORDER: Mapping[str, Sequence[str]] = {
    "wxpay_dsl": [
        *("_version", "core", "wechat", "settings", "wiring", "client", "notify", "diagnosis", "sandbox", "typing"),
        *("site", "cli", "__init__"),
    ],
    "wxpay_dsl.core": [
        *(
            "errors",
            "secrets",
            "forking",
            "files",
            "origins",
            "specs",
            "redaction",
            "messages",
            "dialect",
            "chain",
            "openapi",
        ),
        *("request", "http", "response", "observe", "typing", "lint", "client"),
    ],
    "wxpay_dsl.wechat": [
        *(
            "errors",
            "roles",
            "terms",
            "chains",
            "service_hosts",
            "crypto",
            "v3",
            "bills",
            "signers",
            "platform_keys",
            "v2",
        ),
        *("payment_params", "merchant_keys"),
    ],
    "wxpay_dsl.sandbox": [
        *("keys", "protocol", "domain", "views", "state", "notifications", "flows", "control", "handlers", "explorer"),
        *("app", "server", "background", "run", "pytest_plugin", "__init__"),
    ],
    "wxpay_dsl.cli": [
        "output",
        "input",
        "lazy",
        "commands",
        "bulk",
        "notify",
        "spec",
        "program",
        "__init__",
        "__main__",
    ],
}
#: The public door, which names what is below it and loads it when it is used; and the version.
DOOR = {"wxpay_dsl", "wxpay_dsl._version"}

#: Modules of one folder, its ``__init__`` aside.
MOST_MODULES = 15
#: Lines of one module.
MOST_LINES = 350


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the package by its name; what is generated aside."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        below = file.relative_to(PACKAGE)
        if below.parts[0] in ("typed", "specs"):
            continue
        found[".".join(("wxpay_dsl", *below.with_suffix("").parts)).removesuffix(".__init__")] = file
    return found


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Which modules of the package each module imports, wherever in it, for types alone included."""
    return {name: frozenset(_imported(name, file)) - {name} for name, file in modules().items()}


def _imported(module: str, file: Path) -> Iterator[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            for alias in node.names:
                # `from package import module` imports a module, `from module import Name` a name of one.
                name = f"{base}.{alias.name}"
                if name in modules():
                    yield name
                elif base in modules():
                    yield base


def part_of(module: str, folder: str) -> str:
    """The part of ``folder`` that ``module`` belongs to: a module or a folder right below it."""
    return module.removeprefix(folder).lstrip(".").partition(".")[0] or "__init__"


@pytest.mark.parametrize("folder", ORDER)
def test_imports_go_one_way(folder: str) -> None:
    order = {part: position for position, part in enumerate(ORDER[folder])}
    wrong = [
        f"{module} imports {name}"
        for module, names in imports().items()
        if module == folder or module.startswith(f"{folder}.")
        for name in names
        if (name == folder or name.startswith(f"{folder}.")) and name not in DOOR
        if (ours := part_of(module, folder)) != (theirs := part_of(name, folder))
        if order[theirs] > order[ours]
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ORDER)
def test_the_order_names_what_is_there(folder: str) -> None:
    there = {part_of(module, folder) for module in modules() if module == folder or module.startswith(f"{folder}.")}
    assert there - {"__init__"} == set(ORDER[folder]) - {"__init__"}


def test_there_is_no_circle_of_imports() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_private_name_crosses_modules() -> None:
    # Private names of this package alone: what is private to a library is for ruff and a comment to justify.
    found = [
        f"{module}: {name}"
        for module, file in modules().items()
        for node in ast.walk(ast.parse(file.read_bytes()))
        for name in _imported_names(node)
        if any(part.startswith("_") for part in name.split("."))
    ]
    assert found == []


def _imported_names(node: ast.AST) -> Iterator[str]:
    """The dotted names that an import statement takes from this package, without ``__version__`` and its module."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = "wxpay_dsl" if node.level else ""
        base = ".".join(filter(None, (base, node.module)))
        names = [f"{base}.{alias.name}" for alias in node.names]
    public = ("wxpay_dsl._version", "wxpay_dsl.__version__", "wxpay_dsl._version.__version__")
    yield from (name for name in names if name.partition(".")[0] == "wxpay_dsl" and name not in public)


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("from .node import _Node", ["wxpay_dsl.node._Node"]),
        ("from ._node import Node", ["wxpay_dsl._node.Node"]),
        ("from wxpay_dsl.core import _node", ["wxpay_dsl.core._node"]),
        ("import wxpay_dsl.core._node", ["wxpay_dsl.core._node"]),
        ("from re import _parser", []),
        ("from wxpay_dsl._version import __version__", []),
    ],
)
def test_private_imports_are_recognised(statement: str, names: list[str]) -> None:
    (node,) = ast.parse(statement).body
    assert list(_imported_names(node)) == names


def test_no_folder_is_crowded() -> None:
    counts: dict[Path, int] = {}
    for file in modules().values():
        counts[file.parent] = counts.get(file.parent, 0) + (file.name != "__init__.py")
    assert {str(folder): count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_no_module_is_long() -> None:
    lines = {name: len(file.read_bytes().splitlines()) for name, file in modules().items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_each_folder_says_what_it_is() -> None:
    short = [
        name
        for name, file in modules().items()
        if file.name == "__init__.py" and len(ast.get_docstring(ast.parse(file.read_bytes())) or "") < 80
    ]
    assert short == []


def test_core_knows_no_particular_api() -> None:
    # Names of WeChat Pay and of this package (in the scope of telemetry, say), words of payments, and Chinese text.
    word = re.compile(
        r"wechat|weixin|tenpay|mchid|wxpay|\bfen\b|code_url|auth_code|order number|platform key"
        r"|[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]",
        re.IGNORECASE,
    )
    found = [
        f"{file.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for file in sorted((PACKAGE / "core").rglob("*.py"))
        for number, line in enumerate(file.read_text("utf-8").replace("wxpay_dsl.", "").splitlines(), 1)
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
