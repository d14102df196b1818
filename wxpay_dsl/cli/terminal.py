"""Where output goes: data to stdout, everything that is said about it to stderr."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from typing import Any

from rich.console import Console

__all__ = ["json_bytes", "note", "stderr", "stdout", "write_json"]

#: Columns where there is no terminal to ask: in a log a line is better long than broken.
_UNKNOWN_WIDTH = 1000


@cache
def stdout() -> Console:
    """The console of results."""
    return _console(error=False)


@cache
def stderr() -> Console:
    """The console of everything else."""
    return _console(error=True)


def _console(*, error: bool) -> Console:
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _UNKNOWN_WIDTH
    return Console(stderr=error, width=width, highlight=False, emoji=False)


def note(text: str) -> None:
    """One line on stderr, as it is."""
    stderr().print(text, markup=False, soft_wrap=True)


def json_bytes(data: Any, *, indent: int | None = None) -> bytes:
    """JSON in UTF-8, Chinese as Chinese."""
    try:
        return json.dumps(data, ensure_ascii=False, indent=indent).encode()
    except UnicodeEncodeError:  # half a character, which JSON can escape and UTF-8 cannot say
        return json.dumps(data, indent=indent).encode()


def write_json(data: Any) -> None:
    """Prints JSON: indented and coloured on a terminal, one line elsewhere."""
    if sys.stdout.isatty():
        stdout().print_json(json_bytes(data, indent=2).decode())
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(json_bytes(data) + b"\n")
        sys.stdout.buffer.flush()
