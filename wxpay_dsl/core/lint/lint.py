"""Lints spec files: loading errors, examples that violate their own constraints, clashing names, missing summaries.

Each finding has file, line and column.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from wxpay_dsl.core.chain.node import Node
from wxpay_dsl.core.chain.tree import Branch, Declared, SpecFile, Tree, spelling
from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.request.build import OPTIONS
from wxpay_dsl.core.request.validate import check
from wxpay_dsl.core.specs import yaml12
from wxpay_dsl.core.specs.loader import Product, read_definitions
from wxpay_dsl.core.specs.model import ABSENT, SECTIONS, VERBS, Operation, Schema

from .facts import example_error, unknown_roles

__all__ = ["Finding", "lint"]

#: A path in a file's data, and what is wrong there.
_Problem = tuple[tuple[str | int, ...], str]

_TEMPLATE: Final = re.compile(r"\{[^{}]*\}")
_PAIRS: Final = (("min_length", "max_length"), ("minimum", "maximum"), ("min_items", "max_items"))


@frozen(order=True)
class Finding:
    """One problem of a file; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    message: str
    #: ``error``, or ``warning`` for what may be intended.
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"


@frozen
class _Source:
    """A spec file, its text and its data."""

    file: SpecFile
    text: bytes = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)

    def finding(self, problem: _Problem, severity: str = "error") -> Finding:
        line, column = yaml12.locate(self.text, problem[0], self.file.path)
        return Finding(self.file.path, line, column, problem[1], severity)

    def written(self, path: str) -> str:
        """An operation's path without the file's prefix."""
        return path[len(self.raw.get("path") or "") :]


def lint(tree: Tree) -> list[Finding]:
    """All findings in the files of ``tree``, sorted by file and line."""
    findings: set[Finding] = set()
    sources: dict[str, _Source] = {}
    for file in tree.files:
        try:
            product = file.product()
            text = Path(file.path).read_bytes()
            source = _Source(file, text, yaml12.read(text, file.path) or {})
            findings.update(_product(source, product))
            findings.update(_definitions(tree, source, product))
            sources[file.path] = source
        except SpecError as error:
            findings.add(Finding(error.file, error.line, error.column, error.message))
    findings.update(_duplicates(sources))
    findings.update(_ambiguous_paths(tree, sources))
    findings.update(_names(tree.root, sources))
    return sorted(findings)


def _product(source: _Source, product: Product) -> Iterator[Finding]:
    for (path, verb), operation in product.operations.items():
        raw = source.raw["operations"][source.written(path)][verb] or {}
        place = ("operations", source.written(path), verb)
        if not operation.summary:
            yield source.finding((place, f"{operation.name} has no `summary`: the official name"), "warning")
        yield from map(source.finding, unknown_roles(operation, raw, place))
        for problem in _parameters(operation):
            yield source.finding(((*place, *problem[0]), problem[1]))
        for name in (*SECTIONS, "returns"):
            section = operation.returns if name == "returns" else operation.section(name)
            if section is not None and name in raw:
                yield from map(source.finding, _section(raw[name], section, (*place, name)))
    for event_name, event in product.events.items():
        raw = source.raw["events"][event_name]
        if not event.summary:
            problem = ("events", event_name), f"the event {event_name} has no `summary`: the official name"
            yield source.finding(problem, "warning")
        for name, section in (("body", event.body), ("resource", event.resource), ("returns", event.returns)):
            if section is not None:
                yield from map(source.finding, _section(raw[name], section, ("events", event_name, name)))


def _definitions(tree: Tree, source: _Source, product: Product) -> Iterator[Finding]:
    """The findings in definitions: under ``definitions``, or in a file that has nothing else."""
    raw, schemas = source.raw.get("definitions") or {}, product.definitions
    prefix: tuple[str, ...] = ("definitions",)
    if not product.operations and not product.events and not raw and "path" not in source.raw:
        raw, prefix = source.raw, ()
        schemas = read_definitions(tree.folders[: source.file.root + 1], source.file.path)
    for name, schema in schemas.items():
        yield from map(source.finding, _field(raw[name], schema, (*prefix, name)))


def _parameters(operation: Operation) -> Iterator[_Problem]:
    """Names of fields that cannot be passed as keyword arguments, which are assigned to sections by name."""
    places: dict[str, str] = {}
    for section in SECTIONS:
        schema = operation.section(section)
        for name in schema.properties if schema is not None else ():
            at = (section, name if schema is None or name in schema.required else f"{name}?")
            if name in places:
                yield at, f"{name!r} is in the {places[name]} and the {section}: a name can be in one section only"
            elif keyword.iskeyword(name.removesuffix("_")) and _other(name) in places:
                yield at, f"{name!r} and {_other(name)!r} are the same keyword argument in Python"
            elif name in OPTIONS:
                yield at, f"{name!r} is an option of every call: this field can only be passed in a mapping"
            places[name] = section


def _other(name: str) -> str:
    return name[:-1] if name.endswith("_") else f"{name}_"


def _section(raw: Mapping[str, Any], schema: Schema, place: tuple[str | int, ...]) -> Iterator[_Problem]:
    if "$schema" in raw:
        yield from _field(raw["$schema"], schema, (*place, "$schema"))
    elif "$ref" in raw:
        yield from _field(raw, schema, place)
    else:
        yield from _fields(raw, schema, place)


