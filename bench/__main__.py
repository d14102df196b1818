"""``python -m bench [NAME] [--quick] [--json FILE]``: runs one benchmark, or all; the result is one JSON object.

A benchmark is a module of this package with ``run(quick: bool, **options) -> dict``, and ``arguments(parser)`` if it
has options. With ``--json -`` only the JSON is written to stdout; all other output goes to stderr. Measured processes
use compiled bytecode regardless of ``PYTHONDONTWRITEBYTECODE``. Without a name all benchmarks run, which takes some
minutes, and ``--plot FILE`` draws the results as SVG.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import bench
from bench import _report
from bench._bytecode import compiled


def _measures() -> list[str]:
    found = pkgutil.iter_modules(bench.__path__)
    return [module.name for module in found if not module.ispkg and not module.name.startswith("_")]


def main() -> None:
    """Runs the benchmarks that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _options(parser)
    parser.add_argument("--plot", metavar="FILE", help="draw the results of all benchmarks as SVG")
    measures = parser.add_subparsers(dest="name", metavar="NAME")
    for name in _measures():
        module = import_module(f"bench.{name}")
        measure = measures.add_parser(name, help=(module.__doc__ or "").partition("\n")[0])
        _options(measure)
        if hasattr(module, "arguments"):
            module.arguments(measure)
    options = vars(parser.parse_args())
    name, target, picture = options.pop("name"), options.pop("json"), options.pop("plot")
    result: dict[str, Any]
    with compiled(), contextlib.redirect_stdout(sys.stderr):
        if name is None:
            result = _report.everything(_measures(), **options)
            print(_report.show(result))
            if picture:
                import_module("bench._plot").plot(result, Path(picture))
        else:
            result = import_module(f"bench.{name}").run(**options)
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, "utf-8")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, less precise results")
    parser.add_argument("--json", metavar="FILE", default="-", help="the file of the JSON; - for stdout")


main()
