"""Reads and checks the rows of a bulk run: a CSV file whose columns are fields by dotted names."""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import field, frozen

from wxpay_dsl.cli.input.parameters import fields_of
from wxpay_dsl.core.errors import FieldError, ValidationError
from wxpay_dsl.core.request.build import SpecWarning

from .outcome import is_number, numbers_of

if TYPE_CHECKING:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.core.chain.node import Target

__all__ = ["Row", "Table", "check", "read"]

#: Field errors that are shown; the others are counted.
_ERRORS_SHOWN: Final = 20


@frozen
class Row:
    """One row, which is one call: its first line in the file, from 1, its cells, and the data and fields to send."""

    line: int
    cells: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)
    fields: Mapping[str, Any] = field(repr=False)

    @property
    def numbers(self) -> dict[str, str]:
        """The merchant's own numbers in what is sent, by name."""
        return numbers_of({**self.fields, **(self.data if isinstance(self.data, Mapping) else {})})

    @property
    def digest(self) -> str:
        """SHA-256 in hex of what is sent; it does not depend on the order of the columns."""
        sent = json.dumps([self.data, self.fields], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(sent.encode()).hexdigest()


@frozen
class Table:
    """The content of a CSV file: its columns and rows."""

    columns: Sequence[str]
    rows: Sequence[Row] = field(repr=False)


def read(path: Path, target: Target, constants: Sequence[str]) -> Table:
    """The rows of ``path``, each cell converted to its field's type; ``constants`` (``KEY=VALUE``) are added to each.

    An empty cell leaves its field out. Raises UsageError if the file cannot be read, is not such a table, or two rows
    have the same number.
    """
    operation = target.declared.operation() if target.declared is not None else None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            _check_columns(path, columns)
            rows = []
            line = reader.line_num + 1
            for cells in reader:
                if any(cells):
                    if len(cells) != len(columns):
                        raise click.UsageError(f"{path}:{line}: {len(cells)} cells under {len(columns)} columns")
                    named = dict(zip(columns, cells, strict=True))
                    given = [f"{name}={cell}" for name, cell in named.items() if cell != ""]
                    try:
                        fields, loose = fields_of(target, operation, [*constants, *given])
                    except click.UsageError as error:
                        raise click.UsageError(f"{path}:{line}: {error.message}") from None
                    rows.append(Row(line, named, loose or None, fields))
                line = reader.line_num + 1
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is not UTF-8: save it as “CSV UTF-8”") from None
    except csv.Error as error:
        raise click.UsageError(f"{path}: {error}") from None
    if not rows:
        raise click.UsageError(f"{path} has no rows below its first line")
    _check_numbers(path, columns, rows)
    return Table(columns, rows)


async def check(path: Path, client: Wechatpay, target: Target, rows: Sequence[Row]) -> list[str]:
    """Validates all rows as their calls would, and returns the warnings without duplicates.

    Raises one ValidationError with the field errors of all rows, each named by file and line.
    """
    field_errors: list[FieldError] = []
    name = ""
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        for row in rows:
            try:
                request = await client.client.prepare(target, row.data, row.fields)
                name = request.name
            except ValidationError as error:
                name = error.operation
                field_errors += [
                    FieldError(f"{path.name}:{row.line} {each.path}", each.message) for each in error.errors
                ]
    if field_errors:
        more = len(field_errors) - _ERRORS_SHOWN
        shown = field_errors[:_ERRORS_SHOWN] + ([FieldError("", f"and {more} more")] if more > 0 else [])
        raise ValidationError(name, tuple(shown))
    return list(dict.fromkeys(str(each.message) for each in recorded if issubclass(each.category, SpecWarning)))


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if not columns or not all(columns):
        raise click.UsageError(f"{path}: its first line names the fields: out_bill_no,openid,amount.total …")
    if len({*columns}) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise click.UsageError(f"{path}: two columns are called {twice}")


def _check_numbers(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    # Two rows with the same number would be one order, refund or transfer.
    numbers = [name for name in columns if is_number(name.rpartition(".")[2])]
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        number = tuple(row.cells[name] for name in numbers) or (row.digest,)
        if number in seen:
            what = " and ".join(numbers) if numbers else "fields"
            raise click.UsageError(f"{path}: lines {seen[number]} and {row.line} have the same {what}")
        seen[number] = row.line
