"""Bills (账单) as rows: read while they come, one at a time, never whole in memory.

async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18", tar_type="GZIP") as bill:
    async for row in bills.rows(bill):
        print(row.out_trade_no, row.total)
"""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Generic, TypeVar, overload

from attrs import fields_dict, frozen

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.core.opening import open_file

from .bill_rows import (
    FundFlowRow,
    FundFlowSummary,
    ProfitSharingRow,
    ProfitSharingSummary,
    RefundRow,
    Row,
    Summary,
    TradeRow,
    TradeSummary,
    builder,
    row_type,
    summary_type,
)

__all__ = [
    "BillFormatError",
    "FundFlowRow",
    "FundFlowSummary",
    "ProfitSharingRow",
    "ProfitSharingSummary",
    "RefundRow",
    "Row",
    "Rows",
    "Summary",
    "TradeRow",
    "TradeSummary",
    "rows",
]

R = TypeVar("R", bound=Row)

#: What a bill may come from: a download, or anything else that gives its bytes.
Source = AsyncIterable[bytes] | bytes | str | os.PathLike[str] | BinaryIO

_CHUNK: Final = 64 * 1024
#: Characters of one line; what is longer is no bill.
_LINE: Final = 64 * 1024
#: Characters of an error that are told.
_SAID: Final = 300
_BACKTICK: Final = "`"
_SEPARATOR: Final = ",`"


@frozen(str=False)
class BillFormatError(SdkError):
    """A bill that is not written as bills are; ``line`` counts from 1."""

    message: str
    line: int = 0

    def __str__(self) -> str:
        return f"bill (账单), line {self.line}: {self.message}"


class Rows(Generic[R]):
    """The rows of a bill, to be iterated over once. Raises BillFormatError, and what its source raises."""

    def __init__(self, source: Source, kind: type[R] | None = None) -> None:
        self._source = source
        self._reader = _Reader(kind)

    @property
    def count(self) -> int:
        """How many rows were given so far."""
        return self._reader.count

    @property
    def summary(self) -> Summary | None:
        """The sums at the bill's end: None until they are reached, and where there are none."""
        return self._reader.summary

    async def __aiter__(self) -> AsyncIterator[R]:
        reader = self._reader
        async for chunk in _chunks(self._source):
            for row in reader.feed(chunk):
                yield row
        for row in reader.finish():
            yield row


@overload
def rows(source: Source) -> Rows[Any]: ...
@overload
def rows(source: Source, kind: type[R]) -> Rows[R]: ...
def rows(source: Source, kind: type[Any] | None = None) -> Rows[Any]:
    """The rows of a bill, typed by its header: TradeRow, RefundRow, FundFlowRow or ProfitSharingRow.

    ``source`` is a download, a path, bytes, an open binary file, or an async iterator of bytes; gzip is unpacked by
    the download. ``kind`` says, to a type checker and to the reader, which rows are expected.
    """
    return Rows(source, kind)


class _Reader:
    """Bytes go in, rows come out; nothing here waits."""

    def __init__(self, kind: type[Row] | None) -> None:
        self.count = 0
        self.summary: Summary | None = None
        self._kind = kind
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._rest = ""
        self._line = 0
        self._columns: list[str] = []
        self._type: type[Row] = Row
        self._build: Callable[[list[str]], Any] | None = None
        self._sums: list[str] = []
        #: A row whose value holds a line break, so far.
        self._open = ""

    def feed(self, data: bytes) -> Iterator[Any]:
        """The rows that end in ``data``."""
        *lines, self._rest = (self._rest + self._decode(data)).split("\n")
        if len(self._rest) > _LINE:
            raise self._error(f"it is longer than {_LINE} characters")
        yield from self._rows(lines)

    def finish(self) -> Iterator[Any]:
        """The last row, where no line break ends it."""
        yield from self._rows([self._rest + self._decode(b"", final=True)])
        if self._open:
            raise self._error(self._mismatch(self._open))
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
            if len(cells) == len(self._columns) and not self._open and not self._sums:
                cells[0] = cells[0].removeprefix(_BACKTICK)
            else:
                cells = self._unusual(line)
                if not cells:
                    continue
            try:
                row = self._build(cells)
            except ValueError as error:
                raise self._error(str(error)) from None
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
        self._type, self._build = made, builder(made, self._columns)

    def _unusual(self, line: str) -> list[str]:
        """The cells of a line that is not simply a row; none where it is no row, or not its end."""
        if self._sums:
            if line:
                self._end(line)
            return []
        if not self._open:
            if not line:
                return []
            names = [_named(cell) for cell in line.split(",")]
            if names[0] in _SUMS:
                self._sums = names
                return []
        whole = f"{self._open}\n{line}" if self._open else line
        for cells in (whole.split(_SEPARATOR), whole.split(",")):
            # Bills of shares had no backtick before some values until January 2025.
            if len(cells) == len(self._columns):
                self._open = ""
                return [cell.removeprefix(_BACKTICK) for cell in cells]
        if len(whole.split(_SEPARATOR)) > len(self._columns) or len(whole) > _LINE:
            raise self._error(self._mismatch(whole))
        self._open = whole
        return []

    def _end(self, line: str) -> None:
        cells = [cell.strip().removeprefix(_BACKTICK) for cell in line.split(",")]
        if self.summary is not None or len(cells) != len(self._sums):
            raise self._error(f"after the sums {line[:80]!r} was not expected")
        try:
            self.summary = builder(summary_type(self._type), self._sums)(cells)
        except ValueError as error:
            raise self._error(str(error)) from None

    def _mismatch(self, text: str) -> str:
        # Not the text itself: it holds what customers bought.
        return f"{len(text.split(_SEPARATOR))} values where the header names {len(self._columns)} columns"

    def _error(self, message: str) -> BillFormatError:
        # Python repeats a text that is no number or date, however long it is.
        return BillFormatError(message if len(message) <= _SAID else f"{message[:_SAID]}…", self._line)


#: The first column of the sums, by kind of bill.
_SUMS: Final = frozenset(fields_dict(Summary)["count"].metadata["column"])


def _named(cell: str) -> str:
    """A column's name without what some bills write around it."""
    name = cell.strip().removeprefix(_BACKTICK).strip()
    return name.removesuffix("（元）").removesuffix("(元)")


async def _chunks(source: Source) -> AsyncIterator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), _CHUNK):
            yield source[start : start + _CHUNK]
            await asyncio.sleep(0)
    elif isinstance(source, (str, os.PathLike)):
        handle = await open_file(Path(source), "rb")
        try:
            async for chunk in _read(handle):
                yield chunk
        finally:
            # At once: what is left to a thread is not done where this is cancelled.
            handle.close()
    elif isinstance(source, AsyncIterable):
        async for chunk in source:
            yield chunk
    else:
        async for chunk in _read(source):
            yield chunk


async def _read(handle: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(handle.read, _CHUNK):
        yield chunk
