"""What the tests promise of themselves."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
#: Left out where it could not be true: on a system of another kind, not where something is not installed.
SYSTEMS = re.compile(r"skipif\((os\.name|sys\.platform|not Path\(\"/proc)|pytest\.fail if os\.environ")


def test_none_is_left_out_because_something_is_not_installed() -> None:
    """``tests.missing`` leaves it out on somebody's own machine, and lets it fail in CI."""
    skips = re.compile(r"pytest\.skip\b|importorskip|mark\.skip|skipif")
    found = [
        f"{file.relative_to(TESTS)}:{number}"
        for file in sorted(TESTS.rglob("*.py"))
        if "node_modules" not in file.parts and file.name not in ("missing.py", Path(__file__).name)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if skips.search(line) and not SYSTEMS.search(line)
    ]
    assert found == []
