"""Prints to the terminal or a pipe: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

__all__ = ["json_bytes", "note", "plain", "print_ready", "print_wrapped", "stderr", "stdout", "write_json"]

#: Control characters, line separators and bidirectional controls, which a terminal executes or uses to reorder text:
#: what is printed may come from an attacker who answers in the service's place. Lone surrogates are included, which
#: JSON can hold and UTF-8 cannot encode.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: Columns if the output is no terminal: a log file should hold long lines rather than wrapped ones.
_UNKNOWN_WIDTH = 1000


@cache
def stdout() -> Console:
    """The console for results."""
    return _console(error=False)


@cache
def stderr() -> Console:
    """The console for notes, warnings and errors."""
    return _console(error=True)


def _console(*, error: bool) -> Console:
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _UNKNOWN_WIDTH
    return _Console(stderr=error, width=width, highlight=False, emoji=False)


class _Console(Console):
    """A console that replaces control characters in what it prints; only its own colour codes reach the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control is not None else Segment(plain(segment.text), segment.style)


def plain(text: str) -> str:
    """The text, with U+FFFD in the place of each control character."""
    return _CONTROLS.sub("\ufffd", text)


def note(text: str) -> None:
    """Prints one line on stderr, without markup or wrapping."""
    stderr().print(text, markup=False, soft_wrap=True)


def print_wrapped(console: Console, line: Text, indent: int) -> None:
    """Prints a line; on a terminal that is too narrow, the rest is wrapped and indented by ``indent`` columns.

    In a pipe or file it stays one line, for `grep`.
    """
    if not console.is_terminal or line.cell_len <= console.width:
        console.print(line, soft_wrap=True)
        return
    first = line.wrap(console, console.width)[0]
    console.print(first, soft_wrap=True)
    rest = line[len(first.plain.rstrip()) :]
    rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
    for more in rest.wrap(console, max(console.width - indent, 10)):
        more.rstrip()
        console.print(Text(" " * indent).append_text(more), soft_wrap=True)


def json_bytes(data: Any, *, indent: int | None = None) -> bytes:
    """JSON in UTF-8, without escapes for Chinese characters; control characters are escaped (``\\u001b``)."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def write_json(data: Any) -> None:
    """Prints JSON on stdout: indented and coloured on a terminal, one line elsewhere."""
    if sys.stdout.isatty():
        stdout().print_json(json_bytes(data, indent=2).decode())
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(json_bytes(data) + b"\n")
        sys.stdout.buffer.flush()


def print_ready(url: str, *, as_json: bool = False, **more: str) -> None:
    """Prints that a server accepts connections: the line ``ready URL``, or JSON of the URL and ``more``."""
    if as_json:
        write_json({"ready": url, **more})
    else:
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
