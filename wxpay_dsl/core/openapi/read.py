"""Reads an OpenAPI document: operations and webhooks as keywords of specs, and what could not be converted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from attrs import frozen

from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.origins import is_origin
from wxpay_dsl.core.specs.facts import parse_checked
from wxpay_dsl.core.specs.grammar import EVENT_KEYWORDS, OPERATION_KEYWORDS, Mistake
from wxpay_dsl.core.specs.model import VERBS

from .body import BodyReader
from .merge import At, References, as_list, as_mapping
from .parameters import ParameterReader, identifier
from .schema import SchemaReader
from .words import EVENT_VENDOR, OPERATION_VENDOR, Losses, Lost, Vocabulary

__all__ = ["Contents", "Entry", "read_contents"]

_PATH_ITEM: Final = frozenset({"summary", "description", "servers", "parameters", "$ref"})
_OPERATION: Final = frozenset(
    {"summary", "description", "tags", "deprecated", "operationId", "externalDocs", "servers", "parameters"}
    | {"requestBody", "responses"}
)
_DOCUMENT: Final = frozenset(
    {"openapi", "info", "servers", "tags", "paths", "webhooks", "components", "jsonSchemaDialect"}
)
_TEMPLATE: Final = re.compile(r"\{([^{}]*)\}")
_SEGMENT: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}\Z|[A-Za-z0-9._~!$&'()*+,;=:@%-]*\Z")


class Entry(NamedTuple):
    """An operation or event: its keywords, and the dialect and product of the file that it belongs to."""

    words: dict[str, Any]
    dialect: str
    product: str


@frozen
class Contents:
    """The contents of a document, in the form in which YAML specs are read."""

    title: str
    description: str
    operations: Mapping[tuple[str, str], Entry]
    events: Mapping[str, Entry]
    definitions: Mapping[str, dict[str, Any]]
    lost: tuple[Lost, ...]


def read_contents(document: Mapping[str, Any], vocabulary: Vocabulary, media_types: Mapping[str, str]) -> Contents:
    """Reads an OpenAPI 3.0 or 3.1 document. ``media_types`` are the dialects'; a response of another gets ``produces``.

    Raises SpecError for a document that is not OpenAPI 3.
    """
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith("3."):
        said = f"`openapi: {version}`" if version else "no `openapi: 3.x`"
        raise SpecError(f"not an OpenAPI 3.0 or 3.1 document: {said}")
    return _Reader(document, vocabulary, media_types).read()


class _Reader:
    def __init__(self, document: Mapping[str, Any], vocabulary: Vocabulary, media_types: Mapping[str, str]) -> None:
        self._document = document
        self._vocabulary = vocabulary
        self._losses = Losses()
        self._references = References(document, self._losses)
        self._schemas = SchemaReader(self._references, vocabulary, self._losses)
        self._parameters = ParameterReader(self._references, self._schemas, self._losses)
        self._bodies = BodyReader(self._references, self._schemas, media_types, self._losses)

    def read(self) -> Contents:
        info = as_mapping(self._document.get("info"))
        operations: dict[tuple[str, str], Entry] = {}
        for path, item in as_mapping(self._document.get("paths")).items():
            self._path(path, item, operations)
        events: dict[str, Entry] = {}
        for name, item in as_mapping(self._document.get("webhooks")).items():
            self._webhook(name, item, events)
        self._schemas.read_definitions()
        self._rest(info)
        return Contents(
            str(info.get("title", "")),
            str(info.get("description", "")),
            operations,
            events,
            self._schemas.definitions,
            tuple(self._losses.all),
        )

    def _path(self, path: str, raw: Any, operations: dict[tuple[str, str], Entry]) -> None:
        at: At = ("paths", path)
        if path.startswith("x-"):
            return
        item = self._item(raw, at)
        host, prefix = self._server(item if "servers" in item else self._document, at)
        where = prefix + _TEMPLATE.sub(lambda found: "{" + identifier(found[1]) + "}", path)
        templates = [identifier(name) for name in _TEMPLATE.findall(path)]
        segments = where.split("/")
        if segments[0] or not all(map(_SEGMENT.match, segments)) or len(set(templates)) < len(templates):
            self._losses.add(at, "a path that is not whole segments and whole {templates}, each of another name")
            return
        for verb, words in item.items():
            if verb in VERBS:
                operations[where, verb] = self._operation(item, words, host, templates, (*at, verb))
            elif verb not in _PATH_ITEM and not verb.startswith("x-"):
                self._losses.add((*at, verb), f"the verb {verb!r}")

    def _operation(self, item: Mapping[str, Any], raw: Any, host: str, templates: list[str], at: At) -> Entry:
        raw = as_mapping(raw)
        words = self._head(item, raw, at, OPERATION_VENDOR)
        dialect, product = str(words.pop("dialect", "")), str(words.pop("product", ""))
        if "servers" in raw:
            host, prefix = self._server(raw, at)
            if prefix:
                self._losses.add((*at, "servers"), f"the path {prefix!r} of the operation's own server")
        if host:
            words["host"] = host
        words |= self._parameters.read(item, raw, templates, at)
        words |= self._bodies.request(raw.get("requestBody"), (*at, "requestBody"))
        words |= self._bodies.response(raw.get("responses"), dialect, (*at, "responses"))
        for word in raw:
            if word not in _OPERATION and not word.startswith("x-"):
                self._losses.add((*at, word), f"`{word}`")
        return Entry({word: value for word, value in words.items() if word in OPERATION_KEYWORDS}, dialect, product)

    def _webhook(self, name: str, raw: Any, events: dict[str, Entry]) -> None:
        at: At = ("webhooks", name)
        item = self._item(raw, at)
        verbs = [verb for verb in item if verb in VERBS]
        for verb in verbs[1:]:
            self._losses.add((*at, verb), "an event is one message: this verb")
        for verb in verbs[:1]:
            message = as_mapping(item[verb])
            words = self._head(item, message, (*at, verb), EVENT_VENDOR)
            dialect, product = str(words.pop("dialect", "")), str(words.pop("product", ""))
            resource = words.pop("resource", None)
            words |= self._bodies.request(message.get("requestBody"), (*at, verb, "requestBody"))
            if "form" in words:
                words["body"] = words.pop("form")
            answer = self._bodies.response(message.get("responses"), dialect, (*at, verb, "responses"))
            if "returns" in answer:
                words["returns"] = answer["returns"]
            if resource is not None:
                words["resource"] = self._bodies.section(resource, (*at, verb, "resource"))
            events[name] = Entry({word: words[word] for word in words if word in EVENT_KEYWORDS}, dialect, product)

    def _head(
        self, item: Mapping[str, Any], raw: Mapping[str, Any], at: At, vendor: Mapping[str, str]
    ) -> dict[str, Any]:
        """Summary, tags and vendor keywords of a path, overridden by those of the operation."""
        words: dict[str, Any] = {}
        for source in (item, raw):
            words |= self._vocabulary.recognised(source, vendor)
            for word in self._vocabulary.unrecognised(source, vendor):
                self._losses.add((*at, word), f"`{word}`: {source[word]!r:.60}")
            for word in ("summary", "description"):
                if source.get(word):
                    words[word] = str(source[word])
        if "summary" not in raw and "summary" not in words and raw.get("operationId"):
            words["summary"] = str(raw["operationId"])
        if as_list(raw.get("tags")):
            words["tags"] = [str(tag) for tag in raw["tags"]]
        if raw.get("deprecated") is True:
            words["deprecated"] = True
        page = as_mapping(raw.get("externalDocs")).get("url")
        if page and page not in words.get("docs", ()):
            words["docs"] = [*words.get("docs", ()), page]
        for word in [word for word in words if not _fits(word, words[word])]:
            if word != "resource":
                self._losses.add(at, f"`{word}`: {words.pop(word)!r:.60}")
        return words

    def _server(self, holder: Mapping[str, Any], at: At) -> tuple[str, str]:
        """The origin and the path of the first server; empty if there is none."""
        servers = holder.get("servers")
        if not isinstance(servers, list) or not servers:
            return "", ""
        server = as_mapping(servers[0])
        url = str(server.get("url", ""))
        for name, variable in as_mapping(server.get("variables")).items():
            url = url.replace("{" + name + "}", str(as_mapping(variable).get("default", "")))
        if len(servers) > 1 and holder is not self._document:
            self._losses.add((*at, "servers"), "the servers after the first")
        try:
            parts = urlsplit(url)
        except ValueError:  # an incomplete IPv6 address
            return "", ""
        host = f"{parts.scheme}://{parts.netloc}"
        return host if is_origin(host) else "", parts.path.rstrip("/") if not parts.path or parts.path.startswith(
            "/"
        ) else ""

    def _item(self, raw: Any, at: At) -> Mapping[str, Any]:
        item = as_mapping(raw)
        if "$ref" in item:
            rest = {word: value for word, value in item.items() if word != "$ref"}
            item = {**as_mapping(self._references.resolve({"$ref": item["$ref"]}, at)), **rest}
        return item

    def _rest(self, info: Mapping[str, Any]) -> None:
        """Reports what the document has beside its paths, and is not converted."""
        document = self._document
        for word in info:
            if word not in ("title", "description") and word not in self._vocabulary.silent:
                self._losses.add(("info", word), f"`{word}`: {info[word]!r:.60}")
        for number, server in enumerate(map(as_mapping, as_list(document.get("servers"))[1:]), 1):
            self._losses.add(("servers", str(number)), f"the server {server.get('url')!r}")
        for number, tag in enumerate(map(as_mapping, as_list(document.get("tags")))):
            if set(tag) - {"name"}:
                self._losses.add(("tags", str(number)), f"the description of the tag {tag.get('name')!r}")
        for word in document:
            if word not in _DOCUMENT and word not in self._vocabulary.silent:
                self._losses.add((word,), f"`{word}`")
        for word in as_mapping(document.get("components")):
            if word == "securitySchemes":
                self._losses.add(("components", word), f"`{word}`: the client's dialect signs")


def _is_checked(value: Mapping[str, Any]) -> bool:
    try:
        parse_checked(value)
    except Mistake:
        return False
    return True


def _fits(word: str, value: Any) -> bool:
    """Whether the value of a vendor keyword is valid for the spec's keyword."""
    types = {**OPERATION_KEYWORDS, **EVENT_KEYWORDS}.get(word)
    if types is None:
        return True
    if word == "checked":
        return isinstance(value, dict) and _is_checked(value)
    if word == "host":
        return isinstance(value, str) and is_origin(value)
    if isinstance(value, list):
        return list in types and all(isinstance(item, str) for item in value)
    return isinstance(value, types)
