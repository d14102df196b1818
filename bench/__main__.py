"""``python -m bench NAME [--quick] [--json FILE]``: runs one measure; its result is one JSON object.

A measure is a module of this package with ``run(quick: bool, **options) -> dict``, and, where it takes options,
``arguments(parser)``. ``--json -`` leaves stdout to the JSON alone; what a measure says meanwhile goes to stderr.
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


def _measures() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_")]


def main() -> None:
    """Runs the measure that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    measures = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name in _measures():
        module = import_module(f"bench.{name}")
        measure = measures.add_parser(name, help=(module.__doc__ or "").partition("\n")[0])
        measure.add_argument("--quick", action="store_true", help="fewer repetitions, figures less sure")
        measure.add_argument("--json", metavar="FILE", default="-", help="where the JSON goes; - is stdout")
        if hasattr(module, "arguments"):
            module.arguments(measure)
    options = vars(parser.parse_args())
    module, target = import_module(f"bench.{options.pop('name')}"), options.pop("json")
    with contextlib.redirect_stdout(sys.stderr):
        result: dict[str, Any] = module.run(**options)
    text = json.dumps(result, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, "utf-8")


main()
