"""Loads one spec file: its outline (paths, verbs, summaries) for the index, its operations and events for use.

A file is read again only when asked to; what a process has loaded it keeps (:func:`load` caches by folder and file).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from . import yaml12
from .errors import SpecError
from .grammar import (
    EVENT_WORDS,
    FILE_WORDS,
    OPERATION_WORDS,
    Mistake,
    expect,
    known,
    nearest,
    parse_field,
    parse_section,
)
from .model import SECTIONS, VERBS, Event, Operation, Schema

__all__ = ["Outline", "Product", "load", "outline", "read_definitions"]

#: Size, modification and change time: what tells an edited file from the one that was read.
Signature = tuple[int, int, int]

_LOADED: dict[Any, tuple[dict[str, Signature], Product]] = {}

_TEMPLATE: Final = re.compile(r"\{([^{}/]+)\}\Z")
#: What a path in a spec may hold: URL characters, and whole segments in braces.
_PATH: Final = re.compile(r"(?:/(?:\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z0-9._~!$&'()*+,;=:@%-]*))*\Z")


@frozen
class Outline:
    """What the tree needs to know of a file before anyone calls into it."""

    title: str
    family: str
    #: ``(path, {verb: summary})`` of each path, whole.
    paths: tuple[tuple[str, Mapping[str, str]], ...]
    #: ``{event name: summary}``
    events: Mapping[str, str]


@frozen
class Product:
    """A whole file: each operation by path and verb, each event by name."""

    title: str
    description: str
    operations: Mapping[tuple[str, str], Operation]
    events: Mapping[str, Event]
    definitions: Mapping[str, Schema] = field(repr=False)


def outline(text: bytes, file: str, default_family: str) -> Outline:
    """Reads what the tree needs, without looking at fields. Raises SpecError."""
    try:
        raw = _top(text, file)
        paths: dict[str, dict[str, str]] = {}
        for path, verb, words, _ in _declared(raw):
            paths.setdefault(path, {})[verb] = _summary(words)
        events = {name: _summary(words) for name, words in raw.get("events", {}).items()}
        return Outline(raw.get("title", ""), raw.get("family", default_family), tuple(paths.items()), events)
    except Mistake as mistake:
        raise _located(mistake, text, file) from None


def load(roots: tuple[str, ...], file: str, default_family: str, chains: Mapping[str, tuple[str, ...]]) -> Product:
    """All operations and events of ``file``; read once a process, and again when it or a file it refers to changed.

    ``roots`` are the spec folders, the file's own last: a ``$ref`` that begins with ``/`` is looked up in them, latest
    first, and none may lead out of them. ``chains`` gives each family's prefix in the chain. Raises SpecError.
    """
    key = (roots, file, tuple(chains.items()))
    cached = _LOADED.get(key)
    if cached is not None and all(_signature(path) == signature for path, signature in cached[0].items()):
        return cached[1]
    signatures: dict[str, Signature] = {}
    product = _load(roots, file, default_family, chains, signatures)
    _LOADED[key] = signatures, product
    return product


def _load(
    roots: tuple[str, ...],
    file: str,
    default_family: str,
    chains: Mapping[str, tuple[str, ...]],
    signatures: dict[str, Signature],
) -> Product:
    signatures[file] = _signature(file)
    text = _read(file)
    try:
        raw = _top(text, file)
        family = raw.get("family", default_family)
        if family not in chains:
            raise Mistake(f"{family!r} is not a family{nearest(family, chains)}: one of {', '.join(chains)}", "family")
        resolver = _Resolver(roots, file, text, raw, {})
        operations = {
            (path, verb): _operation(raw, family, chains[family], path, verb, words, resolver, file, written)
            for path, verb, words, written in _declared(raw)
        }
        events = {
            name: _event(raw, family, name, words, resolver, file) for name, words in raw.get("events", {}).items()
        }
        definitions = {name: resolver(f"#/definitions/{name}") for name in raw.get("definitions", {})}
        signatures.update(resolver.signatures)
        return Product(raw.get("title", ""), raw.get("description", ""), operations, events, definitions)
    except Mistake as mistake:
        raise _located(mistake, text, file) from None


def read_definitions(roots: tuple[str, ...], file: str) -> Mapping[str, Schema]:
    """Each definition of a file that holds nothing else (``common.yaml``). Raises SpecError."""
    text = _read(file)
    raw = yaml12.read(text, file) or {}
    try:
        resolver = _Resolver(roots, file, text, raw, {})
        return {name: resolver(f"#/{name}") for name in raw}
    except Mistake as mistake:
        raise _located(mistake, text, file) from None


def _declared(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, str]]:
    """``(whole path, verb, words, path as written)`` of each operation, the paths and verbs checked."""
    prefix = _prefix(raw)
    for path, verbs in raw.get("operations", {}).items():
        _check_path(prefix, path)
        if not isinstance(verbs, dict) or not verbs:
            raise Mistake("a path holds its verbs: `get`, `post` …", "operations", path)
        for verb, words in verbs.items():
            if verb not in VERBS:
                message = f"{verb!r} is not a verb{nearest(verb, VERBS)}: one of {', '.join(VERBS)}"
                raise Mistake(message, "operations", path, verb)
            yield prefix + path, verb, words, path


def _summary(words: Any) -> str:
    summary = words.get("summary", "") if isinstance(words, dict) else ""
    return summary if isinstance(summary, str) else ""


def _operation(
    raw: Mapping[str, Any],
    family: str,
    chain: tuple[str, ...],
    path: str,
    verb: str,
    words: Any,
    resolver: _Resolver,
    file: str,
    written: str,
) -> Operation:
    try:
        if words is None:
            words = {}
        expect(words, (dict,), verb)
        known(words, OPERATION_WORDS, "an operation")
        values: dict[str, Any] = {key: raw[key] for key in ("host", "roles", "tags") if key in raw}
        for word, value in words.items():
            values[word] = expect(value, OPERATION_WORDS[word], word)
        for word in ("docs", "roles", "tags"):
            if word in values:
                values[word] = tuple(expect(item, (str,), word) for item in values[word])
        for word in (*SECTIONS[1:], "returns"):
            if word in values:
                values[word] = _section(word, values[word], resolver)
        if "body" in values and "form" in values:
            raise Mistake("an operation has a `body` or a `form`, not both", "form")
        templates = [found[1] for segment in path.split("/") if (found := _TEMPLATE.match(segment))]
        values["parameters"] = _parameters(templates, values.pop("path", {}), resolver)
        return Operation(
            verb=verb,
            path=path,
            family=family,
            chain=(*chain, *path.split("/")[1:]),
            file=file,
            product=raw.get("title", ""),
            **values,
        )
    except Mistake as mistake:
        raise mistake.within("operations", written, verb) from None


def _event(raw: Mapping[str, Any], family: str, name: str, words: Any, resolver: _Resolver, file: str) -> Event:
    try:
        expect(words, (dict,), name)
        known(words, EVENT_WORDS, "an event")
        values = {key: raw[key] for key in ("roles", "tags") if key in raw}
        for word, value in words.items():
            values[word] = expect(value, EVENT_WORDS[word], word)
        for word in ("docs", "roles", "tags"):
            if word in values:
                values[word] = tuple(expect(item, (str,), word) for item in values[word])
        for word in ("body", "resource"):
            if word in values:
                values[word] = _section(word, values[word], resolver)
        return Event(name=name, family=family, file=file, product=raw.get("title", ""), **values)
    except Mistake as mistake:
        raise mistake.within("events", name) from None


def _section(word: str, raw: Any, resolver: _Resolver) -> Schema:
    try:
        return parse_section(raw, resolver)
    except Mistake as mistake:
        raise mistake.within(word) from None


def _parameters(templates: Sequence[str], raw: Mapping[str, Any], resolver: _Resolver) -> Schema:
    """The path's fields: each template has one, said or implied; each is required."""
    properties: dict[str, Schema] = {name: Schema() for name in templates}
    for key, value in raw.items():
        if key not in properties:
            raise Mistake(f"{key!r} is not in the path{nearest(key, properties)}", "path", key)
        try:
            properties[key] = parse_field(value, resolver)
        except Mistake as mistake:
            raise mistake.within("path", key) from None
    return Schema(type="object", properties=properties, required=frozenset(properties))


