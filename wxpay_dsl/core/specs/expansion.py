"""Limits how many fields a schema expands to when its references are written out, as in help, stubs and documents.

Definitions that each refer twice to the next one double the number of fields at every step.
"""

from __future__ import annotations

from typing import Final

from .grammar import Mistake
from .model import Schema

__all__ = ["ExpansionCounter"]

#: Fields of one section, and of all sections of a file together. The largest published operation has 273.
_MOST: Final = 20_000
_MOST_IN_FILE: Final = 200_000


class ExpansionCounter:
    """Counts the fields of a file's schemas with their references expanded; each schema is counted once."""

    def __init__(self) -> None:
        #: By ``id(schema)``; the schema is kept, so that no other object gets the same id.
        self._counts: dict[int, tuple[int, Schema]] = {}
        self._total = 0

    def check(self, schema: Schema, word: str) -> None:
        """Raises Mistake, at ``word``, if a schema expands to more than 20 000 fields."""
        if self._count(schema) > _MOST:
            raise Mistake(f"its references expand to more than {_MOST} fields", word)

    def add(self, section: Schema, word: str) -> None:
        """Checks a section, and adds it to the file's total. Raises Mistake if either is too large."""
        self.check(section, word)
        self._total += self._count(section)
        if self._total > _MOST_IN_FILE:
            raise Mistake(f"the references in this file expand to more than {_MOST_IN_FILE} fields", word)

    def _count(self, schema: Schema) -> int:
        counted = self._counts.get(id(schema))
        if counted is not None:
            return counted[0]
        count = 1
        for each in (*schema.properties.values(), schema.items, schema.additional):
            if each is None:
                continue
            # Most fields are leaves; a call for each would cost a tenth of loading the specs.
            leaf = not each.properties and each.items is None and each.additional is None
            count += 1 if leaf else self._count(each)
        self._counts[id(schema)] = count, schema
        return count
