"""Loads a spec file: its outline (paths, verbs, summaries) for the index, or its operations and events.

:func:`load` caches its results in the process, and reads a file again if it, or a file that it refers to, has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.origins import is_origin

from . import yaml12
from .expansion import ExpansionCounter
from .facts import parse_checked
from .grammar import (
    EVENT_KEYWORDS,
    FILE_KEYWORDS,
    OPERATION_KEYWORDS,
    SPEC_KEYWORDS,
    Mistake,
    check_keywords,
    expect,
    nearest,
    parse_field,
    parse_section,
)
from .model import SECTIONS, VERBS, Event, Operation, Schema
from .parsed import parse
from .references import Fingerprint, Resolver, escaped, located, read_file, unchanged

__all__ = ["Outline", "Product", "load", "outline", "read_definitions"]

_TEMPLATE: Final = re.compile(r"\{([^{}/]+)\}\Z")
#: A path in a spec: URL characters, and whole segments in braces.
_PATH: Final = re.compile(r"(?:/(?:\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z0-9._~!$&'()*+,;=:@%-]*))*\Z")


@frozen
class Outline:
    """What the tree of operations needs of a file before an operation in it is called."""

    title: str
    dialect: str
    #: ``(path, {verb: summary})`` of each path, the file's prefix included.
    paths: tuple[tuple[str, Mapping[str, str]], ...]
    #: ``{event name: summary}``
    events: Mapping[str, str]
    #: ``{"verb /path": origin}`` of the operations with a ``host``.
    hosts: Mapping[str, str]


@frozen
class Product:
    """The contents of a spec file: operations by ``(path, verb)``, events and definitions by name."""

    title: str
    description: str
    operations: Mapping[tuple[str, str], Operation]
    events: Mapping[str, Event]
    definitions: Mapping[str, Schema] = field(repr=False)


_loaded: dict[Any, tuple[dict[str, Fingerprint], Product]] = {}


def outline(text: bytes, file: str, default_dialect: str) -> Outline:
    """Reads a file's outline, without parsing its fields. Raises SpecError."""
    try:
        raw = _top(text, file, "")
        if "host" in raw:
            _check_host(raw["host"], "host")
        paths: dict[str, dict[str, str]] = {}
        hosts: dict[str, str] = {}
        for path, verb, words, written in _declared(raw):
            paths.setdefault(path, {})[verb] = _text(words, "summary")
            host = _text(words, "host")
            if host:
                _check_host(host, "operations", written, verb, "host")
            host = host or _text(raw, "host")
            if host:
                hosts[f"{verb} {path}"] = host
        events = {name: _text(words, "summary") for name, words in raw.get("events", {}).items()}
        return Outline(raw.get("title", ""), raw.get("dialect", default_dialect), tuple(paths.items()), events, hosts)
    except Mistake as mistake:
        raise located(mistake, text, file) from None


def load(roots: tuple[str, ...], file: str, default_dialect: str, chains: Mapping[str, tuple[str, ...]]) -> Product:
    """All operations and events of ``file``, cached until it or a file that it refers to changes.

    ``roots`` are the spec folders, the file's own last: a ``$ref`` that begins with ``/`` is looked up in them, the
    last first, and no ``$ref`` may lead out of them. ``chains`` gives each dialect's prefix in the chain. Raises
    SpecError.
    """
    key = (roots, file, default_dialect, tuple(chains.items()))
    cached = _loaded.get(key)
    if cached is not None and all(unchanged(path, fingerprint) for path, fingerprint in cached[0].items()):
        return cached[1]
    files: dict[str, Fingerprint] = {}
    try:
        product = _load(roots, file, default_dialect, chains, files)
    except RecursionError:
        raise SpecError("definitions refer to one another too deeply", file) from None
    _loaded[key] = files, product
    return product


