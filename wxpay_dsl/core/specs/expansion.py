"""How many fields a schema comes to when it is written out, as help, stubs, documents and examples write it.

Definitions that refer twice to one another double at each step.
"""

from __future__ import annotations

from typing import Final

from .grammar import Mistake
from .model import Schema

__all__ = ["ExpansionCounter"]

#: Fields of one section, and of all sections of a file together. The largest operation that is published has 273.
_MOST: Final = 20_000
_MOST_IN_FILE: Final = 200_000


class ExpansionCounter:
    """Counts what a file's schemas come to, each schema once."""

    def __init__(self) -> None:
        #: By the schema's number, with the schema, so that no other gets its number.
        self._known: dict[int, tuple[int, Schema]] = {}
        self._total = 0

    def check(self, schema: Schema, word: str) -> None:
        """Raises Mistake, at ``word``, for a schema that comes to more fields than anybody can read."""
        if self._of(schema) > _MOST:
            raise Mistake(f"the references in it make more than {_MOST} fields of it", word)

    def add(self, section: Schema, word: str) -> None:
        """Checks a section, and counts it. Raises Mistake."""
        self.check(section, word)
        self._total += self._of(section)
        if self._total > _MOST_IN_FILE:
            raise Mistake(f"the references in this file make more than {_MOST_IN_FILE} fields of it", word)

    def _of(self, schema: Schema) -> int:
        known = self._known.get(id(schema))
        if known is not None:
            return known[0]
        below = [*schema.properties.values(), schema.items, schema.additional]
        extent = 1 + sum(self._of(each) for each in below if each is not None)
        self._known[id(schema)] = extent, schema
        return extent
