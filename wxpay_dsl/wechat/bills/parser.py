"""Parses bills (账单) incrementally: bytes in, typed rows out. No I/O."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import fields_dict, frozen

from wxpay_dsl.core.errors import SdkError, on_one_line

from .columns import NAMES, ColumnError, builder
from .row_types import ProfitSharingRow, Row, Summary, row_type, summary_type

__all__ = ["BillFormatError", "BillReader"]

#: Maximum length of a line and of a row, in characters.
_LINE: Final = 64 * 1024
#: Maximum length of an error message, in characters.
_SAID: Final = 300
_BACKTICK: Final = "`"
_SEPARATOR: Final = ",`"
#: The beginning of each row, used to find rows after a cell with a line break, which hardly continues like this.
_BEGINS: Final = re.compile(r"`[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},")
#: The names of the first column of the summary.
_SUMS: Final = frozenset(fields_dict(Summary)["count"].metadata[NAMES])


@frozen(str=False)
class BillFormatError(SdkError):
    """A bill that cannot be parsed.

    ``line`` counts from 1, and is 0 if the error concerns no line; of a row with line breaks it is the first line.
    ``column`` is the name of the column in the bill, empty if the error concerns the whole line.
    """

    message: str
    line: int = 0
    column: str = ""

    def __str__(self) -> str:
        where = f", line {self.line}" if self.line else ""
        return on_one_line(f"bill (账单){where}: {self.message}")


class BillReader:
    """An incremental parser. Its time is proportional to the number of bytes, its memory to the longest row."""

    def __init__(self, kind: type[Row] | None) -> None:
        self.count = 0
        self.summary: Summary | None = None
        self._kind = kind
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        #: The pieces of an incomplete line, and their length in characters.
        self._pieces: list[str] = []
        self._length = 0
        self._line = 0
        self._columns: list[str] = []
        self._type: type[Row] = Row
        self._build: Callable[[list[str]], Any] | None = None
        self._sums: list[str] = []
        self._open = _OpenRow()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The rows completed by ``data``. Raises BillFormatError."""
        text = self._decode(data)
        first, *others = text.split("\n")
        self._pieces.append(first)
        self._length += len(first)
        if others:
            *lines, rest = others
            lines.insert(0, "".join(self._pieces))
            self._pieces, self._length = [rest], len(rest)
            yield from self._rows(lines)
        if self._length > _LINE:
            raise self._error(f"it is longer than {_LINE} characters", self._line + 1)

    def finish(self) -> Iterator[Any]:
        """The last row, if no line break ends it. Raises BillFormatError for a truncated bill."""
        last = "".join(self._pieces) + self._decode(b"", final=True)
        if last:
            yield from self._rows([last])
        if self._open.lines:
            raise self._incomplete()
        if self._build is None:
            raise self._error("it is empty")

    def _rows(self, lines: list[str]) -> Iterator[Any]:
        for text in lines:
            self._line += 1
            line = text.removesuffix("\r")
            if self._build is None:
                if line:
                    self._begin(line)
                continue
            cells = line.split(_SEPARATOR)
            start = self._line
            if len(cells) == len(self._columns) and not self._open.lines and not self._sums:
                cells[0] = cells[0].removeprefix(_BACKTICK)
            else:
                start = self._open.line or start
                cells = self._other_cells(line)
                if not cells:
                    continue
            try:
                row = self._build(cells)
            except ValueError as error:
                raise self._error(error, start) from None
            self.count += 1
            yield row

    def _begin(self, line: str) -> None:
        """Reads the header, which tells the kind of bill."""
        self._columns = [_column_name(cell) for cell in line.split(",")]
        made = row_type(self._columns)
        if made is None:
            raise self._error(f"it begins {line[:120]!r}, which is not the header of a known bill")
        if self._kind is not None and not issubclass(made, self._kind):
            raise self._error(f"these are rows of {made.__name__}, not {self._kind.__name__}")
        try:
            self._type, self._build = made, builder(made, self._columns)
        except ColumnError as error:
            raise self._error(error) from None

    def _other_cells(self, line: str) -> list[str]:
        """The cells of a row that spans lines, once it is complete; empty for the summary and for blank lines."""
        if self._sums:
            if line:
                self._end(line)
            return []
        if not self._open.lines and not line:
            return []
        names = [_column_name(cell) for cell in line.split(",", 1)]
        if names[0] in _SUMS:
            if self._open.lines:
                raise self._incomplete()
            self._sums = [_column_name(cell) for cell in line.split(",")]
            return []
        if self._open.lines and _BEGINS.match(line):
            # A new row begins, so that the open one is incomplete; the error names its line.
            raise self._incomplete()
        self._open.add(line, self._line)
        wanted = len(self._columns) - 1
        if self._open.separators == wanted:
            cells = self._open.text().split(_SEPARATOR)
        elif self._type is ProfitSharingRow and self._open.commas == wanted:
            # Until January 2025 profit-sharing bills had no backtick before some values.
            cells = self._open.text().split(",")
        else:
            if self._open.separators > wanted or self._open.length > _LINE:
                raise self._incomplete()
            return []
        self._open = _OpenRow()
        return [cell.removeprefix(_BACKTICK) for cell in cells]

    def _end(self, line: str) -> None:
        """Reads the line of the summary."""
        cells = [cell.removeprefix(_BACKTICK) for cell in line.split(",")]
        if self.summary is not None or len(cells) != len(self._sums):
            raise self._error(f"unexpected line of {len(cells)} values after the header of the summary")
        try:
            self.summary = builder(summary_type(self._type), self._sums)(cells)
        except ValueError as error:
            raise self._error(error) from None

    def _incomplete(self) -> BillFormatError:
        """The error for an incomplete row. It does not show the row, which contains what a customer bought."""
        end = self._open.line + len(self._open.lines) - 1
        lines = f" in lines {self._open.line} to {end}" if end > self._open.line else ""
        values = self._open.separators + 1
        message = f"{values} values{lines} where the header names {len(self._columns)} columns"
        return self._error(message, self._open.line)

    def _error(self, reason: str | ValueError, line: int = 0) -> BillFormatError:
        column = reason.column if isinstance(reason, ColumnError) else ""
        message = str(reason)
        if len(message) > _SAID:
            message = f"{message[:_SAID]}…"
        return BillFormatError(message, line or self._line, column[:_SAID])


class _OpenRow:
    """A row with line breaks that is not complete yet. Separators are counted once per line, not once per row."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        #: Number of its first line; 0 if no row is open.
        self.line = 0
        self.length = 0
        self.separators = 0
        self.commas = 0

    def add(self, text: str, line: int) -> None:
        self.line = self.line or line
        self.lines.append(text)
        self.length += len(text) + 1
        self.separators += text.count(_SEPARATOR)
        self.commas += text.count(",")

    def text(self) -> str:
        """The lines joined."""
        return "\n".join(self.lines)


def _column_name(cell: str) -> str:
    """The name of a column without the backtick and the unit that some bills add."""
    name = cell.strip().removeprefix(_BACKTICK).strip()
    return name.removesuffix("（元）").removesuffix("(元)")
