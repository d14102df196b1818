"""Finds what a ``$ref`` names, in its own file or another below the spec folders, and knows the files it read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wxpay_dsl.core.errors import SpecError

from . import yaml12
from .expansion import ExpansionCounter
from .fingerprint import ABSENT_FILE, Seen, read_file
from .grammar import Mistake, nearest, parse_field
from .model import Schema

__all__ = ["MAX_REFS", "Resolver", "escaped", "located"]

#: How many definitions may lead to one another before a field is reached.
MAX_REFS: Final = 32


class Resolver:
    """Finds what a ``$ref`` names, each once, in this file or another below the roots."""

    def __init__(
        self,
        roots: tuple[str, ...],
        file: str,
        text: bytes,
        raw: Mapping[str, Any],
        others: dict[str, Resolver],
        files: dict[str, Seen],
        expansion: ExpansionCounter,
    ) -> None:
        self._roots = roots
        self._file = file
        self._text = text
        self._raw = raw
        self._others = others
        self._found: dict[str, Schema] = {}
        self._open: list[str] = []
        #: Every file that was read or looked for, and what it was like.
        self._files = files
        #: Of all files that one refers to, together.
        self.expansion = expansion

    def __call__(self, ref: str) -> Schema:
        found = self._found.get(ref)
        if found is None:
            target, _, pointer = ref.partition("#")
            if ref in self._open:
                circle = " -> ".join([*self._open[self._open.index(ref) :], ref])
                raise Mistake(f"the `$ref` turns in a circle: {circle}", "$ref")
            if len(self._open) >= MAX_REFS:
                raise Mistake(f"more than {MAX_REFS} definitions lead to one another", "$ref")
            self._open.append(ref)
            try:
                found = self._elsewhere(target, pointer, ref) if target else self._here(pointer, ref)
            finally:
                self._open.pop()
            self.expansion.check(found, "$ref")
            self._found[ref] = found
        return found

    def _here(self, pointer: str, ref: str) -> Schema:
        value = _point(self._raw, pointer, ref)
        try:
            return parse_field(value, self)
        except Mistake as mistake:
            # The fault is in the definition: point there, not at the field that refers to it.
            raise located(mistake.within(*_parts(pointer)), self._text, self._file) from None

    def _elsewhere(self, target: str, pointer: str, ref: str) -> Schema:
        for candidate in self._candidates(target):
            if candidate not in self._others:
                if not os.path.isfile(candidate):
                    # Once it is there, it is what is meant.
                    self._files[candidate] = ABSENT_FILE
                    continue
                text = read_file(candidate, self._files)
                raw = yaml12.read(text, candidate)
                raw = raw if isinstance(raw, dict) else {}
                self._others[candidate] = Resolver(
                    self._roots, candidate, text, raw, self._others, self._files, self.expansion
                )
            return self._others[candidate]("#" + pointer)
        raise Mistake(f"the `$ref` {ref!r} names a file that is not there", "$ref")

    def _candidates(self, target: str) -> list[str]:
        """Where the file may be: beside this one, or, of ``/common.yaml``, in each root, the latest first."""
        if "\0" in target:
            raise Mistake("the `$ref` names no file", "$ref")
        if target.startswith("/"):
            paths = [Path(root, target[1:]) for root in reversed(self._roots)]
        else:
            paths = [Path(self._file).parent / target]
        paths = [path.resolve() for path in paths]
        if not all(any(path.is_relative_to(Path(root).resolve()) for root in self._roots) for path in paths):
            raise Mistake(f"the `$ref` {target!r} leads out of the spec folder", "$ref")
        return [str(path) for path in paths]


def escaped(name: str) -> str:
    """A name as a pointer writes it."""
    return name.replace("~", "~0").replace("/", "~1")


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _point(raw: Any, pointer: str, ref: str) -> Any:
    if not pointer.startswith("/"):
        raise Mistake(f"the `$ref` {ref!r} names no definition: write FILE#/NAME", "$ref")
    value = raw
    for part in _parts(pointer):
        if not isinstance(value, dict) or part not in value:
            words = value if isinstance(value, dict) else ()
            raise Mistake(f"the `$ref` {ref!r} names nothing: no {part!r} there{nearest(part, words)}", "$ref")
        value = value[part]
    return value


def located(mistake: Mistake, text: bytes, file: str) -> SpecError:
    """The mistake as its user sees it, with line and column."""
    line, column = yaml12.locate(text, mistake.path, file)
    return SpecError(mistake.message, file, line, column)
