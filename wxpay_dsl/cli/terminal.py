"""Where output goes: data to stdout, everything that is said about it to stderr."""

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

__all__ = ["hanging", "json_bytes", "note", "plain", "say_ready", "stderr", "stdout", "write_json"]

#: What a terminal obeys instead of showing it, or shows in another order or on another line than it stands. Whoever
#: answers in the service's place may have written what is printed. Half a character, which JSON can say and a stream
#: of UTF-8 cannot, is treated likewise.
_OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
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
    return _Console(stderr=error, width=width, highlight=False, emoji=False)


class _Console(Console):
    """Colours are its own; of what it is given to print it shows nothing that a terminal obeys."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control is not None else Segment(plain(segment.text), segment.style)


def plain(text: str) -> str:
    """The text, with a \ufffd for each character that a terminal would obey."""
    return _OBEYED.sub("\ufffd", text)


def note(text: str) -> None:
    """One line on stderr, as it is."""
    stderr().print(text, markup=False, soft_wrap=True)


def hanging(console: Console, line: Text, indent: int) -> None:
    """One line; where a terminal is too narrow for it, what does not fit stands ``indent`` columns in.

    Elsewhere it stays one line, for `grep`.
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
    """JSON in UTF-8, Chinese as Chinese; what a terminal would obey as an escape, which is the same JSON."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def write_json(data: Any) -> None:
    """Prints JSON: indented and coloured on a terminal, one line elsewhere."""
    if sys.stdout.isatty():
        stdout().print_json(json_bytes(data, indent=2).decode())
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(json_bytes(data) + b"\n")
        sys.stdout.buffer.flush()


def say_ready(url: str, *, as_json: bool = False, **more: str) -> None:
    """The one line of a server that now serves: ``ready URL``, or JSON with ``more``. Whoever reads it may go on."""
    if as_json:
        write_json({"ready": url, **more})
    else:
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
