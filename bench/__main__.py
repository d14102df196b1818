"""``python -m bench [NAME] [--quick] [--json FILE]``: runs one measure, or all; the result is one JSON object.

A measure is a module of this package with ``run(quick: bool, **options) -> dict``, and, where it takes options,
``arguments(parser)``. ``--json -`` leaves stdout to the JSON alone; what a measure says meanwhile goes to stderr.
Processes that are measured find compiled bytecode, whatever ``PYTHONDONTWRITEBYTECODE`` says.
Without a name all of them run, some minutes long, and ``--plot FILE`` draws what came of it as SVG.
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
    """Runs what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _options(parser)
    parser.add_argument("--plot", metavar="FILE", help="with all of them: the picture, as SVG")
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
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, figures less sure")
    parser.add_argument("--json", metavar="FILE", default="-", help="where the JSON goes; - is stdout")


main()
