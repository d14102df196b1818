"""Measures snippets of Python in fresh processes, each of which prints one number."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["medians", "run_python"]


def run_python(snippet: str) -> Any:
    """Runs ``snippet`` in a fresh interpreter without ``WXPAY_*`` variables; returns its last line, parsed as JSON.

    Raises RuntimeError if it fails.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"a probe failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def medians(snippets: Mapping[str, str], rounds: int) -> dict[str, float]:
    """The median of the numbers that each snippet prints.

    The snippets run alternately, so that a slow phase of the machine affects all of them. Each runs once before that,
    which compiles what it imports.
    """
    for snippet in snippets.values():
        run_python(snippet)
    values: dict[str, list[float]] = {name: [] for name in snippets}
    for _ in range(rounds):
        for name, snippet in snippets.items():
            values[name].append(float(run_python(snippet)))
    return {name: statistics.median(found) for name, found in values.items()}
