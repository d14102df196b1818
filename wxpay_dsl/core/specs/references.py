"""Resolves ``$ref``s within a file and to other files below the spec folders, and records the files read."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from wxpay_dsl.core.errors import SpecError

from . import yaml12
from .expansion import ExpansionCounter
from .grammar import Mistake, nearest, parse_field
from .model import Schema
from .parsed import parse
from .spec_bytes import MAX_BYTES, RACY_NS, digest, read_regular_file

__all__ = ["MAX_REFS", "Fingerprint", "Resolver", "escaped", "located", "read_file", "unchanged"]

#: Definitions that may refer to one another in a row.
MAX_REFS: Final = 32


class Fingerprint(NamedTuple):
    """What a file was like when it was read; all zero and empty if there was none."""

    size: int
    modified_ns: int
    altered_ns: int
    read_ns: int
    digest: str


#: The fingerprint of a missing file.
ABSENT_FILE: Final = Fingerprint(0, 0, 0, 0, "")


def read_file(file: str, files: dict[str, Fingerprint]) -> bytes:
    """The bytes of a file; adds its fingerprint to ``files``. Raises SpecError."""
    read_ns = time.time_ns()
    try:
        status = os.stat(file)
        text = read_regular_file(file, MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", file) from None
    files[file] = Fingerprint(status.st_size, status.st_mtime_ns, status.st_ctime_ns, read_ns, digest(text))
    return text


def unchanged(file: str, seen: Fingerprint) -> bool:
    """Whether ``file`` still has the contents that were read."""
    try:
        status = os.stat(file)
    except OSError:
        return seen is ABSENT_FILE
    if (status.st_size, status.st_mtime_ns, status.st_ctime_ns) != seen[:3]:
        return False
    if max(seen.modified_ns, seen.altered_ns) + RACY_NS < seen.read_ns:
        return True
    # It was read so soon after it was written that a later edit may have the same timestamp.
    try:
        return digest(read_regular_file(file, MAX_BYTES + 1)) == seen.digest
    except OSError:
        return False


class Resolver:
    """Resolves each ``$ref`` of a file once. An instance is called with the text of the ``$ref``."""

    def __init__(
        self,
        roots: tuple[str, ...],
        file: str,
        text: bytes,
        raw: Mapping[str, Any],
        others: dict[str, Resolver],
        files: dict[str, Fingerprint],
        expansion: ExpansionCounter,
    ) -> None:
        self._roots = roots
        self._file = file
        self._text = text
        self._raw = raw
        self._others = others
        self._found: dict[str, Schema] = {}
        self._open: list[str] = []
        #: The fingerprint of every file that was read or looked for.
        self._files = files
        #: Shared by all files that the first one refers to.
        self.expansion = expansion

    def __call__(self, ref: str) -> Schema:
        found = self._found.get(ref)
        if found is None:
            target, _, pointer = ref.partition("#")
            if ref in self._open:
                circle = " -> ".join([*self._open[self._open.index(ref) :], ref])
                raise Mistake(f"the `$ref` is circular: {circle}", "$ref")
            if len(self._open) >= MAX_REFS:
                raise Mistake(f"more than {MAX_REFS} definitions refer to one another in a row", "$ref")
            self._open.append(ref)
            try:
                found = self._in_file(target, pointer, ref) if target else self._in_this_file(pointer, ref)
            finally:
                self._open.pop()
            self.expansion.check(found, "$ref")
            self._found[ref] = found
        return found

    def _in_this_file(self, pointer: str, ref: str) -> Schema:
        value = _follow(self._raw, pointer, ref)
        try:
            return parse_field(value, self)
        except Mistake as mistake:
            # The mistake is in the definition: point there, not at the field that refers to it.
            raise located(mistake.within(*_parts(pointer)), self._text, self._file) from None

    def _in_file(self, target: str, pointer: str, ref: str) -> Schema:
        for candidate in self._candidates(target):
            if candidate not in self._others:
                if not os.path.isfile(candidate):
                    # If it is created later, the `$ref` must be resolved again.
                    self._files[candidate] = ABSENT_FILE
                    continue
                text = read_file(candidate, self._files)
                raw = _read(text, candidate, self._files[candidate].digest, self._folder_of(candidate))
                self._others[candidate] = Resolver(
                    self._roots, candidate, text, raw, self._others, self._files, self.expansion
                )
            return self._others[candidate]("#" + pointer)
        raise Mistake(f"the `$ref` {ref!r} names a file that does not exist", "$ref")

    def _folder_of(self, path: str) -> str:
        """The root that a candidate is below; the candidates are below one of them."""
        return next(root for root in reversed(self._roots) if Path(path).is_relative_to(Path(root).resolve()))

    def _candidates(self, target: str) -> list[str]:
        """The paths to try: relative to this file, or for ``/common.yaml`` below each root, the last first."""
        if "\0" in target:
            raise Mistake("the `$ref` has a NUL character in its file name", "$ref")
        if target.startswith("/"):
            paths = [Path(root, target[1:]) for root in reversed(self._roots)]
        else:
            paths = [Path(self._file).parent / target]
        paths = [path.resolve() for path in paths]
        if not all(any(path.is_relative_to(Path(root).resolve()) for root in self._roots) for path in paths):
            raise Mistake(f"the `$ref` {target!r} leads out of the spec folder", "$ref")
        return [str(path) for path in paths]


#: What files that others refer to hold, by the digest of their text: one is read for many.
_shared: dict[str, tuple[str, Mapping[str, Any]]] = {}


def _read(text: bytes, file: str, proof: str, folder: str) -> Mapping[str, Any]:
    """What YAML makes of a file of definitions, once for each text. Nobody changes it."""
    known = _shared.get(file)
    if known is None or known[0] != proof:
        raw = parse(text, file, folder)
        known = _shared[file] = proof, raw if isinstance(raw, dict) else {}
    return known[1]


def escaped(name: str) -> str:
    """A name escaped for a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _follow(raw: Any, pointer: str, ref: str) -> Any:
    if not pointer.startswith("/"):
        raise Mistake(f"the `$ref` {ref!r} names no definition: write FILE#/NAME", "$ref")
    value = raw
    for part in _parts(pointer):
        if not isinstance(value, dict) or part not in value:
            words = value if isinstance(value, dict) else ()
            raise Mistake(f"the `$ref` {ref!r} names nothing: there is no {part!r}{nearest(part, words)}", "$ref")
        value = value[part]
    return value


def located(mistake: Mistake, text: bytes, file: str) -> SpecError:
    """The mistake as a SpecError, with line and column."""
    line, column = yaml12.locate(text, mistake.path, file)
    return SpecError(mistake.message, file, line, column)
