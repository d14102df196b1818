"""What is wrong with specs, each with file, line and column: what keeps a file from loading, examples that their own
limits refuse, names that clash, words left out.
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

from .facts import impossible, roles_of_fields

__all__ = ["Finding", "lint"]

#: The way to a thing in a file, as YAML nests it, and what is wrong there.
_Fault = tuple[tuple[str | int, ...], str]

_TEMPLATE: Final = re.compile(r"\{[^{}]*\}")
_PAIRS: Final = (("min_length", "max_length"), ("minimum", "maximum"), ("min_items", "max_items"))


@frozen(order=True)
class Finding:
    """One thing wrong: where (lines and columns count from 1), and what. A warning may be meant, an error not."""

    file: str
    line: int
    column: int
    message: str
    #: ``error`` or ``warning``.
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"


@frozen
class _Source:
    """A file, its text and what YAML makes of it."""

    file: SpecFile
    text: bytes = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)

    def finding(self, fault: _Fault, severity: str = "error") -> Finding:
        line, column = yaml12.locate(self.text, fault[0], self.file.path)
        return Finding(self.file.path, line, column, fault[1], severity)

    def written(self, path: str) -> str:
        """An operation's path as the file has it."""
        return path[len(self.raw.get("path") or "") :]


def lint(tree: Tree) -> list[Finding]:
    """Everything wrong with the files of ``tree``, in the order of files and lines."""
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
    findings.update(_twice(sources))
    findings.update(_alike(tree, sources))
    findings.update(_names(tree.root, sources))
    return sorted(findings)


def _product(source: _Source, product: Product) -> Iterator[Finding]:
    for (path, verb), operation in product.operations.items():
        raw = source.raw["operations"][source.written(path)][verb] or {}
        place = ("operations", source.written(path), verb)
        if not operation.summary:
            yield source.finding((place, f"{operation.name} has no `summary`: the official name"), "warning")
        yield from map(source.finding, roles_of_fields(operation, raw, place))
        for fault in _parameters(operation):
            yield source.finding(((*place, *fault[0]), fault[1]))
        for name in (*SECTIONS, "returns"):
            section = operation.returns if name == "returns" else operation.section(name)
            if section is not None and name in raw:
                yield from map(source.finding, _section(raw[name], section, (*place, name)))
    for event_name, event in product.events.items():
        raw = source.raw["events"][event_name]
        if not event.summary:
            fault = ("events", event_name), f"the event {event_name} has no `summary`: the official name"
            yield source.finding(fault, "warning")
        for name, section in (("body", event.body), ("resource", event.resource), ("returns", event.returns)):
            if section is not None:
                yield from map(source.finding, _section(raw[name], section, ("events", event_name, name)))


def _definitions(tree: Tree, source: _Source, product: Product) -> Iterator[Finding]:
    """What is wrong with definitions: a file's own, or all that is in a file of nothing else."""
    raw, schemas = source.raw.get("definitions") or {}, product.definitions
    prefix: tuple[str, ...] = ("definitions",)
    if not product.operations and not product.events and not raw and "path" not in source.raw:
        raw, prefix = source.raw, ()
        schemas = read_definitions(tree.folders[: source.file.root + 1], source.file.path)
    for name, schema in schemas.items():
        yield from map(source.finding, _field(raw[name], schema, (*prefix, name)))


def _parameters(operation: Operation) -> Iterator[_Fault]:
    """Names of fields that a call could not give: keywords are sorted to their places by name."""
    places: dict[str, str] = {}
    for section in SECTIONS:
        schema = operation.section(section)
        for name in schema.properties if schema is not None else ():
            at = (section, name if schema is None or name in schema.required else f"{name}?")
            if name in places:
                yield at, f"{name!r} is in the {places[name]} and the {section}: a name has one place in an operation"
            elif keyword.iskeyword(name.removesuffix("_")) and _other(name) in places:
                yield at, f"{name!r} and {_other(name)!r} are one keyword to Python"
            elif name in OPTIONS:
                yield at, f"{name!r} is an option of every call: this field can be given in a mapping only"
            places[name] = section


def _other(name: str) -> str:
    return name[:-1] if name.endswith("_") else f"{name}_"


def _section(raw: Mapping[str, Any], schema: Schema, place: tuple[str | int, ...]) -> Iterator[_Fault]:
    if "$schema" in raw:
        yield from _field(raw["$schema"], schema, (*place, "$schema"))
    elif "$ref" in raw:
        yield from _field(raw, schema, place)
    else:
        yield from _fields(raw, schema, place)