class _Resolver:
    """Finds what a ``$ref`` names, each once, in this file or another below the roots."""

    def __init__(
        self,
        roots: tuple[str, ...],
        file: str,
        text: bytes,
        raw: Mapping[str, Any],
        others: dict[str, _Resolver],
    ) -> None:
        self._roots = roots
        self._file = file
        self._text = text
        self._raw = raw
        self._others = others
        self._found: dict[str, Schema] = {}
        self._open: list[str] = []
        #: The files it has read beside its own, and what each looked like.
        self.signatures: dict[str, Signature] = {}

    def __call__(self, ref: str) -> Schema:
        found = self._found.get(ref)
        if found is None:
            target, _, pointer = ref.partition("#")
            if ref in self._open:
                circle = " -> ".join([*self._open[self._open.index(ref) :], ref])
                raise Mistake(f"the `$ref` turns in a circle: {circle}", "$ref")
            self._open.append(ref)
            try:
                found = self._elsewhere(target, pointer, ref) if target else self._here(pointer, ref)
            finally:
                self._open.pop()
            self._found[ref] = found
        return found

    def _here(self, pointer: str, ref: str) -> Schema:
        value = _point(self._raw, pointer, ref)
        try:
            return parse_field(value, self)
        except Mistake as mistake:
            # The fault is in the definition: point there, not at the field that refers to it.
            raise _located(mistake.within(*_parts(pointer)), self._text, self._file) from None

    def _elsewhere(self, target: str, pointer: str, ref: str) -> Schema:
        for candidate in self._candidates(target):
            if candidate not in self._others:
                if not Path(candidate).is_file():
                    continue
                self.signatures[candidate] = _signature(candidate)
                text = _read(candidate)
                raw = yaml12.read(text, candidate) or {}
                self._others[candidate] = _Resolver(self._roots, candidate, text, raw, self._others)
                self._others[candidate].signatures = self.signatures
            return self._others[candidate]("#" + pointer)
        raise Mistake(f"the `$ref` {ref!r} names a file that is not there", "$ref")

    def _candidates(self, target: str) -> list[str]:
        """Where the file may be: beside this one, or, of ``/common.yaml``, in each root, the latest first."""
        if target.startswith("/"):
            paths = [Path(root, target[1:]) for root in reversed(self._roots)]
        else:
            paths = [Path(self._file).parent / target]
        paths = [path.resolve() for path in paths]
        if not all(any(path.is_relative_to(Path(root).resolve()) for root in self._roots) for path in paths):
            raise Mistake(f"the `$ref` {target!r} leads out of the spec folder", "$ref")
        return [str(path) for path in paths]


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


