"""Fuzzes one target, guided by coverage, until it is stopped or an input fails.

    pip install atheris
    python -m tests.fuzz xml -max_total_time=600 -rss_limit_mb=1024 -max_len=4096

What is found new is kept in ``/tmp/wxpay-fuzz/NAME``; what is worth keeping goes to ``tests/fuzz/corpus/NAME``, where
every run of the tests tries it. ``tests.fuzz.notifications`` is a target with a main of its own.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["wxpay_dsl", "json", "defusedxml", "xml.sax", "yaml", "re", "urllib.parse"], exclude=["wxpay_dsl.specs"]
):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Runs until libFuzzer's options end it."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz {{{','.join(TARGETS)}}} [options of libFuzzer]")
    logging.disable(logging.CRITICAL)
    name = sys.argv.pop(1)
    found = Path(tempfile.gettempdir()) / "wxpay-fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    kept = Path(__file__).parent / "corpus" / name
    folders = [str(found), *([str(kept)] if kept.is_dir() else [])]
    atheris.Setup([sys.argv[0], *sys.argv[1:], f"-artifact_prefix={found}-", *folders], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
