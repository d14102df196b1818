"""The columns of a bill (账单) as the fields of an attrs class: what a field reads, and how a row is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

from attrs import field, fields

__all__ = ["NAMES", "ColumnError", "builder", "column"]

#: Keys in the metadata of a field: the column's names, how its text is read, whether a bill must have it.
NAMES: Final = "names"
_READ: Final = "read"
_REQUIRED: Final = "required"

T = TypeVar("T")


class ColumnError(ValueError):
    """A value that its column cannot have, or a column that a bill lacks."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(f"{column}: {message}")
        self.column = column


def column(*names: str, read: Callable[[str], Any] | None = None, default: Any = "", required: bool = False) -> Any:
    """A field that is called ``names`` in bills, the current name first.

    ``read`` makes its value of the text, or raises ValueError. In a bill without the column the value is ``default``;
    a bill without a ``required`` column is not read, as a default would be taken for what the bill says.
    """
    metadata = {NAMES: names, _READ: read, _REQUIRED: required}
    return field(default=default, metadata=metadata)


def builder(made: type[T], columns: Sequence[str]) -> Callable[[list[str]], T]:
    """The function that makes a ``made`` of a row's texts, which stand in the order of ``columns``.

    The function raises ColumnError for a text that its column cannot have. Raises ColumnError for a required column
    that is not among ``columns``, and for one that is there twice.
    """
    places = {name: position for position, name in enumerate(columns)}
    readers: list[tuple[int, Callable[[str], Any]]] = []
    taken = set[str]()
    for each in fields(made):  # type: ignore[arg-type]  # an attrs class
        if each.name == "extra":
            continue
        names: Sequence[str] = each.metadata[NAMES]
        name = next((name for name in names if name in places), "")
        if name:
            if columns.count(name) > 1:
                raise ColumnError(name, "the header names this column twice")
            taken.add(name)
            readers.append((places[name], each.metadata[_READ] or str))
        elif each.metadata[_REQUIRED]:
            raise ColumnError(names[0], "the header lacks this column")
        else:
            readers.append((0, _always(each.default)))
    make = cast("Callable[..., T]", made)
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
        # Looked for once a row has failed: rows that do not fail are built without a word about where.
        for position, read in readers:
            try:
                read(texts[position])
            except ValueError as found:
                return ColumnError(columns[position], str(found))
        return error

    return build


def _always(value: Any) -> Callable[[str], Any]:
    """The reader of a column that the bill does not have."""
    return lambda _: value
