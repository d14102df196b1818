"""The external requirements of tests: programs, their libraries, npm packages, a package index.

Tests look for them here only. A fixture or a test calls ``require("chromium")``, which returns the program's path;
``@pytest.mark.requires("openssl")`` marks a whole test or module. If a requirement is missing, the test is skipped, and
the summary of the run says how to install it; if ``CI`` is set, the test fails, because all tests must run there.

``python3 tests/requirements.py`` prints the command that installs what is missing, or nothing; it needs the standard
library only. A new requirement is one line of ``REQUIREMENTS``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["REQUIREMENTS", "Requirement", "find", "install_command", "require", "summary"]

_ROOT: Final = Path(__file__).parents[1]
_INTEROP: Final = _ROOT / "tests" / "interop"
#: The beginning of the reason of a skipped test; pytest-xdist passes the reason from its workers to the summary.
_REASON: Final = "requires "


class Requirement(NamedTuple):
    """An external requirement and how it is installed."""

    #: Returns its path (or URL, or version: what tests use), or None if it is missing.
    find: Callable[[], str | None]
    #: The Debian package that contains it, if any.
    package: str = ""
    #: The command that installs it after the packages, if they are not enough.
    command: str = ""
    #: Other requirements of the command.
    after: tuple[str, ...] = ()


def _program(name: str, package: str = "", *, variable: str = "") -> Requirement:
    """A program on PATH, or the one that the environment variable ``variable`` names."""
    return Requirement(lambda: shutil.which(os.environ.get(variable) or name), package or name)


def _file(path: str, package: str) -> Requirement:
    return Requirement(lambda: path if Path(path).is_file() else None, package)


def _openssl_with_sm2() -> str | None:
    openssl = find("openssl")
    if openssl is None:
        return None
    command = [openssl, "ecparam", "-name", "SM2", "-genkey", "-noout"]
    return openssl if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None


def _npm_packages() -> str | None:
    """The folder ``node_modules``, if npm has installed all packages of ``package-lock.json`` in their versions."""
    try:
        installed, locked = (
            {path: package.get("version") for path, package in json.loads(file.read_text("utf-8"))["packages"].items()}
            for file in (_INTEROP / "node_modules" / ".package-lock.json", _INTEROP / "package-lock.json")
        )
    except FileNotFoundError:
        return None
    complete = all(installed.get(path) == version for path, version in locked.items() if path)
    return str(_INTEROP / "node_modules") if complete else None


def _package_index() -> str | None:
    """pip's index, if it has the smallest package that the builds here need."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--retries=1"]
        asked = subprocess.run([*command, f"--dest={folder}", "hatchling"], capture_output=True, check=False)
    return "pip's package index" if asked.returncode == 0 else None


REQUIREMENTS: Final[dict[str, Requirement]] = {
    "bash": _program("bash"),
    "chromium": _program("chromium", variable="WXPAY_CHROMIUM"),
    "curl": _program("curl"),
    "fish": _program("fish"),
    "git": _program("git"),
    "node": _program("node", "nodejs"),
    "npm": _program("npm"),
    "npm packages": Requirement(_npm_packages, command="npm ci --prefix tests/interop", after=("node", "npm")),
    "openssl": _program("openssl"),
    "openssl with SM2": Requirement(_openssl_with_sm2, "openssl"),
    "package index": Requirement(_package_index),
    "redis-server": _program("redis-server"),
    "softhsm2": _file("/usr/lib/softhsm/libsofthsm2.so", "softhsm2"),
    "softhsm2-util": _program("softhsm2-util", "softhsm2"),
    "zsh": _program("zsh"),
}


@cache
def find(name: str) -> str | None:
    """The path (or other value) of the requirement ``name``, or None if it is missing. Raises KeyError."""
    return REQUIREMENTS[name].find()


def require(name: str) -> str:
    """The path (or other value) of the requirement ``name``.

    If it is missing, the calling test is skipped, or fails if ``CI`` is set. Raises KeyError for an undeclared name.
    """
    found = find(name)
    if found is not None:
        return found
    import pytest  # imported here, because this module also runs before pytest is installed

    if os.environ.get("CI"):
        raise pytest.fail.Exception(f"{_REASON}{name}: {install_command([name]) or 'the network'}", pytrace=False)
    raise pytest.skip.Exception(f"{_REASON}{name}")


def install_command(names: Iterable[str]) -> str:
    """The shell command, run in the checkout, that installs the requirements ``names``, or ``""`` if none does."""
    wanted = list(dict.fromkeys(names))
    wanted += [other for name in wanted for other in REQUIREMENTS[name].after if find(other) is None]
    packages = sorted({REQUIREMENTS[name].package for name in wanted} - {""})
    commands = sorted({REQUIREMENTS[name].command for name in wanted} - {""})
    sudo = "" if os.geteuid() == 0 else "sudo "
    apt = [f"{sudo}apt-get install --yes --no-install-recommends {' '.join(packages)}"] if packages else []
    return " && ".join([*apt, *commands])


def summary(reasons: Iterable[str]) -> list[str]:
    """The line on missing requirements, the number of tests that each left out, and how to install them.

    ``reasons`` are those of all skipped tests; no line if no requirement was the reason.
    """
    counted = Counter(reason.rpartition(_REASON)[2] for reason in reasons if _REASON in reason)
    if not counted:
        return []
    named = ", ".join(f"{name} ({count})" for name, count in sorted(counted.items()))
    command = install_command(_absent())  # a test is counted for the first of its missing requirements
    tests = "1 test" if counted.total() == 1 else f"{counted.total()} tests"
    line = f"{tests} left out, not found here: {named}"
    return [f"{line}; to run them: {command}" if command else line]


def _absent() -> list[str]:
    """The missing requirements that can be installed."""
    installable = [name for name, requirement in REQUIREMENTS.items() if requirement.package or requirement.command]
    return [name for name in installable if find(name) is None]


if __name__ == "__main__":
    if command := install_command(_absent()):
        sys.stdout.write(command + "\n")
