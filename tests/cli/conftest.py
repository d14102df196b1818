"""Fixtures that run ``wxpay`` and ``wxpay sandbox`` as processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.cli.shell import Ran, Serve, Wxpay, environment, sandbox

OWN = """\
path: /v3/my
operations:
  /thing: {post: {}}
  /things/{id}: {get: {returns: {id: 号}}, delete: {status: 204}}
"""


@pytest.fixture
def wxpay(tmp_path: Path) -> Wxpay:
    """Runs ``wxpay`` with these arguments, in an empty folder."""

    def run(*arguments: str, stdin: str = "", env: Mapping[str, str] = {}, text: bool = True) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "wxpay_dsl.cli", *arguments],
            input=stdin.encode(),
            capture_output=True,
            cwd=tmp_path,
            env=environment(env),
            timeout=250,
            check=False,
        )
        out = done.stdout.decode() if text else done.stdout.decode("latin-1")
        return Ran(done.returncode, out, done.stderr.decode())

    return run


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Runs ``wxpay sandbox`` in the folder in which ``wxpay`` runs."""
    return partial(sandbox, tmp_path)


@pytest.fixture(scope="session")
def own_specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of specs as a user adds them."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.yaml").write_text(OWN)
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, own_specs: Path) -> Iterator[Path]:
    """The home of a running ``wxpay sandbox`` with the user's specs; it contains the profile."""
    folder = tmp_path_factory.mktemp("sandbox")
    with sandbox(folder, "--home", ".", env={"WXPAY_SPECS": str(own_specs)}):
        yield folder


@pytest.fixture
def profile(home: Path) -> Path:
    """The profile of a running sandbox."""
    return home / "wxpay.toml"
