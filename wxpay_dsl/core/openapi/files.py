"""Converts an OpenAPI document to spec files: assigns paths to files, and definitions to the files that use them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.specs.writer import write

from .read import Contents, Entry, read_contents
from .schema import REF
from .words import GENERIC, Lost, Vocabulary

__all__ = ["Imported", "read_document"]

#: Lines of a file, at most; longer ones are split by the next segment of their paths.
MAX_LINES: Final = 1_500

_VERSION: Final = re.compile(r"v[0-9]+\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: Keywords that a file may have once for all its operations.
_SHARED: Final = ("host", "roles", "tags", "checked")


@frozen
class Imported:
    """The result of an import: spec files by their paths below a spec folder, and what could not be converted."""

    files: Mapping[str, str]
    lost: tuple[Lost, ...]


def read_document(
    document: Mapping[str, Any],
    *,
    vocabulary: Vocabulary = GENERIC,
    media_types: Mapping[str, str] | None = None,
    dialect: str = "",
    host: str = "",
    schema: str = "spec.schema.json",
    common: str = "common.yaml",
) -> Imported:
    """Converts an OpenAPI 3.0 or 3.1 document to spec files.

    ``dialect`` is that of files which name none, ``media_types`` the media type of each dialect (default: JSON), and
    ``host`` the client's own origin, which specs need not name. ``schema`` is the path of ``spec.schema.json`` relative
    to the spec folder, and ``common`` the file for definitions that several files use. Raises SpecError for a document
    that is not OpenAPI 3, or exceeds the limits of references or nesting.
    """
    try:
        return _imported(document, vocabulary, media_types or {}, dialect, host, schema, common)
    except RecursionError:
        raise SpecError("nested too deeply, or too many references in a row") from None


def _imported(
    document: Mapping[str, Any],
    vocabulary: Vocabulary,
    media_types: Mapping[str, str],
    dialect: str,
    host: str,
    schema: str,
    common: str,
) -> Imported:
    contents = read_contents(document, vocabulary, media_types)
    specs = dict(_specs(contents, dialect, host))
    specs |= dict(_event_specs(contents, dialect))
    _place_definitions(specs, contents.definitions, common)
    files, lost = {}, list(contents.lost)
    for file, spec in specs.items():
        text = write(spec, posixpath.relpath(schema, posixpath.dirname(file) or "."))
        # JSON can hold lone surrogates; UTF-8 cannot.
        files[file] = _SURROGATE.sub("\ufffd", text)
        if files[file] != text:
            lost.append(Lost("#/", f"lone surrogates (halves of characters) in {file}"))
    return Imported(files, tuple(lost))


def _specs(contents: Contents, dialect: str, host: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file of operations, under a unique name."""
    grouped: dict[tuple[str, str, str], dict[tuple[str, str], Entry]] = {}
    for (path, verb), entry in contents.operations.items():
        if entry.words.get("host") == host:
            del entry.words["host"]
        grouped.setdefault((*_place(path), entry.dialect or dialect), {})[path, verb] = entry
    taken: set[str] = set()
    for (stem, prefix, its_dialect), operations in grouped.items():
        own = its_dialect if its_dialect != dialect else ""
        folder = f"{own}/" if own and not stem.startswith(f"{own}/") else ""
        for inner, spec in _split(f"{folder}{stem}", prefix, own, operations, contents):
            yield _unique(inner, taken), spec


def _unique(stem: str, taken: set[str]) -> str:
    """``stem.yaml``, with a number if that is taken."""
    file, number = f"{stem}.yaml", 1
    while file in taken:
        number += 1
        file = f"{stem}-{number}.yaml"
    taken.add(file)
    return file


def _split(
    stem: str, prefix: str, dialect: str, operations: Mapping[tuple[str, str], Entry], contents: Contents
) -> Iterator[tuple[str, dict[str, Any]]]:
    """These operations as one file; as several if they are of several products, or too long for one."""
    products = {entry.product: None for entry in operations.values()}
    spec = _spec(prefix, dialect, operations, contents)
    if len(products) == 1 and write(spec).count("\n") <= MAX_LINES:
        yield stem, spec
        return
    parts: dict[tuple[str, str], dict[tuple[str, str], Entry]] = {}
    for (path, verb), entry in operations.items():
        rest = path[len(prefix) :].split("/")[1:]
        deeper = rest[0] if len(rest) > 1 and not rest[0].startswith("{") else ""
        place = (f"{stem}/{_file_name(deeper)}", f"{prefix}/{deeper}") if deeper else (stem, prefix)
        parts.setdefault(place, {})[path, verb] = entry
    if len(parts) > 1:
        for (inner, below), share in parts.items():
            yield from _split(inner, below, dialect, share, contents)
        return
    for product in products:
        share = {key: entry for key, entry in operations.items() if entry.product == product}
        yield stem, _spec(prefix, dialect, share, contents)


