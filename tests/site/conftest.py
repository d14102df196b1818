"""The site, built once by the command that readers use."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
#: Each text of these specs would be a script, a tag or a script's URL, if it were anything but text.
HOSTILE = Path(__file__).parent / "hostile"


@frozen
class Site:
    """The site that was built, and the seconds of processor time that it took."""

    folder: Path
    seconds: float

    def page(self, place: str) -> str:
        """The HTML of a page."""
        return (self.folder / place).read_text("utf-8")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """``wxpay docs build --out DIR``, in an empty folder; specs that mean harm are documented with the rest."""
    folder = tmp_path_factory.mktemp("site")
    before = _processor_time()
    built = subprocess.run(
        [sys.executable, "-m", "wxpay_dsl.cli", "docs", "build", "--out", "out", "--specs", str(HOSTILE)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return Site(folder / "out", _processor_time() - before)


def _processor_time() -> float:
    """Seconds of all child processes that have ended: what else the machine does is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
