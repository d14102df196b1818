"""Pinned requirements match pyproject.toml, and builds are reproducible."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from wxpay_dsl import __version__

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = ("cli", "otel", "pkcs11", "qr", "redis", "sm")

Version = tuple[int, ...]


def version(text: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def asked_for(*extras: str) -> dict[str, Version]:
    """The lowest versions that pyproject.toml allows, by name."""
    found = {}
    for line in [
        *PROJECT["dependencies"],
        *(line for name in extras for line in PROJECT["optional-dependencies"][name]),
    ]:
        named = re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?(?:>=([0-9.]+))?", line)
        assert named is not None, line
        if named[1] != "wxpay-dsl":
            found[named[1].lower().replace("_", "-")] = version(named[2] or "0")
    return found


def pinned(file: str) -> dict[str, Version]:
    """The versions of a file of requirements; every one of them with its hashes."""
    found = {}
    for entry in re.findall(r"^\S+==.*(?:\n    .*)*", (REQUIREMENTS / file).read_text("utf-8"), re.MULTILINE):
        name, _, rest = entry.partition("==")
        assert "--hash=sha256:" in rest, f"{file}: {name} has no hash"
        found[name.split("[")[0]] = version(rest.split()[0])
    return found


def test_the_pinned_environment_has_all_of_pyproject() -> None:
    have = pinned("dev.txt")
    wanted = asked_for("dev", "test", "docs", *EXTRAS)
    assert {name: low for name, low in wanted.items() if have.get(name, (-1,)) < low} == {}, "bash requirements/renew"


def test_what_builds_is_pinned_to_the_same_versions() -> None:
    """``requirements/install`` builds without isolation, which would fetch whatever is newest."""
    have, developed = pinned("build.txt"), pinned("dev.txt")
    assert have.keys() >= {"editables", "hatchling", "pip", "setuptools"}
    assert {name: found for name, found in have.items() if developed.get(name) != found} == {}


def test_at_run_time_the_same_versions_are_pinned() -> None:
    have, developed = pinned("run.txt"), pinned("dev.txt")
    assert asked_for(*EXTRAS).keys() <= have.keys()
    assert {name: found for name, found in have.items() if developed.get(name) != found} == {}


def test_the_lowest_versions_are_those_that_pyproject_names() -> None:
    have, wanted = pinned("lowest.txt"), asked_for(*EXTRAS)
    differ = {name: have.get(name) for name, low in wanted.items() if have.get(name, ())[: len(low)] != low}
    assert differ == {}, "bash requirements/renew"


def test_the_bill_of_materials_is_of_this_version_and_of_what_is_pinned() -> None:
    bill = json.loads((REQUIREMENTS / "wxpay-dsl.cdx.json").read_text("utf-8"))
    component = bill["metadata"]["component"]
    assert (component["name"], component["version"]) == ("wxpay-dsl", __version__), "bash requirements/renew"
    assert {each["name"]: version(each["version"]) for each in bill["components"]} == pinned("run.txt")


def left_out(folder: str, names: list[str]) -> set[str]:
    """What a clone has not, and what is made by a build."""
    return {name for name in names if name in ("__pycache__", "node_modules", "typed") or name[0] == "."} - {
        ".gitignore"
    }


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Two of them: in two folders, from files of two ages, for users with two masks and two languages."""
    made = []
    for number, (mask, language) in enumerate(((0o022, "C.UTF-8"), (0o077, "C"))):
        folder = tmp_path_factory.mktemp(f"somewhere-{'x' * number}")
        source = folder / "source"
        shutil.copytree(ROOT, source, ignore=left_out)
        for file in source.rglob("*"):
            os.utime(file, (1_600_000_000 + number * 10**8,) * 2)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("WXPAY_", "PYTHON"))}
        environment |= {"LC_ALL": language, "PYTHONHASHSEED": str(number), "SOURCE_DATE_EPOCH": "1767225600"}
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), "."]
        done = subprocess.run(
            ["sh", "-c", f'umask {mask:03o} && exec "$@"', "sh", *command],
            cwd=source,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        made.append({file.name: file.read_bytes() for file in (folder / "dist").iterdir()})
    return made[0], made[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_build_is_the_same_to_the_byte(builds: tuple[dict[str, bytes], dict[str, bytes]], tmp_path: Path) -> None:
    one, other = builds
    assert sorted(Path(name).suffix for name in one) == [".gz", ".whl"]
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    wheel = next(name for name in one if name.endswith(".whl"))
    (tmp_path / wheel).write_bytes(one[wheel])
    with zipfile.ZipFile(tmp_path / wheel) as archive:
        assert [name.rpartition("/")[2] for name in archive.namelist() if ".dist-info/sboms/" in name] == [
            "wxpay-dsl.cdx.json"
        ]