def _load(
    roots: tuple[str, ...],
    file: str,
    default_dialect: str,
    chains: Mapping[str, tuple[str, ...]],
    files: dict[str, Fingerprint],
) -> Product:
    text = read_file(file, files)
    try:
        raw = _top(text, file, roots[-1])
        dialect = raw.get("dialect", default_dialect)
        if "host" in raw:
            _check_host(raw["host"], "host")
        if dialect not in chains:
            raise Mistake(
                f"{dialect!r} is not a dialect{nearest(dialect, chains)}: one of {', '.join(chains)}", "dialect"
            )
        resolver = Resolver(roots, file, text, raw, {}, files, ExpansionCounter())
        if "checked" in raw:
            raw["checked"] = parse_checked(raw["checked"])
        operations = {
            (path, verb): _operation(raw, dialect, chains[dialect], path, verb, words, resolver, file, written)
            for path, verb, words, written in _declared(raw)
        }
        events = {
            name: _event(raw, dialect, name, words, resolver, file) for name, words in raw.get("events", {}).items()
        }
        definitions = {name: resolver(f"#/definitions/{escaped(name)}") for name in raw.get("definitions", {})}
        return Product(raw.get("title", ""), raw.get("description", ""), operations, events, definitions)
    except Mistake as mistake:
        raise located(mistake, text, file) from None


def read_definitions(roots: tuple[str, ...], file: str) -> Mapping[str, Schema]:
    """The definitions of a file that holds nothing else (``common.yaml``), by name. Raises SpecError."""
    files: dict[str, Fingerprint] = {}
    text = read_file(file, files)
    raw = yaml12.read(text, file) or {}
    try:
        resolver = Resolver(roots, file, text, expect(raw, (dict,), "definitions"), {}, files, ExpansionCounter())
        return {name: resolver(f"#/{escaped(name)}") for name in raw}
    except Mistake as mistake:
        raise located(mistake, text, file) from None
    except RecursionError:
        raise SpecError("definitions refer to one another too deeply", file) from None


def _declared(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, str]]:
    """``(path with prefix, verb, keywords, path as written)`` of each operation. Raises Mistake."""
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


def _text(words: Any, word: str) -> str:
    text = words.get(word, "") if isinstance(words, dict) else ""
    return text if isinstance(text, str) else ""


def _operation(
    raw: Mapping[str, Any],
    dialect: str,
    chain: tuple[str, ...],
    path: str,
    verb: str,
    words: Any,
    resolver: Resolver,
    file: str,
    written: str,
) -> Operation:
    try:
        if words is None:
            words = {}
        expect(words, (dict,), verb)
        check_keywords(words, OPERATION_KEYWORDS, "an operation")
        values = _values(words, OPERATION_KEYWORDS, raw, (*SECTIONS[1:], "returns"), resolver)
        if "body" in values and "form" in values:
            raise Mistake("an operation has a `body` or a `form`, not both", "form")
        if "host" in values:
            _check_host(values["host"], "host")
        if "outcome" in values and values["outcome"] != "query":
            raise Mistake(f"{values['outcome'][:40]!r} is not an outcome: the only one is `query`", "outcome")
        templates = [found[1] for segment in path.split("/") if (found := _TEMPLATE.match(segment))]
        values["parameters"] = _parameters(templates, values.pop("path", {}), resolver)
        return Operation(
            verb=verb,
            path=path,
            dialect=dialect,
            chain=(*chain, *path.split("/")[1:]),
            file=file,
            product=raw.get("title", ""),
            **values,
        )
    except Mistake as mistake:
        raise mistake.within("operations", written, verb) from None


def _event(raw: Mapping[str, Any], dialect: str, name: str, words: Any, resolver: Resolver, file: str) -> Event:
    try:
        expect(words, (dict,), name)
        check_keywords(words, EVENT_KEYWORDS, "an event")
        values = _values(words, EVENT_KEYWORDS, raw, ("body", "resource", "returns"), resolver)
        return Event(name=name, dialect=dialect, file=file, product=raw.get("title", ""), **values)
    except Mistake as mistake:
        raise mistake.within("events", name) from None


