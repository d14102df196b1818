"""The grammar of specs: their keywords, and how values become a :class:`~wxpay_dsl.core.specs.model.Schema`.

Pure functions of the parsed YAML and of a function that resolves a ``$ref``. An error is a :class:`Mistake` with its
path in the data; the loader turns that into file, line and column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from attrs import evolve

from .model import Schema
from .patterns import pattern_error

__all__ = [
    "EVENT_KEYWORDS",
    "FIELD_KEYWORDS",
    "FILE_KEYWORDS",
    "OPERATION_KEYWORDS",
    "SPEC_KEYWORDS",
    "TYPES",
    "Mistake",
    "Resolve",
    "check_keywords",
    "expect",
    "parse_field",
    "parse_section",
]

TYPES: Final = ("string", "integer", "number", "boolean", "object", "array", "any")

#: Each keyword of a field: the attribute of Schema that it sets, and the Python types of its value.
FIELD_KEYWORDS: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "type": ("type", (str,)),
    "title": ("title", (str,)),
    "description": ("description", (str,)),
    "format": ("format", (str,)),
    "enum": ("enum", (list,)),
    "example": ("example", (object,)),
    "default": ("default", (object,)),
    "pattern": ("pattern", (str,)),
    "minLength": ("min_length", (int,)),
    "maxLength": ("max_length", (int,)),
    "minimum": ("minimum", (int, float)),
    "maximum": ("maximum", (int, float)),
    "minItems": ("min_items", (int,)),
    "maxItems": ("max_items", (int,)),
    "nullable": ("nullable", (bool,)),
    "deprecated": ("deprecated", (bool,)),
    "contentMediaType": ("media_type", (str,)),
    "contentEncoding": ("encoding", (str,)),
    "encrypted": ("encrypted", (bool,)),
    "media": ("media", (str,)),
    "encoded": ("encoded", (bool,)),
    "roles": ("roles", (list,)),
    "required_by": ("required_by", (list,)),
    "doubt": ("doubt", (str,)),
    "properties": ("properties", (dict,)),
    "additionalProperties": ("additional", (bool, dict, str)),
    "items": ("items", (dict, str)),
    "$ref": ("ref", (str,)),
}

#: Each keyword of an operation, sections included, and the Python types of its value.
OPERATION_KEYWORDS: Final[Mapping[str, tuple[type, ...]]] = {
    "summary": (str,),
    "description": (str,),
    "docs": (list,),
    "roles": (list,),
    "tags": (list,),
    "deprecated": (bool,),
    "checked": (dict,),
    "host": (str,),
    "mutual_tls": (bool,),
    "verify": (bool,),
    "digest_header": (str,),
    "sign": (bool,),
    "nonce": (bool,),
    "sign_type": (bool,),
    "idempotent": (bool,),
    "outcome": (str,),
    "updated": (str,),
    "version": (str,),
    "status": (int,),
    "produces": (str,),
    "path": (dict,),
    "query": (dict,),
    "header": (dict,),
    "body": (dict,),
    "form": (dict,),
    "returns": (dict,),
}

EVENT_KEYWORDS: Final[Mapping[str, tuple[type, ...]]] = {
    "summary": (str,),
    "description": (str,),
    "docs": (list,),
    "roles": (list,),
    "tags": (list,),
    "deprecated": (bool,),
    "checked": (dict,),
    "algorithm": (str,),
    "body": (dict,),
    "resource": (dict,),
    "returns": (dict,),
}

#: ``host``, ``roles``, ``tags`` and ``checked`` of a file are the defaults of its operations.
FILE_KEYWORDS: Final[Mapping[str, tuple[type, ...]]] = {
    "title": (str,),
    "description": (str,),
    "path": (str,),
    "dialect": (str,),
    "host": (str,),
    "roles": (list,),
    "tags": (list,),
    "checked": (dict,),
    "definitions": (dict,),
    "operations": (dict,),
    "events": (dict,),
}

#: Any of these makes a file a spec; without them it is a file of definitions.
SPEC_KEYWORDS: Final = ("path", "dialect", "definitions", "operations", "events")

#: Resolves a ``$ref``; raises Mistake if it names nothing or is circular.
Resolve = Callable[[str], Schema]

_TYPE_NAMES: Final = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}


class Mistake(Exception):  # noqa: N818 (internal: users get a SpecError)
    """A violation of the grammar: a message, and the path in the data."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.path: tuple[str | int, ...] = path

    def within(self, *outer: str | int) -> Mistake:
        """Prepends ``outer`` to the path, and returns the mistake itself."""
        self.path = (*outer, *self.path)
        return self


