"""Reads the request bodies and responses of an OpenAPI document as sections of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .merge import At, References
from .schema import SchemaReader, is_representable
from .words import Losses

__all__ = ["BodyReader"]

_FORMS: Final = ("multipart/form-data", "application/x-www-form-urlencoded")
#: Media types in order of preference, where a document offers several.
_PREFERRED: Final = ("application/json", "application/xml", "text/xml", *_FORMS)


class BodyReader:
    """Reads the bodies of requests and responses."""

    def __init__(
        self, references: References, schemas: SchemaReader, media_types: Mapping[str, str], losses: Losses
    ) -> None:
        self._references = references
        self._schemas = schemas
        self._media_types = media_types
        self._losses = losses

    def section(self, schema: Any, at: At) -> dict[str, Any]:
        """A schema as a section: fields by name, ``$ref``, or ``$schema`` if it is not only an object of fields."""
        words = self._schemas.field(schema, at)
        if "$ref" in words:
            return words
        if words == {"type": "object"}:
            return {}
        fields = words.get("properties")
        if fields is not None and len(words) == 1 and "$ref" not in fields and "$schema" not in fields:
            return dict(fields)
        return {"$schema": words}

    def request(self, raw: Any, at: At) -> dict[str, Any]:
        """The section ``body`` or ``form`` of a ``requestBody``; empty if there is none."""
        body = self._references.resolve(raw, at)
        if not isinstance(body, Mapping):
            return {}
        kind, media = self._chosen(body.get("content"), (*at, "content"))
        if media is None:
            return {}
        if body.get("required") is False:
            self._losses.add((*at, "required"), "that the body is optional")
        if body.get("description"):
            self._losses.add((*at, "description"), f"the description of the body: {body['description']!r:.60}")
        where = (*at, "content", kind)
        if kind == _FORMS[1]:
            self._losses.add(where, "URL-encoded: it is sent as multipart form data")
        if media.get("encoding"):
            self._losses.add((*where, "encoding"), "the encoding of the parts")
        return {"form" if kind in _FORMS else "body": self._content(media, where)}

    def response(self, raw: Any, dialect: str, at: At) -> dict[str, Any]:
        """``status``, ``produces`` and ``returns`` of the first successful response."""
        responses = raw if isinstance(raw, Mapping) else {}
        chosen = _success(map(str, responses))
        words: dict[str, Any] = {}
        for status, unresolved in responses.items():
            where = (*at, str(status))
            if str(status) != chosen:
                self._losses.add(where, f"the response {status}")
                continue
            response = self._references.resolve(unresolved, where)
            if not isinstance(response, Mapping):
                continue
            if chosen.isdigit() and chosen != "200":
                words["status"] = int(chosen)
            for word in ("headers", "links"):
                if response.get(word):
                    self._losses.add((*where, word), f"the response's {word}: {', '.join(response[word])}")
            kind, media = self._chosen(response.get("content"), (*where, "content"))
            if media is None:
                continue
            if kind != self._media_types.get(dialect, "application/json"):
                words["produces"] = kind
            if "schema" in media:
                words["returns"] = self._content(media, (*where, "content", kind))
        return words

    def _content(self, media: Mapping[str, Any], at: At) -> dict[str, Any]:
        section = self.section(media.get("schema", {"type": "object"}), (*at, "schema"))
        examples = media.get("examples")
        example = media.get("example")
        if example is None and isinstance(examples, Mapping) and examples:
            first, *others = examples.values()
            example = self._references.resolve(first, at)
            example = example.get("value") if isinstance(example, Mapping) else None
            if others:
                self._losses.add((*at, "examples"), "the examples after the first")
        if example is not None and not _add_examples(section, example):
            self._losses.add((*at, "example"), f"the example {example!r:.60}")
        return section

    def _chosen(self, content: Any, at: At) -> tuple[str, Mapping[str, Any] | None]:
        kinds = [kind for kind in content if isinstance(content[kind], Mapping)] if isinstance(content, Mapping) else []
        if not kinds:
            return "", None
        ranks = {kind: rank for rank, kind in enumerate(_PREFERRED)}
        plain = {kind: kind.partition(";")[0].strip().lower() for kind in kinds}
        chosen = min(kinds, key=lambda kind: ranks.get(plain[kind], 0.5 if plain[kind].endswith("+json") else 9))
        for kind in kinds:
            if kind != chosen:
                self._losses.add((*at, kind), f"the media type {kind}: only one is read")
        return plain[chosen], content[chosen]


def _add_examples(section: dict[str, Any], example: Any) -> bool:
    """Splits an example of an object among its fields that have none; False if that is not possible."""
    if not isinstance(example, Mapping) or "$ref" in section or "$schema" in section or not is_representable(example):
        return False
    names = {key.removesuffix("?"): key for key in section}
    for name, value in example.items():
        key = names.get(name)
        if key is None:
            return False
        said = section[key]
        words: dict[str, Any] = {"title": said} if isinstance(said, str) else said
        if "properties" in words and isinstance(value, Mapping):
            if not _add_examples(words["properties"], value):
                return False
        else:
            section[key] = {"example": value, **words}
    return True


def _success(statuses: Iterable[str]) -> str:
    """The first status below 300, else ``default``, else the first below 400; empty if there is none."""
    found = sorted(statuses)
    for prefix in ("2", "d", "3"):
        for status in found:
            if status.startswith(prefix):
                return status
    return ""