def _place(path: str) -> tuple[str, str]:
    """``v3/pay`` and ``/v3/pay`` for ``/v3/pay/transactions/{id}``: a folder for the version, a file for the rest."""
    segments = path.split("/")[1:]
    literal = [segment for segment in segments if segment]
    for number, segment in enumerate(literal):
        if segment.startswith("{"):
            literal = literal[:number]
            break
    count = 2 if literal and _VERSION.match(literal[0]) else 1
    chosen = literal[:count]
    if not chosen:
        return "root", ""
    return "/".join(map(_file_name, chosen)), "/" + "/".join(chosen)


def _file_name(segment: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", segment).lstrip("-_") or "root"


def _spec(prefix: str, dialect: str, operations: Mapping[tuple[str, str], Entry], contents: Contents) -> dict[str, Any]:
    entries = list(operations.values())
    title = _title(entries, contents)
    spec: dict[str, Any] = {"title": title} if title else {}
    if prefix:
        spec["path"] = prefix
    if dialect:
        spec["dialect"] = dialect
    words = [entry.words for entry in entries]
    spec |= shared_keywords(words, title)
    paths: dict[str, dict[str, Any]] = {}
    for (path, verb), entry in operations.items():
        own = {word: value for word, value in entry.words.items() if word not in spec or word not in _SHARED}
        if own.get("tags") == [title]:
            del own["tags"]
        paths.setdefault(path[len(prefix) :], {})[verb] = own
    return {**spec, "operations": paths}


def shared_keywords(operations: Iterable[Mapping[str, Any]], title: str) -> dict[str, Any]:
    """The keywords that have the same value in all operations, and so can be written once for the file."""
    words = list(operations)
    shared = {}
    for word in _SHARED:
        said = [inner.get(word) for inner in words]
        if len(said) > 1 and said[0] and all(value == said[0] for value in said) and said[0] != [title]:
            shared[word] = said[0]
    return shared


def _title(entries: Iterable[Entry], contents: Contents) -> str:
    """The product of the operations, or the most common of their products and first tags."""
    if any(entry.dialect for entry in entries):
        return next((entry.product for entry in entries if entry.product), "")
    names = Counter(entry.product or (entry.words.get("tags") or [""])[0] for entry in entries)
    del names[""]
    return names.most_common(1)[0][0] if names else contents.title


def _event_specs(contents: Contents, dialect: str) -> Iterator[tuple[str, dict[str, Any]]]:
    grouped: dict[tuple[str, str, str], dict[str, Any]] = {}
    for name, entry in contents.events.items():
        own = entry.dialect if entry.dialect != dialect else ""
        title = entry.product or ("" if entry.dialect else contents.title)
        stem = re.split(r"[./]", name)[0].lower() if entry.product else "events"
        if entry.words.get("tags") == [title]:
            del entry.words["tags"]
        grouped.setdefault((f"{own}-{_file_name(stem)}" if own else _file_name(stem), own, title), {})[name] = (
            entry.words
        )
    taken: set[str] = set()
    for (stem, own, title), events in grouped.items():
        spec = {"title": title, "dialect": own, "events": events}
        yield _unique(f"notifications/{stem}", taken), {word: value for word, value in spec.items() if value}


def _place_definitions(specs: dict[str, dict[str, Any]], definitions: Mapping[str, Any], common: str) -> None:
    """Puts each definition into the file that uses it, or into ``common`` if several do, or none."""
    users: dict[str, set[str]] = {name: set() for name in definitions}
    needs = {name: _names(words) for name, words in definitions.items()}
    for file, spec in specs.items():
        waiting = _names(spec)
        while waiting:
            name = waiting.pop()
            if file not in users[name]:
                users[name].add(file)
                waiting |= needs[name]
    shared = {name: definitions[name] for name, files in users.items() if len(files) != 1}
    for file, spec in specs.items():
        own = {name: definitions[name] for name, files in users.items() if files == {file}}
        if own:
            spec["definitions"] = own
        where = posixpath.relpath(common, posixpath.dirname(file) or ".")
        specs[file] = _moved(spec, {f"{REF}{name}": f"{where}#/{name}" for name in shared})
    if shared:
        specs[common] = _moved(shared, {f"{REF}{name}": f"#/{name}" for name in shared})


def _names(value: Any) -> set[str]:
    """The names of the definitions that a value refers to."""
    if isinstance(value, dict):
        ref = value.get("$ref")
        own = {ref.removeprefix(REF)} if isinstance(ref, str) and ref.startswith(REF) else set()
        return own.union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


def _moved(value: Any, moves: Mapping[str, str]) -> Any:
    """The value with its references changed by ``moves``."""
    if isinstance(value, dict):
        return {
            key: moves.get(inner, inner) if key == "$ref" and isinstance(inner, str) else _moved(inner, moves)
            for key, inner in value.items()
        }
    return [_moved(inner, moves) for inner in value] if isinstance(value, list) else value