def _fields(raw: Mapping[str, Any], schema: Schema, place: tuple[str | int, ...]) -> Iterator[_Problem]:
    for key, words in raw.items():
        # A plain title needs no check.
        if isinstance(words, dict):
            name = key if key in schema.properties else key.removesuffix("?")
            yield from _field(words, schema.properties[name], (*place, key))


def _field(raw: Any, schema: Schema, place: tuple[str | int, ...]) -> Iterator[_Problem]:
    if not isinstance(raw, dict) or raw.keys() == {"$ref"}:
        return
    for word, value in (("example", schema.example), ("default", schema.default)):
        if value is not ABSENT:
            # An example of a definition is reported where keywords beside the `$ref` contradict it.
            yield from ((_at(raw, place, word), message) for message in _violations(schema, value, f"the {word}"))
    for number, value in enumerate(schema.enum if "enum" in raw else ()):
        for message in _violations(schema, value, f"the value {value!r} of `enum`"):
            yield (*place, "enum", number), message
    for least, most in _PAIRS:
        low, high = getattr(schema, least), getattr(schema, most)
        if low is not None and high is not None and low > high:
            yield place, f"at least {low} and at most {high}: no value is both"
    if isinstance(raw.get("properties"), dict):
        yield from _fields(raw["properties"], schema, (*place, "properties"))
    for word, inner in (("items", schema.items), ("additionalProperties", schema.additional)):
        if isinstance(raw.get(word), dict) and inner is not None:
            yield from _field(raw[word], inner, (*place, word))


def _at(raw: Mapping[str, Any], place: tuple[str | int, ...], word: str) -> tuple[str | int, ...]:
    return (*place, word) if word in raw else place


def _violations(schema: Schema, value: Any, what: str) -> Iterator[str]:
    """Why the schema does not allow its own example, default or enum value."""
    found = check(schema, value, "")
    for mismatch in found:
        yield f"{what}{mismatch.path and ', ' + mismatch.path.lstrip('.')}: {mismatch.message}"
    if not found and (reason := example_error(schema, value)):
        yield f"{what}: {reason}"
    if schema.media_type == "application/json" and isinstance(value, str) and not found:
        try:
            json.loads(value)
        except ValueError as error:
            yield f"{what} is not JSON, though `contentMediaType` says so: {error}"


def _duplicates(sources: Mapping[str, _Source]) -> Iterator[Finding]:
    """The same operation or event in two files of one folder: it is undefined which one is used."""
    seen: dict[tuple[int, str, str], str] = {}
    for source in sources.values():
        product = source.file.product()
        declared: list[tuple[str, str, tuple[str, ...]]] = [
            *((verb, path, ("operations", source.written(path), verb)) for path, verb in product.operations),
            *(("event", name, ("events", name)) for name in product.events),
        ]
        for kind, name, place in declared:
            first = seen.setdefault((source.file.root, kind, name), source.file.path)
            if first != source.file.path:
                what = f"the event {name}" if kind == "event" else f"{kind.upper()} {name}"
                yield source.finding((place, f"{what} is also in {first}"))


def _ambiguous_paths(tree: Tree, sources: Mapping[str, _Source]) -> Iterator[Finding]:
    """Paths that differ only in the names of their templates, and whose fields have the same names."""
    seen: dict[tuple[str, str, frozenset[str]], Operation] = {}
    for declared in tree.root.walk():
        source = sources.get(declared.file.path)
        if source is None:
            continue
        operation = declared.operation()
        names = frozenset(operation.parameters.properties)
        first = seen.setdefault((declared.verb, _TEMPLATE.sub("{}", declared.path), names), operation)
        if first is not operation:
            place = ("operations", source.written(declared.path))
            yield source.finding((place, f"{operation.name} and {first.path}: their fields do not distinguish them"))


def _names(branch: Branch, sources: Mapping[str, _Source]) -> Iterator[Finding]:
    """Segments that cannot be reached by a Python name in the chain."""
    for segment, child in branch.children.items():
        name = spelling(segment)
        if not name.startswith("["):
            message = _unreachable(branch, segment, child, name)
            first = next((found for found in child.walk() if found.file.path in sources), None)
            if message and first is not None:
                yield _declared(first, sources).finding((_place(first, sources), message), "warning")
        yield from _names(child, sources)


def _unreachable(branch: Branch, segment: str, child: Branch, name: str) -> str:
    found = branch.named(name)
    if found != segment and branch.named(segment.replace("-", "_")) != segment:
        return f"no name reaches the segment {segment!r}: `{name}` is {found!r}; only `[{segment!r}]` does"
    if hasattr(Node, name):
        return (
            f"no name reaches the segment {segment!r}: every node has an attribute `{name}`; only `[{segment!r}]` does"
        )
    if name in VERBS and name in branch.verbs and child.verbs:
        return f"`.{name}()` is the verb on the path before it; call the path of {segment!r} with an explicit verb"
    return ""


def _declared(declared: Declared, sources: Mapping[str, _Source]) -> _Source:
    return sources[declared.file.path]


def _place(declared: Declared, sources: Mapping[str, _Source]) -> tuple[str, str]:
    return "operations", _declared(declared, sources).written(declared.path)
