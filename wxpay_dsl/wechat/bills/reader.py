"""Bills (账单) as an async iterator of typed rows, read while they arrive.

async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18", tar_type="GZIP") as bill:
    async for row in bills.rows(bill):
        print(row.out_trade_no, row.total)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Generic, TypeVar, overload

from wxpay_dsl.core.files.names import is_file_name, shown_file
from wxpay_dsl.core.files.safe_open import open_file

from .parser import BillFormatError, BillReader
from .row_types import (
    FundFlowRow,
    FundFlowSummary,
    ProfitSharingRow,
    ProfitSharingSummary,
    RefundRow,
    Row,
    Summary,
    TradeRow,
    TradeSummary,
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

#: The source of a bill: a download, or anything else that gives its bytes.
Source = AsyncIterable[bytes] | bytes | str | os.PathLike[str] | BinaryIO

#: Bytes that are read and parsed before other tasks run.
_CHUNK: Final = 64 * 1024


class Rows(Generic[R]):
    """The rows of a bill; iterate over them once. Iterating raises BillFormatError, and what the source raises."""

    def __init__(self, source: Source, kind: type[R] | None = None) -> None:
        self._source = source
        self._reader = BillReader(kind)

    @property
    def count(self) -> int:
        """Number of rows read so far."""
        return self._reader.count

    @property
    def summary(self) -> Summary | None:
        """The summary at the end of the bill; None until it is reached, and if the bill has none."""
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
    """The rows of a bill: TradeRow, RefundRow, FundFlowRow or ProfitSharingRow, depending on its header.

    ``source``: a download, a path, bytes, an open binary file, or an async iterator of bytes. The download decompresses
    gzip; other sources must be plain text. ``kind``: the class of the expected rows, for type checkers; a bill of
    another kind raises BillFormatError.
    """
    return Rows(source, kind)


async def _chunks(source: Source) -> AsyncIterator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), _CHUNK):
            yield source[start : start + _CHUNK]
            await asyncio.sleep(0)
    elif isinstance(source, (str, os.PathLike)):
        if not is_file_name(source):
            raise BillFormatError(f"{shown_file(source)}: give the contents of a bill as bytes")
        handle = await open_file(Path(source), "rb")
        try:
            async for chunk in _read(handle):
                yield chunk
        finally:
            # Closed here, not in a thread: a cancelled task would not wait for it.
            handle.close()
    elif isinstance(source, AsyncIterable):
        async for chunk in source:
            # Parsing blocks the event loop, so that large chunks are parsed in pieces.
            for start in range(0, len(chunk), _CHUNK):
                if start:
                    await asyncio.sleep(0)
                yield chunk[start : start + _CHUNK]
    else:
        async for chunk in _read(source):
            yield chunk


async def _read(handle: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(handle.read, _CHUNK):
        yield chunk
