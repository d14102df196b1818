"""Maps the columns of a bill (账单) to the fields of an attrs class, and builds rows from cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

from attrs import field, fields

__all__ = ["NAMES", "ColumnError", "builder", "column"]

#: Keys in the metadata of a field: the names of its column, the function that reads a cell, whether it is required.
NAMES: Final = "names"
_READ: Final = "read"
_REQUIRED: Final = "required"

T = TypeVar("T")


class ColumnError(ValueError):
    """A cell that its column cannot have, or a required column that a bill lacks."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(f"{column}: {message}")
        self.column = column


def column(*names: str, read: Callable[[str], Any] | None = None, default: Any = "", required: bool = False) -> Any:
    """A field for the column that bills call one of ``names``, the current name first.

    ``read`` converts the text of a cell, or raises ValueError. If a bill lacks the column, the value is ``default``;
    if the column is ``required``, the bill is refused, as a default could be mistaken for a value of the bill.
    """
    metadata = {NAMES: names, _READ: read, _REQUIRED: required}
    return field(default=default, metadata=metadata)


def builder(row_class: type[T], columns: Sequence[str]) -> Callable[[list[str]], T]:
    """A function that builds a ``row_class`` from the cells of a row, given in the order of ``columns``.

    The function raises ColumnError for a cell that cannot be read. Raises ColumnError for a required column that is not
    among ``columns``, and for one that occurs twice.
    """
    places = {name: position for position, name in enumerate(columns)}
    readers: list[tuple[int, Callable[[str], Any]]] = []
    taken = set[str]()
    for each in fields(row_class):  # type: ignore[arg-type]  # an attrs class
        if each.name == "extra":
            continue
        names: Sequence[str] = each.metadata[NAMES]
        name = next((name for name in names if name in places), "")
        if name:
            if columns.count(name) > 1:
                raise ColumnError(name, "the header has this column twice")
            taken.add(name)
            readers.append((places[name], each.metadata[_READ] or str))
        elif each.metadata[_REQUIRED]:
            raise ColumnError(names[0], "the header lacks this column")
        else:
            readers.append((0, _constant(each.default)))
    make = cast("Callable[..., T]", row_class)
    unknown = [(name, position) for name, position in places.items() if name not in taken]

    def build(texts: list[str]) -> T:
        try:
            values = [read(texts[position]) for position, read in readers]
        except ValueError as error:
            raise _located(error, texts) from None
        if unknown:
            return make(*values, extra={name: texts[position] for name, position in unknown})
        return make(*values)

    def _located(error: ValueError, texts: list[str]) -> ValueError:
        # Found by reading the row again, so that good rows are built without recording positions.
        for position, read in readers:
            try:
                read(texts[position])
            except ValueError as cause:
                return ColumnError(columns[position], str(cause))
        return error

    return build


def _constant(value: Any) -> Callable[[str], Any]:
    """The reader of a column that the bill lacks."""
    return lambda _: value