def _top(text: bytes, file: str) -> dict[str, Any]:
    raw = yaml12.read(text, file)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise Mistake("a spec is a mapping: `title`, `path`, `operations` …")
    if "operations" in raw or "events" in raw or "path" in raw:
        known(raw, FILE_WORDS, "a spec")
        for word, value in raw.items():
            if value is not None or word not in ("operations", "events", "definitions"):
                expect(value, FILE_WORDS[word], word)
        return {word: value for word, value in raw.items() if value is not None}
    # A file of definitions alone (common.yaml): its names are its own.
    return {"definitions": {}}


def _prefix(raw: Mapping[str, Any]) -> str:
    prefix: str = raw.get("path", "")
    if not _PATH.match(prefix) or prefix.endswith("/"):
        raise Mistake(f"{prefix!r} is not a path: '/' and segments, no '/' at its end", "path")
    return prefix


def _check_path(prefix: str, path: str) -> None:
    if not _PATH.match(path) or not prefix + path:
        raise Mistake(f"{path!r} is not a path: '/', segments, and whole {{segments}} in braces", "operations", path)
    templates = [segment for segment in (prefix + path).split("/") if segment.startswith("{")]
    if len(set(templates)) < len(templates):
        raise Mistake("the same name stands in two places of the path", "operations", path)


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(yaml12.MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", file) from None


def _signature(file: str) -> Signature:
    try:
        status = os.stat(file)
    except OSError:
        return 0, 0, 0
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _located(mistake: Mistake, text: bytes, file: str) -> SpecError:
    line, column = yaml12.locate(text, mistake.path, file)
    return SpecError(mistake.message, file, line, column)
