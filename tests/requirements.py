"""What tests need from outside: programs, their libraries, npm packages, a package index. Nothing else looks for them.

A fixture or a test calls ``require("chromium")`` and gets the program's path; ``@pytest.mark.requires("openssl")`` says
the same of a whole test or module. Where the requirement is not met the test is skipped, and the run's summary says how
to meet it; where ``CI`` is set it fails, because nothing may be left out there.

``python3 tests/requirements.py`` prints the command that installs all that is absent, and nothing where all is there;
it needs the standard library alone. A new requirement is one line of ``REQUIREMENTS``.
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
#: What a skipped test's reason begins with; pytest-xdist carries the reason from its workers to the summary.
_REASON: Final = "requires "


class Requirement(NamedTuple):
    """One thing that is there or not, and how it is installed."""

    #: The path (or the URL, the version: what a test works with) where it is there, else None.
    find: Callable[[], str | None]
    #: The Debian package that brings it; empty where none does.
    package: str = ""
    #: What is run after the packages are there; empty where they are enough.
    command: str = ""
    #: Other requirements without which the command does not run.
    after: tuple[str, ...] = ()


def _program(name: str, package: str = "", *, variable: str = "") -> Requirement:
    """A program on PATH, or the one that an environment variable names."""
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
    """The folder with every package of ``package-lock.json``, in its version; npm notes what it has installed."""
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
    """pip's index, asked for the smallest package that every build here needs."""
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
    """What the requirement ``name`` gives (a program's path), or None where it is absent. Raises KeyError."""
    return REQUIREMENTS[name].find()


def require(name: str) -> str:
    """What the requirement ``name`` gives (a program's path).

    Where it is absent the calling test is skipped, or fails if ``CI`` is set. Raises KeyError for an undeclared name.
    """
    found = find(name)
    if found is not None:
        return found
    import pytest  # the table alone is read before anything is installed

    if os.environ.get("CI"):
        raise pytest.fail.Exception(f"{_REASON}{name}: {install_command([name]) or 'the network'}", pytrace=False)
    raise pytest.skip.Exception(f"{_REASON}{name}")


def install_command(names: Iterable[str]) -> str:
    """The one shell command, run in the checkout, that installs what ``names`` name; empty where none can."""
    wanted = list(dict.fromkeys(names))
    wanted += [other for name in wanted for other in REQUIREMENTS[name].after if find(other) is None]
    packages = sorted({REQUIREMENTS[name].package for name in wanted} - {""})
    commands = sorted({REQUIREMENTS[name].command for name in wanted} - {""})
    sudo = "" if os.geteuid() == 0 else "sudo "
    apt = [f"{sudo}apt-get install --yes --no-install-recommends {' '.join(packages)}"] if packages else []
    return " && ".join([*apt, *commands])


def summary(reasons: Iterable[str]) -> list[str]:
    """The line that says which requirements left out how many tests, and what brings them.

    ``reasons`` are those of all tests that were skipped; no line where no requirement was the reason.
    """
    counted = Counter(reason.rpartition(_REASON)[2] for reason in reasons if _REASON in reason)
    if not counted:
        return []
    named = ", ".join(f"{name} ({count})" for name, count in sorted(counted.items()))
    command = install_command(_absent())  # a test is counted at the first of its requirements that is not met
    tests = "1 test" if counted.total() == 1 else f"{counted.total()} tests"
    line = f"{tests} left out, not found here: {named}"
    return [f"{line}; to run them: {command}" if command else line]


def _absent() -> list[str]:
    """All requirements that can be installed and are not."""
    can_be = [name for name, requirement in REQUIREMENTS.items() if requirement.package or requirement.command]
    return [name for name in can_be if find(name) is None]


if __name__ == "__main__":
    if command := install_command(_absent()):
        sys.stdout.write(command + "\n")