def _values(
    words: Mapping[str, Any],
    keywords: Mapping[str, tuple[type, ...]],
    raw: Mapping[str, Any],
    sections: Sequence[str],
    resolver: Resolver,
) -> dict[str, Any]:
    """The keywords of an operation or event, checked and parsed, with the defaults of their file, ``raw``."""
    inherited = ("host", "roles", "tags", "checked")
    values: dict[str, Any] = {key: raw[key] for key in inherited if key in raw and key in keywords}
    for word, value in words.items():
        values[word] = expect(value, keywords[word], word)
    for word in ("docs", "roles", "tags"):
        if word in values:
            values[word] = tuple(expect(item, (str,), word) for item in values[word])
    if "checked" in words:
        values["checked"] = parse_checked(words["checked"])
    for word in sections:
        if word in values:
            values[word] = _section(word, values[word], resolver)
    return values


def _section(word: str, raw: Any, resolver: Resolver) -> Schema:
    try:
        section = parse_section(raw, resolver)
    except Mistake as mistake:
        raise mistake.within(word) from None
    resolver.expansion.add(section, word)
    if word in ("query", "header", "form") and section.type != "object":
        raise Mistake(f"a {word} must have fields, not be one {section.type}", word)
    return section


def _parameters(templates: Sequence[str], raw: Mapping[str, Any], resolver: Resolver) -> Schema:
    """The fields of the path: one for each ``{template}``, a plain string unless declared; all are required."""
    properties: dict[str, Schema] = {name: Schema() for name in templates}
    for key, value in raw.items():
        if key not in properties:
            raise Mistake(f"{key!r} is not in the path{nearest(key, properties)}", "path", key)
        try:
            properties[key] = parse_field(value, resolver)
        except Mistake as mistake:
            raise mistake.within("path", key) from None
    return Schema(type="object", properties=properties, required=frozenset(properties))


def _top(text: bytes, file: str, folder: str) -> dict[str, Any]:
    raw = parse(text, file, folder) if folder else yaml12.read(text, file)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise Mistake("a spec is a mapping: `title`, `path`, `operations` …")
    if any(word in raw for word in SPEC_KEYWORDS) or any(_holds_paths(value) for value in raw.values()):
        check_keywords(raw, FILE_KEYWORDS, "a spec")
        for word, value in raw.items():
            if value is not None or word not in ("operations", "events", "definitions"):
                expect(value, FILE_KEYWORDS[word], word)
        return {word: value for word, value in raw.items() if value is not None}
    # A file of definitions alone (common.yaml), whose keys are names.
    return {"definitions": {}}


def _holds_paths(value: Any) -> bool:
    """Whether the value looks like that of ``operations``: that keyword may be misspelt."""
    return isinstance(value, dict) and any(key.startswith("/") for key in value)


def _prefix(raw: Mapping[str, Any]) -> str:
    prefix: str = raw.get("path", "")
    if not _PATH.match(prefix) or prefix.endswith("/") or _climbs(prefix):
        raise Mistake(f"{prefix!r} is not a path: '/' and segments, no '/' at its end", "path")
    return prefix


def _check_path(prefix: str, path: str) -> None:
    if not _PATH.match(path) or not prefix + path or _climbs(path):
        raise Mistake(f"{path!r} is not a path: '/', segments, and whole {{segments}} in braces", "operations", path)
    templates = [segment for segment in (prefix + path).split("/") if segment.startswith("{")]
    if len(set(templates)) < len(templates):
        raise Mistake("the same name is in the path twice", "operations", path)


def _check_host(host: str, *where: str) -> None:
    """Raises Mistake unless ``host`` is an origin that calls may go to."""
    if not is_origin(host):
        message = f"{host!r:.200} is not an origin: https:// and a host, without a path (http:// on loopback only)"
        raise Mistake(message, *where)


def _climbs(path: str) -> bool:
    return any(segment in (".", "..") for segment in path.split("/"))