def nearest(word: str, words: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the most similar of ``words``; empty if none is similar."""
    close = get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def check_keywords(raw: Mapping[str, Any], words: Mapping[str, Any], what: str) -> None:
    """Raises Mistake for the first key that is not one of ``words``; ``what`` (``a spec``) is for the message."""
    for key in raw:
        if key not in words:
            raise Mistake(f"{key!r} is not a keyword of {what}{nearest(key, words)}", key)


def expect(value: Any, types: tuple[type, ...], word: str) -> Any:
    """Returns ``value`` if it is of one of ``types``, else raises Mistake; a boolean is not a number."""
    if object in types or (isinstance(value, types) and (bool in types or not isinstance(value, bool))):
        return value
    wanted = " or ".join(_TYPE_NAMES[t] for t in types)
    raise Mistake(f"{word!r} takes {wanted}, not {value!r:.40}", word)


def parse_section(raw: Mapping[str, Any], resolve: Resolve) -> Schema:
    """Parses a section (``body``, ``query``, ``returns`` …): fields by name, ``$schema`` for a value that is not an
    object, or ``$ref`` for a definition. Raises Mistake.
    """
    if "$schema" in raw:
        if len(raw) > 1:
            raise Mistake("`$schema` must be the only key of a section", "$schema")
        try:
            return parse_field(raw["$schema"], resolve)
        except Mistake as mistake:
            raise mistake.within("$schema") from None
    if "$ref" in raw:
        return parse_field(raw, resolve)
    properties, required = _fields(raw, resolve)
    return Schema(
        type="object",
        properties=properties,
        required=required,
        # A section without fields takes any: `{post: {}}` is a complete operation.
        additional=None if properties else _ANYTHING,
    )


def parse_field(raw: Any, resolve: Resolve) -> Schema:
    """Parses one field: its title alone, or a mapping of keywords. Raises Mistake."""
    if type(raw) is not dict:
        if raw is None:
            return _PLAIN
        if isinstance(raw, str):
            return Schema(title=raw)
        raise Mistake(f"a field is its title or a mapping of keywords, not {raw!r:.40}")
    values: dict[str, Any] = {}
    for word, value in raw.items():
        entry = FIELD_KEYWORDS.get(word)
        if entry is None:
            raise Mistake(f"{word!r} is not a keyword of a field{nearest(word, FIELD_KEYWORDS)}", word)
        attribute, types = entry
        values[attribute] = value if types[0] is object else expect(value, types, word)

    ref = values.pop("ref", None)
    _check_type(values, "string" if ref is None else "")
    properties, required = _EMPTY, frozenset[str]()
    if "properties" in values:
        try:
            properties, required = _fields(values["properties"], resolve)
        except Mistake as mistake:
            raise mistake.within("properties") from None
        values["properties"], values["required"] = properties, required
        values.setdefault("type", "object")
    if "items" in values:
        try:
            values["items"] = parse_field(values["items"], resolve)
        except Mistake as mistake:
            raise mistake.within("items") from None
        values.setdefault("type", "array")
    if "additional" in values:
        values["additional"] = _additional(values["additional"], resolve)
        values.setdefault("type", "object")
    if "enum" in values:
        values["enum"] = tuple(values["enum"])
    for word in ("roles", "required_by"):
        if word in values:
            values[word] = tuple(expect(item, (str,), word) for item in values[word])
    if "pattern" in values:
        _check_pattern(values["pattern"])
    if ref is not None:
        base = resolve(ref)
        if "type" not in raw and values.get("type", base.type) != base.type:
            raise Mistake(f"keywords of the type {values['type']} beside a definition of type {base.type}", "$ref")
        return _extend(base, ref, values)
    declared = values.get("type", "string")
    if declared == "object" and not properties and "additional" not in values:
        values["additional"] = _ANYTHING
    return Schema(**values)


def _check_type(values: Mapping[str, Any], implied: str) -> None:
    """Raises Mistake for an unknown type, and for keywords that belong to another type."""
    declared = values.get("type", implied)
    if declared and declared not in TYPES:
        raise Mistake(f"{declared!r} is not a type{nearest(declared, TYPES)}: one of {', '.join(TYPES)}", "type")
    for word, kind in _IMPLIED_TYPES:
        if FIELD_KEYWORDS[word][0] in values and values.get("type", kind) != kind:
            raise Mistake(f"{word!r} belongs to the type {kind}, but the field is of type {declared}", word)


def _fields(raw: Mapping[str, Any], resolve: Resolve) -> tuple[dict[str, Schema], frozenset[str]]:
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for key, value in raw.items():
        name = key
        if key.endswith("?"):
            name = key[:-1]
        if not name:
            raise Mistake("a field needs a name", key)
        if name in properties:
            raise Mistake(f"the field {name!r} is given twice, required and optional", key)
        try:
            field = parse_field(value, resolve)
            if name == key and isinstance(value, dict) and "required_by" in value:
                raise Mistake(f"every role must give it: write `{name}?` where only some roles must", "required_by")
            for role in field.required_by if field.roles else ():
                if role not in field.roles:
                    raise Mistake(f"{role!r} must give the field, but `roles` does not list it", "required_by")
        except Mistake as mistake:
            raise mistake.within(key) from None
        if name == key and (field.roles or field.required_by):
            # It is required of the roles that have it.
            field = evolve(field, required_by=field.roles)
        if name == key and not field.roles:
            required.append(name)
        properties[name] = field
    return properties, frozenset(required)


def _additional(raw: Any, resolve: Resolve) -> Schema | None:
    if raw is True:
        return _ANYTHING
    if raw is False:
        return None
    try:
        return parse_field(raw, resolve)
    except Mistake as mistake:
        raise mistake.within("additionalProperties") from None


def _extend(base: Schema, ref: str, words: dict[str, Any]) -> Schema:
    """The definition with the keywords beside the ``$ref`` applied over it; ``properties`` are added to its own."""
    if "properties" in words:
        own = words["properties"]
        words["properties"] = {**base.properties, **own}
        words["required"] = frozenset(base.required - own.keys()) | words["required"]
    values = {attribute: getattr(base, attribute) for attribute in _ATTRIBUTES}
    return Schema(**{**values, **words, "ref": ref})


def _check_pattern(pattern: str) -> None:
    error = pattern_error(pattern)
    if error:
        raise Mistake(error, "pattern")


_ATTRIBUTES: Final = tuple(dict.fromkeys([attribute for attribute, _ in FIELD_KEYWORDS.values()] + ["required"]))
_EMPTY: dict[str, Schema] = {}
#: Keywords that imply a type, and contradict any other.
_IMPLIED_TYPES: Final = (("properties", "object"), ("additionalProperties", "object"), ("items", "array"))
_PLAIN: Final = Schema()
_ANYTHING: Final = Schema(type="any")
