"""Runs every benchmark in a process of its own, and compares the results with the targets of a release."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import wxpay_dsl

__all__ = ["TARGETS", "everything", "machine", "show"]

#: The targets of a release: ``(benchmark, figure, bound)``. A positive bound is a maximum, a negative one a minimum.
TARGETS: Final[tuple[tuple[str, str, float], ...]] = (
    ("calls", "ratios.10.cpu_to_floor", 1.05),
    ("calls", "ratios.100.cpu_to_floor", 1.05),
    ("calls", "ratios.10.own_us", 20),
    ("calls", "ratios.100.own_us", 20),
    ("calls", "ratios.10.rate_to_wechatpayv3", -3),
    ("calls", "ratios.100.rate_to_wechatpayv3", -6.5),
    ("calls", "ratios.10.rate_to_original", -1.5),
    ("calls", "ratios.100.rate_to_original", -1.5),
    ("calls", "contestants.ours.100.late_p99_ms", 5),
    ("startup", "import_own_ms", 15),
    ("startup", "import_rss_mb", 6),
    ("startup", "first_touch_ms.median", 5),
    ("startup", "first_touch_ms.worst", 25),
    ("startup", "preload_ms", 600),
    ("startup", "preload_rss_mb", 60),
    ("encode", "validate_encode_us", 20),
    ("memory", "own_kb", 8),
    ("memory", "slope_kb_per_1000", 1),
    ("bill", "peak_rss_mb", 40),
    ("sandbox", "start_s", 0.3),
    ("sandbox", "calls_per_s", -2000),
    ("soak", "wrong", 0),
    ("soak", "leaked_tasks", 0),
    ("soak", "leaked_connections", 0),
    ("notify", "ratio", 1.15),
    ("once", "redis.lost", 0),
    ("once", "redis.doubled", 0),
    ("once", "sqlite.lost", 0),
    ("once", "sqlite.doubled", 0),
)

#: Options of benchmarks when all of them run: a bill of 1 GB.
_WHOLE: Final[Mapping[str, list[str]]] = {"bill": ["--mb", "1000"]}


def everything(names: Iterable[str], *, quick: bool) -> dict[str, Any]:
    """``{"machine": …, "measures": {name: figures, or {"error": exit status}}}``; other output goes to stderr."""
    measures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(f"— {name}", flush=True)
            file = Path(folder) / f"{name}.json"
            whole = ["--quick"] if quick else _WHOLE.get(name, [])
            command = [sys.executable, "-m", "bench", name, "--json", str(file), *whole]
            done = subprocess.run(command, stdout=sys.stderr, check=False)
            measures[name] = json.loads(file.read_text("utf-8")) if file.exists() else {"error": done.returncode}
    return {"machine": machine(), "quick": quick, "measures": measures}


def machine() -> dict[str, Any]:
    """The machine and the versions that were measured."""
    return {
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "wxpay_dsl": wxpay_dsl.__version__,
        **{name: version(name) for name in ("aiohttp", "cryptography", "wechatpayv3")},
        "node": subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip(),
    }


def show(report: Mapping[str, Any]) -> str:
    """The figures that have a target, one line each."""
    lines = []
    for measure, figure, bound in TARGETS:
        value: Any = report["measures"].get(measure, {})
        for part in figure.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if not isinstance(value, (int, float)):
            continue
        met = value >= -bound if bound < 0 else value <= bound
        wanted = f"≥ {-bound:g}" if bound < 0 else f"≤ {bound:g}"
        lines.append(f"{'✓' if met else '✗'} {measure:8} {figure:38} {value:>10g}   {wanted}")
    return "\n".join(lines)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
