"""Reads the parameters of an OpenAPI document as the sections ``path``, ``query`` and ``header``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from .merge import At, References, as_list, as_mapping
from .schema import SchemaReader, is_representable, key, shortened
from .words import SPREAD, Losses

__all__ = ["ParameterReader", "identifier"]

_PARAMETER: Final = frozenset(
    {"name", "in", "required", "schema", "content", "description", "deprecated", "example", "examples", "style"}
    | {"explode", "allowEmptyValue", "allowReserved"}
)
_DEFAULT_STYLES: Final = {"query": "form", "header": "simple", "path": "simple"}


class ParameterReader:
    """Reads the parameters of operations."""

    def __init__(self, references: References, schemas: SchemaReader, losses: Losses) -> None:
        self._references = references
        self._schemas = schemas
        self._losses = losses

    def read(self, item: Mapping[str, Any], raw: Mapping[str, Any], templates: list[str], at: At) -> dict[str, Any]:
        """The sections of the parameters of a path and of its operation, which override the path's."""
        found: dict[tuple[str, str], tuple[Mapping[str, Any], At]] = {}
        for source, where in ((item, at[:-1]), (raw, at)):
            for number, unresolved in enumerate(as_list(source.get("parameters"))):
                place = (*where, "parameters", str(number))
                parameter = as_mapping(self._references.resolve(unresolved, place))
                found[str(parameter.get("in")), str(parameter.get("name"))] = parameter, place
        sections: dict[str, Any] = {}
        for (where_in, name), (parameter, place) in found.items():
            if self._spreads(parameter):
                self._spread(sections, where_in, parameter, place)
            elif where_in == "path" and identifier(name) in templates:
                field = shortened(self._parameter(parameter, place))
                if field:
                    sections.setdefault("path", {})[identifier(name)] = field
            elif where_in in ("query", "header"):
                fields = sections.setdefault(where_in, {})
                fields = fields["$schema"]["properties"] if "$schema" in fields else fields
                words = self._parameter(parameter, place)
                fields[key(name, words, required=parameter.get("required") is True)] = shortened(words)
            else:
                self._losses.add(place, f"the {where_in} parameter {name!r}")
        return sections

    def _spreads(self, parameter: Mapping[str, Any]) -> bool:
        """Whether the fields of an object are separate parameters, as OpenAPI sends an exploded query parameter."""
        if SPREAD in parameter:
            return parameter[SPREAD] is True
        form = parameter.get("style", "form") == "form" and parameter.get("explode", True) is True
        schema = as_mapping(self._references.resolve(parameter.get("schema"), ()))
        return parameter.get("in") == "query" and form and schema.get("type") == "object"

    def _spread(self, sections: dict[str, Any], word: str, parameter: Mapping[str, Any], at: At) -> None:
        schema = self._references.resolve(parameter["schema"], at)
        words = self._schemas.field(schema, (*at, "schema"))
        fields = dict(sections.get(word, {}))
        names = {key.removesuffix("?") for key in fields}
        for said, field in words.get("properties", {}).items():
            if said.removesuffix("?") in names:
                self._losses.add(at, f"{said.removesuffix('?')!r} is also a parameter of its own")
            else:
                fields[said] = field
        more = words.get("additionalProperties", not words.get("properties"))
        if more is False or not fields:
            sections[word] = fields
        else:
            sections[word] = {"$schema": {"additionalProperties": more, "properties": fields}}

    def _parameter(self, raw: Mapping[str, Any], at: At) -> dict[str, Any]:
        schema = raw.get("schema")
        words: dict[str, Any] = {}
        for kind, media in as_mapping(raw.get("content")).items():
            schema, words["contentMediaType"] = as_mapping(media).get("schema"), kind
        if words:
            self._losses.add((*at, "content"), "the schema inside a parameter with `content`")
            schema = {"type": "string"}
        words |= self._schemas.field({} if schema is None else schema, (*at, "schema"))
        description = raw.get("description")
        if isinstance(description, str) and description and "description" not in words:
            words["description"] = description
        if raw.get("deprecated") is True:
            words["deprecated"] = True
        examples = [as_mapping(inner).get("value") for inner in as_mapping(raw.get("examples")).values()]
        example = raw.get("example", examples[0] if examples else None)
        if example is not None and "example" not in words and is_representable(example):
            words["example"] = example
        style = _DEFAULT_STYLES[str(raw["in"])]
        kinds = words.get("type"), "array" if "items" in words else "", "object" if "properties" in words else ""
        composite = "array" in kinds or "object" in kinds
        if raw.get("style", style) != style or (composite and raw.get("explode", style == "form") != (style == "form")):
            self._losses.add((*at, "style"), f"the style of {raw['name']!r}: {raw.get('style', style)}")
        if raw.get("allowReserved") is True:
            self._losses.add((*at, "allowReserved"), "`allowReserved`")
        for word in raw:
            if word not in _PARAMETER and not word.startswith("x-"):
                self._losses.add((*at, word), f"`{word}`")
        return words


def identifier(name: str) -> str:
    """A template's name as an identifier, which a spec needs; it is not sent."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if plain[:1].isalpha() or plain.startswith("_") else f"_{plain}"
