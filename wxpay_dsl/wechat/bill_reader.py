"""Reads bills (账单): bytes as they come go in, typed rows come out. Nothing here waits for anything."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import fields_dict, frozen

from wxpay_dsl.core.errors import SdkError, on_one_line

from .bill_columns import NAMES, ColumnError, builder
from .bill_rows import ProfitSharingRow, Row, Summary, row_type, summary_type

__all__ = ["BillFormatError", "BillReader"]

#: Characters of one line, and of one row; what is longer is no bill.
_LINE: Final = 64 * 1024
#: Characters of an error's message.
_SAID: Final = 300
_BACKTICK: Final = "`"
_SEPARATOR: Final = ",`"
#: How each row begins: a value of a customer's that holds a line break hardly goes on like this.
_BEGINS: Final = re.compile(r"`[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},")
#: The first column of the sums, by kind of bill.
_SUMS: Final = frozenset(fields_dict(Summary)["count"].metadata[NAMES])


@frozen(str=False)
class BillFormatError(SdkError):
    """A bill that is not written as bills are.

    ``line`` counts from 1, 0 where there is none; of a row that holds line breaks it is the first. ``column`` is the
    name of the value's column in the bill, empty where the whole line is meant.
    """

    message: str
    line: int = 0
    column: str = ""

    def __str__(self) -> str:
        where = f", line {self.line}" if self.line else ""
        return on_one_line(f"bill (账单){where}: {self.message}")


class BillReader:
    """Bytes go in, rows come out; nothing here waits, and the time taken is proportional to the bytes."""

    def __init__(self, kind: type[Row] | None) -> None:
        self.count = 0
        self.summary: Summary | None = None
        self._kind = kind
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        #: The pieces of a line whose end has not come yet, and how many characters they have.
        self._pieces: list[str] = []
        self._length = 0
        self._line = 0
        self._columns: list[str] = []
        self._type: type[Row] = Row
        self._build: Callable[[list[str]], Any] | None = None
        self._sums: list[str] = []
        self._open = _OpenRow()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The rows that end in ``data``."""
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
        """The last row, where no line break ends it."""
        last = "".join(self._pieces) + self._decode(b"", final=True)
        if last:
            yield from self._rows([last])
        if self._open.lines:
            raise self._short()
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
                cells = self._unusual(line)
                if not cells:
                    continue
            try:
                row = self._build(cells)
            except ValueError as error:
                raise self._error(error, start) from None
            self.count += 1
            yield row

    def _begin(self, line: str) -> None:
        """The header, which says what kind of bill it is."""
        self._columns = [_named(cell) for cell in line.split(",")]
        made = row_type(self._columns)
        if made is None:
            raise self._error(f"it begins {line[:120]!r}, which is the header of no bill known here")
        if self._kind is not None and not issubclass(made, self._kind):
            raise self._error(f"these are rows of {made.__name__}, not {self._kind.__name__}")
        try:
            self._type, self._build = made, builder(made, self._columns)
        except ColumnError as error:
            raise self._error(error) from None

    def _unusual(self, line: str) -> list[str]:
        """The cells of a line that is not simply a row; none where it is no row, or not its end."""
        if self._sums:
            if line:
                self._end(line)
            return []
        if not self._open.lines and not line:
            return []
        names = [_named(cell) for cell in line.split(",", 1)]
        if names[0] in _SUMS:
            if self._open.lines:
                raise self._short()
            self._sums = [_named(cell) for cell in line.split(",")]
            return []
        if self._open.lines and _BEGINS.match(line):
            # Each row begins with its time: the one before it was short, which is told of its own line.
            raise self._short()
        self._open.add(line, self._line)
        wanted = len(self._columns) - 1
        if self._open.separators == wanted:
            cells = self._open.text().split(_SEPARATOR)
        elif self._type is ProfitSharingRow and self._open.commas == wanted:
            # Bills of shares had no backtick before some values until January 2025.
            cells = self._open.text().split(",")
        else:
            if self._open.separators > wanted or self._open.length > _LINE:
                raise self._short()
            return []
        self._open = _OpenRow()
        return [cell.removeprefix(_BACKTICK) for cell in cells]

    def _end(self, line: str) -> None:
        cells = [cell.removeprefix(_BACKTICK) for cell in line.split(",")]
        if self.summary is not None or len(cells) != len(self._sums):
            raise self._error(f"after the sums a line of {len(cells)} values was not expected")
        try:
            self.summary = builder(summary_type(self._type), self._sums)(cells)
        except ValueError as error:
            raise self._error(error) from None

    def _short(self) -> BillFormatError:
        """The error for the open row. It does not show the row, which holds what customers bought."""
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
    """A row that holds a line break, as far as it has come. Nothing is read twice, however many lines it has."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        #: Where it begins; 0 where no row is open.
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
        """All of it."""
        return "\n".join(self.lines)


def _named(cell: str) -> str:
    """A column's name without what some bills write around it."""
    name = cell.strip().removeprefix(_BACKTICK).strip()
    return name.removesuffix("（元）").removesuffix("(元)")
