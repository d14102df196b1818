"""Writes fields as JSON Schema, and shared definitions as components of the document."""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from wxpay_dsl.core.specs.model import ABSENT, Schema

from .words import FIELD_VENDOR

__all__ = ["SchemaWriter"]

_SAME: Final[Mapping[str, str]] = {
    "title": "title",
    "description": "description",
    "format": "format",
    "pattern": "pattern",
    "min_length": "minLength",
    "max_length": "maxLength",
    "minimum": "minimum",
    "maximum": "maximum",
    "min_items": "minItems",
    "max_items": "maxItems",
    "media_type": "contentMediaType",
    "encoding": "contentEncoding",
}
#: Keywords that do not constrain values: a use of a component may have its own beside the ``$ref``.
_ANNOTATIONS: Final = frozenset(
    {"title", "description", "examples", "default", "deprecated", "x-roles", "x-required-by", "x-doubt"}
)
#: Every type, written out for ``any`` where other keywords would imply a type.
_ANY: Final = ("string", "number", "boolean", "object", "array")

#: A definition, and the constraints of a use of it, which differ if the use adds more than annotations.
_Key = tuple[str, str]


class SchemaWriter:
    """Writes schemas; the definitions that they refer to become :attr:`components`."""

    def __init__(self, uses: Iterable[tuple[str, Schema]]) -> None:
        """``uses`` are all schemas that will be written, each with its file."""
        self.components: dict[str, Any] = {}
        self._inlined: dict[int, dict[str, Any]] = {}
        self._keys: dict[tuple[str, int], _Key] = {}
        self._names: dict[_Key, str] = {}
        self._common: dict[_Key, dict[str, Any]] = {}
        self._uses: Counter[_Key] = Counter()
        samples: dict[_Key, tuple[str, Schema]] = {}
        for file, schema in uses:
            self._collect(file, schema, samples)
        self._name()
        for key, name in self._names.items():
            body = self._words(*samples[key])
            kept = {word: value for word, value in body.items() if word not in _ANNOTATIONS}
            self.components[name] = {**self._common[key], **kept}

    def write(self, file: str, schema: Schema) -> dict[str, Any]:
        """A schema of ``file``: complete, or a ``$ref`` with its own annotations beside it."""
        key = self._key(file, schema)
        if key is None or key not in self._names:
            return self._words(file, schema)
        common = self._common[key]
        own = _annotations(self._inline(schema))
        return {
            "$ref": f"#/components/schemas/{self._names[key]}",
            **{word: value for word, value in own.items() if word not in common or common[word] != value},
        }

    def _collect(self, file: str, schema: Schema, samples: dict[_Key, tuple[str, Schema]]) -> None:
        for inner in (*schema.properties.values(), schema.items, schema.additional):
            if inner is not None:
                self._collect(file, inner, samples)
        key = self._key(file, schema)
        if key is None:
            return
        self._uses[key] += 1
        own = _annotations(self._inline(schema))
        if key in samples:
            # The component has the annotations that all uses share; a use can add some, and not remove any.
            common = self._common[key].items()
            self._common[key] = {word: value for word, value in common if word in own and own[word] == value}
        else:
            samples[key] = file, schema
            self._common[key] = own

    def _key(self, file: str, schema: Schema) -> _Key | None:
        if not schema.ref:
            return None
        cached = self._keys.get((file, id(schema)))
        if cached is None:
            target, _, pointer = schema.ref.partition("#")
            if not target:
                target = file
            elif not target.startswith("/"):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
            allowed = {word: value for word, value in self._inline(schema).items() if word not in _ANNOTATIONS}
            cached = f"{target}#{pointer}", json.dumps(allowed, sort_keys=True)
            self._keys[file, id(schema)] = cached
        return cached

    def _name(self) -> None:
        """Names components after their definitions, the most used first; with the file's name if two are equal.

        A use with more constraints than its definition becomes a component if it recurs, else it is written out.
        """
        wanted = Counter(ref.rpartition("/")[2] for ref in {ref for ref, _ in self._uses})
        named: set[str] = set()
        for key, uses in self._uses.most_common():
            if uses == 1 and key[0] in named:
                continue
            target, _, name = key[0].rpartition("/")
            if wanted[name] > 1:
                stem = posixpath.splitext(posixpath.basename(target.partition("#")[0]))[0]
                name = "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", stem)) + name
            name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
            taken, unique, number = self._names.values(), name, 1
            while unique in taken:
                number += 1
                unique = f"{name}{number}"
            self._names[key] = unique
            named.add(key[0])

    def _inline(self, schema: Schema) -> dict[str, Any]:
        """A schema with its references resolved; cached, since files share definitions."""
        cached = self._inlined.get(id(schema))
        if cached is None:
            cached = self._inlined[id(schema)] = _words(schema, self._inline)
        return cached

    def _words(self, file: str, schema: Schema) -> dict[str, Any]:
        return _words(schema, lambda inner: self.write(file, inner))


def _annotations(words: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in words.items() if word in _ANNOTATIONS}


def _words(schema: Schema, inner: Callable[[Schema], dict[str, Any]]) -> dict[str, Any]:
    """A schema as keywords of JSON Schema; ``inner`` writes the schemas inside it."""
    words: dict[str, Any] = {}
    for attribute, word in _SAME.items():
        value = getattr(schema, attribute)
        if value not in ("", None):
            words[word] = value
    if schema.enum:
        # In JSON Schema an enum must list null.
        words["enum"] = [*schema.enum, None] if schema.nullable and None not in schema.enum else list(schema.enum)
    if schema.example is not ABSENT:
        words["examples"] = [schema.example]
    if schema.default is not ABSENT:
        words["default"] = schema.default
    if schema.deprecated:
        words["deprecated"] = True
    for word, vendor in FIELD_VENDOR.items():
        if word != "nullable" and getattr(schema, word):
            value = getattr(schema, word)
            words[vendor] = list(value) if isinstance(value, tuple) else value
    _nested(schema, words, inner)
    if schema.type != "any":
        words["type"] = [schema.type, "null"] if schema.nullable else schema.type
    elif words.keys() - _ANNOTATIONS - set(FIELD_VENDOR.values()):
        words["type"] = [*_ANY, "null"] if schema.nullable else list(_ANY)
    elif schema.nullable:
        words[FIELD_VENDOR["nullable"]] = True
    return words


def _nested(schema: Schema, words: dict[str, Any], inner: Callable[[Schema], dict[str, Any]]) -> None:
    if schema.properties:
        words["properties"] = {name: inner(field) for name, field in schema.properties.items()}
        required = [name for name in schema.properties if name in schema.required]
        if required:
            words["required"] = required
    if schema.items is not None:
        words["items"] = inner(schema.items)
    if schema.additional is not None:
        more = inner(schema.additional)
        if more or schema.properties:
            words["additionalProperties"] = more or True
    elif schema.type == "object" and not schema.properties:
        words["additionalProperties"] = False
