"""Reads the schemas of an OpenAPI document as fields of specs, in the form in which YAML specs are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from wxpay_dsl.core.specs.grammar import FIELD_KEYWORDS, TYPES
from wxpay_dsl.core.specs.patterns import pattern_error

from .merge import At, References, as_mapping
from .words import FIELD_VENDOR, Losses, Vocabulary

__all__ = ["REF", "SchemaReader", "is_representable", "key", "shortened"]

#: The prefix of a reference to a definition of the same file.
REF: Final = "#/definitions/"

#: Keywords that are the same in both.
_SAME: Final = (
    *("title", "description", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"),
    *("minItems", "maxItems", "contentMediaType", "contentEncoding", "deprecated", "default"),
)
#: All keywords that are read.
_READ: Final = frozenset(
    (
        *_SAME,
        *("$ref", "type", "nullable", "enum", "const", "example", "examples", "properties", "required", "items"),
        *("additionalProperties", "allOf", "oneOf", "anyOf", "exclusiveMinimum", "exclusiveMaximum"),
    )
)
_IMPLIES: Final = (
    ("object", ("properties", "additionalProperties", "required")),
    ("array", ("items", "minItems", "maxItems")),
    ("string", ("pattern", "minLength", "maxLength", "format", "contentMediaType", "contentEncoding")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
)
#: Keywords with inner schemas, and the type that they imply.
_INSIDE: Final = {"properties": "object", "additionalProperties": "object", "items": "array"}
_PYTHON_TYPES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}
#: Fields inside one another, at most: each takes two of the yaml12.MAX_DEPTH levels, and some are above them.
_DEEPEST: Final = 28
_DEFINITION: Final = re.compile(r"#/components/schemas/([^/]+)\Z")


class SchemaReader:
    """Reads schemas as fields, and the components that they refer to as definitions."""

    def __init__(self, references: References, vocabulary: Vocabulary, losses: Losses) -> None:
        #: The definitions read so far, by name.
        self.definitions: dict[str, dict[str, Any]] = {}
        self._schemas = as_mapping(as_mapping(references.document.get("components")).get("schemas"))
        self._references = references
        self._vocabulary = vocabulary
        self._losses = losses
        self._names: dict[str, str] = {}
        self._open: list[str] = []
        self._depth = 0

    def field(self, schema: Any, at: At) -> dict[str, Any]:
        """A schema as the keywords of a field."""
        if self._depth >= _DEEPEST:
            self._losses.add(at, f"fields nested more than {_DEEPEST} levels deep: any value here")
            return {"type": "any"}
        self._depth += 1
        try:
            return self._field(schema, at)
        finally:
            self._depth -= 1

    def _field(self, schema: Any, at: At) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            if schema is not True:
                self._losses.add(at, f"the schema {schema!r:.40} allows nothing")
            return {"type": "any"}
        schema = self._references.merged(schema, at)
        words: dict[str, Any] = {}
        if "$ref" in schema:
            words = self._reference(schema["$ref"], at)
        if "properties" in schema or "required" in schema:
            words |= self._object(schema, at)
        if "items" in schema:
            words["items"] = self.field(schema["items"], (*at, "items"))
        self._additional(schema, words, at)
        self._type(schema, words, at)
        self._values(schema, words, at)
        for word in _SAME:
            if word in schema:
                self._set(words, word, schema[word], at)
        self._limits(schema, words, at)
        for word, value in self._vocabulary.recognised(schema, FIELD_VENDOR).items():
            self._set(words, word, value, at)
        for word in self._vocabulary.unrecognised(schema, FIELD_VENDOR):
            self._losses.add((*at, word), f"`{word}`: {schema[word]!r:.60}")
        for word in schema:
            if word not in _READ and not word.startswith("x-"):
                self._losses.add((*at, word), f"the keyword `{word}`")
        return words

    def read_definitions(self) -> None:
        """Reads the components that nothing refers to."""
        for name in self._schemas:
            self._definition(name)

    def _definition(self, name: str) -> str:
        """Reads a component as a definition, once, and returns its name, without special characters of a ``$ref``."""
        if name not in self._names:
            plain, number = re.sub(r"[/~?]", "_", name), 1
            unique = plain
            while unique in self._names.values():
                number += 1
                unique = f"{plain}{number}"
            self._names[name] = unique
            depth, self._depth = self._depth, 0  # it is written at the top level
            self.definitions[unique] = self._inside(name, self._schemas[name], ("components", "schemas", name))
            self._depth = depth
        return self._names[name]

    def _reference(self, ref: Any, at: At) -> dict[str, Any]:
        found = _DEFINITION.match(unquote(ref)) if isinstance(ref, str) else None
        name = found[1].replace("~1", "/").replace("~0", "~") if found else str(ref)
        if name in self._open:
            self._losses.add(at, f"{name} contains itself: any object here")
            return {"type": "object"}
        if not found:
            return self._inside(name, self._references.resolve({"$ref": ref}, at), at)
        if name not in self._schemas:
            self._losses.add(at, f"the `$ref` {ref!r} names nothing")
            return {"type": "any"}
        return {"$ref": f"{REF}{self._definition(name)}"}

    def _inside(self, name: str, schema: Any, at: At) -> dict[str, Any]:
        """A named schema, read while its name is recorded, so that a circular reference is found."""
        self._open.append(name)
        try:
            return self.field(schema, at)
        finally:
            self._open.pop()

    def _object(self, schema: Mapping[str, Any], at: At) -> dict[str, Any]:
        """``properties``, with a ``?`` after each name that is not required."""
        fields, required = schema.get("properties", {}), schema.get("required", [])
        read: dict[str, Any] = {}
        for name, inner in fields.items():
            where = (*at, "properties", name)
            if name in required and name.endswith("?"):
                self._losses.add(where, f"{name!r} becomes optional: a `?` at the end means that in specs")
            if not name:
                self._losses.add(where, "a field without a name")
                continue
            words = self.field(inner, where)
            read[key(name, words, required=name in required)] = shortened(words)
        # A field that is required and not described may have any value.
        read |= {name: {"type": "any"} for name in required if name not in fields and name}
        return {"properties": read} if read else {}

    def _additional(self, schema: Mapping[str, Any], words: dict[str, Any], at: At) -> None:
        if "additionalProperties" not in schema:
            return
        raw = schema["additionalProperties"]
        more = raw if isinstance(raw, bool) else self.field(raw, (*at, "additionalProperties"))
        if more == {"type": "any"}:
            more = True
        # The default in specs: no other fields if there are `properties`, any if there are none.
        if more is not bool(not words.get("properties")):
            words["additionalProperties"] = more

    def _type(self, schema: Mapping[str, Any], words: dict[str, Any], at: At) -> None:
        said = schema.get("type")
        several = list(said) if isinstance(said, list) else [said] if said is not None else []
        kinds = [kind for kind in several if kind != "null"]
        if "null" in several or schema.get("nullable") is True:
            words["nullable"] = True
        if "$ref" in schema and ("$ref" in words or not several):
            self._agree(words, self._kind(words), at)
            return
        if not several:
            kind = _implied(schema)
        elif len(kinds) == 1 and kinds[0] in TYPES:
            kind = kinds[0]
        elif set(kinds) == {"integer", "number"}:
            kind = "number"
        else:
            kind = "any"
            if kinds and not {"string", "number", "boolean", "object", "array"} <= set(kinds):
                self._losses.add((*at, "type"), f"the types {', '.join(map(str, kinds))}: any value here")
        self._agree(words, kind, at)
        if kind != _kind_of(words):
            words["type"] = kind

    def _agree(self, words: dict[str, Any], kind: str, at: At) -> None:
        """Removes inner schemas of another type, since a field of a spec has one type."""
        for word, belongs in _INSIDE.items():
            if word in words and kind != belongs:
                del words[word]
                self._losses.add((*at, word), f"`{word}` of a value that is not only {belongs}")

    def _kind(self, words: Mapping[str, Any]) -> str:
        """The type of a field, its references resolved."""
        while "$ref" in words and "type" not in words:
            words = self.definitions[words["$ref"].removeprefix(REF)]
        return _kind_of(words)

    def _values(self, schema: Mapping[str, Any], words: dict[str, Any], at: At) -> None:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list):
            if words.get("nullable"):
                values = [value for value in values if value is not None]
            if values:
                self._set(words, "enum", values, at)
        if "example" in schema:
            self._set(words, "example", schema["example"], at)
        elif isinstance(schema.get("examples"), list) and schema["examples"]:
            self._set(words, "example", schema["examples"][0], at)
            if len(schema["examples"]) > 1:
                self._losses.add((*at, "examples"), "the examples after the first")
        elif "examples" in schema:
            self._losses.add((*at, "examples"), "`examples` that is not a list")

    def _limits(self, schema: Mapping[str, Any], words: dict[str, Any], at: At) -> None:
        for word, limit, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
            value = schema.get(word)
            if value is True:
                value = schema.get(limit)
            if value is None or value is False:
                continue
            if words.get("type") == "integer" and isinstance(value, int):
                words[limit] = value + step
            else:
                self._losses.add((*at, word), f"`{word}`: {value!r}")

    def _set(self, words: dict[str, Any], word: str, value: Any, at: At) -> None:
        """Sets a keyword if its value is valid in specs, else reports it as lost."""
        types = FIELD_KEYWORDS[word][1]
        fits = object in types or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))
        if fits and word == "pattern":
            fits = not pattern_error(str(value))
        if not fits or not is_representable(value):
            self._losses.add((*at, word), f"`{word}`: {value!r:.60}")
        elif (value is not False and value != "") or word in ("default", "example") or "$ref" in words:
            words[word] = value


def _kind_of(words: Mapping[str, Any]) -> str:
    """The type that keywords declare or imply."""
    if "type" in words:
        return str(words["type"])
    return next((kind for word, kind in _INSIDE.items() if word in words), "string")


def key(name: str, words: dict[str, Any], *, required: bool) -> str:
    """A field's key, with a ``?`` unless it is required; removes ``required_by`` if that equals ``roles``."""
    if required:
        words.pop("required_by", None)
    elif words.get("roles") and words["roles"] == words.get("required_by"):
        del words["required_by"]
        return name
    return name if required else f"{name}?"


def shortened(words: dict[str, Any]) -> str | dict[str, Any]:
    """The title alone, if a field has nothing else."""
    title = words.get("title")
    return title if len(words) == 1 and isinstance(title, str) else words


def is_representable(value: Any) -> bool:
    """Whether a value can be written in the YAML of specs: no NaN or infinity, no integer of 20 characters or more."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_representable(inner) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(is_representable, value))
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, int):
        return len(str(value)) < 20
    return value is None or isinstance(value, str)


def _implied(schema: Mapping[str, Any]) -> str:
    for kind, words in _IMPLIES:
        if any(word in schema for word in words):
            return kind
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        kinds = {_PYTHON_TYPES.get(type(value), "any") for value in values if value is not None}
        if len(kinds) == 1:
            return kinds.pop()
    return "any"