def _fields(raw: Mapping[str, Any], schema: Schema, place: tuple[str | int, ...]) -> Iterator[_Fault]:
    for key, words in raw.items():
        # What a plain title says cannot be wrong.
        if isinstance(words, dict):
            name = key if key in schema.properties else key.removesuffix("?")
            yield from _field(words, schema.properties[name], (*place, key))


def _field(raw: Any, schema: Schema, place: tuple[str | int, ...]) -> Iterator[_Fault]:
    if not isinstance(raw, dict) or raw.keys() == {"$ref"}:
        return
    for word, value in (("example", schema.example), ("default", schema.default)):
        if value is not ABSENT:
            # A definition's own words are its own business, unless what is said beside them refuses them.
            yield from ((_at(raw, place, word), message) for message in _refused(schema, value, f"the {word}"))
    for number, value in enumerate(schema.enum if "enum" in raw else ()):
        for message in _refused(schema, value, f"the value {value!r} of `enum`"):
            yield (*place, "enum", number), message
    for least, most in _PAIRS:
        low, high = getattr(schema, least), getattr(schema, most)
        if low is not None and high is not None and low > high:
            yield place, f"at least {low} and at most {high}: nothing is both"
    if isinstance(raw.get("properties"), dict):
        yield from _fields(raw["properties"], schema, (*place, "properties"))
    for word, inner in (("items", schema.items), ("additionalProperties", schema.additional)):
        if isinstance(raw.get(word), dict) and inner is not None:
            yield from _field(raw[word], inner, (*place, word))


def _at(raw: Mapping[str, Any], place: tuple[str | int, ...], word: str) -> tuple[str | int, ...]:
    return (*place, word) if word in raw else place


def _refused(schema: Schema, value: Any, what: str) -> Iterator[str]:
    """Why a schema refuses a value that is its own."""
    found = check(schema, value, "")
    for mismatch in found:
        yield f"{what}{mismatch.path and ', ' + mismatch.path.lstrip('.')}: {mismatch.message}"
    if not found and (reason := impossible(schema, value)):
        yield f"{what}: {reason}"
    if schema.media_type == "application/json" and isinstance(value, str) and not found:
        try:
            json.loads(value)
        except ValueError as error:
            yield f"{what} is not the JSON that `contentMediaType` says: {error}"


def _twice(sources: Mapping[str, _Source]) -> Iterator[Finding]:
    """The same operation or event in two files of one folder: which of them counts, nobody could tell."""
    known: dict[tuple[int, str, str], str] = {}
    for source in sources.values():
        product = source.file.product()
        declared: list[tuple[str, str, tuple[str, ...]]] = [
            *((verb, path, ("operations", source.written(path), verb)) for path, verb in product.operations),
            *(("event", name, ("events", name)) for name in product.events),
        ]
        for kind, name, place in declared:
            first = known.setdefault((source.file.root, kind, name), source.file.path)
            if first != source.file.path:
                what = f"the event {name}" if kind == "event" else f"{kind.upper()} {name}"
                yield source.finding((place, f"{what} is in {first} too"))


def _alike(tree: Tree, sources: Mapping[str, _Source]) -> Iterator[Finding]:
    """Paths that differ in their templates' names alone, where the fields of a call have the same names in both."""
    known: dict[tuple[str, str, frozenset[str]], Operation] = {}
    for declared in tree.root.walk():
        source = sources.get(declared.file.path)
        if source is None:
            continue
        operation = declared.operation()
        names = frozenset(operation.parameters.properties)
        first = known.setdefault((declared.verb, _TEMPLATE.sub("{}", declared.path), names), operation)
        if first is not operation:
            place = ("operations", source.written(declared.path))
            yield source.finding((place, f"{operation.name} and {first.path}: no name of a field tells them apart"))


def _names(branch: Branch, sources: Mapping[str, _Source]) -> Iterator[Finding]:
    """Segments that the chain cannot reach by a name."""
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
        return f"no name reaches the segment {segment!r}: every node has a `{name}`; only `[{segment!r}]` does"
    if name in VERBS and name in branch.verbs and child.verbs:
        return f"`.{name}()` is the verb on the path before it; what is on {segment!r} wants its verb named"
    return ""


def _declared(declared: Declared, sources: Mapping[str, _Source]) -> _Source:
    return sources[declared.file.path]


def _place(declared: Declared, sources: Mapping[str, _Source]) -> tuple[str, str]:
    return "operations", _declared(declared, sources).written(declared.path)
