"""Writes the results of a bulk run: the CSV of the rows with the state and the response of each."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from wxpay_dsl.core.files.atomic_write import atomic_text_file

from .journal import Entry
from .rows import Table

__all__ = ["STATES", "safe_cells", "state_of", "write_results"]

#: The states of a row in the results and in the counts, in the order in which they are shown.
STATES: Final = ("succeeded", "rejected", "not_sent", "unknown")
#: Text that a spreadsheet takes for a formula. Base64 and telephone numbers may begin with + or - and are not formulas.
#: Spreadsheets also accept the full-width signs of Chinese keyboards, and may skip leading blanks.
_FORMULA: Final = re.compile(r"[\t\r\n]|[\s\x00\u200b\ufeff]*(?:[=@＝＠＋－]|[+-].*[|(!｜（！])", re.DOTALL)


def state_of(number: int, entries: Mapping[int, Entry]) -> str:
    """The state of row ``number`` (from 1), one of ``STATES``: a row that is only ``sent`` is ``unknown``."""
    entry = entries.get(number)
    if entry is None:
        return "not_sent"
    return "unknown" if entry.state == "sent" else entry.state


def write_results(out: Path, table: Table, entries: Mapping[int, Entry]) -> None:
    """Writes the results to ``out`` in one atomic step, readable by the owner only: they name payers and amounts.

    Raises UsageError if the file cannot be written.
    """
    results = []
    for number, row in enumerate(table.rows, 1):
        entry = entries.get(number, Entry(number, row.digest, "not_sent"))
        outcome = {name: getattr(entry, name) for name in ("status", "code", "message", "request_id")}
        outcome = {"state": state_of(number, entries), **outcome}
        cells = {f"result.{name}": value or "" for name, value in outcome.items()} | _flat(entry.data)
        results.append({**row.cells, **safe_cells(cells)})
    columns = list(dict.fromkeys(name for result in results for name in result))
    try:
        with atomic_text_file(out, private=True, encoding="utf-8-sig", newline="") as file:
            # Quote all text: else a program that splits cells at `;` or a tab could find a formula after one.
            writer = csv.DictWriter(file, columns, restval="", quoting=csv.QUOTE_NONNUMERIC)
            writer.writeheader()
            writer.writerows(results)
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror}") from None


def safe_cells(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Cells of a response for a CSV: lone surrogates replaced, and a quote before text that would be a formula.

    An error response is not signed, so it may hold any text.
    """
    return {_valid_unicode(name): _safe_cell(value) for name, value in cells.items()}


def _safe_cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = _valid_unicode(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _valid_unicode(text: str) -> str:
    """The text, with U+FFFD in the place of each lone surrogate, which UTF-8 cannot encode."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _flat(data: Any, prefix: str = "response") -> dict[str, Any]:
    """The fields of a response by dotted names; lists and booleans as JSON."""
    if isinstance(data, Mapping):
        return {key: value for name, item in data.items() for key, value in _flat(item, f"{prefix}.{name}").items()}
    if data is None:
        return {}
    if isinstance(data, (list, bool)):
        from wxpay_dsl.cli.output.terminal import json_bytes

        return {prefix: json_bytes(data).decode()}
    return {prefix: data}
