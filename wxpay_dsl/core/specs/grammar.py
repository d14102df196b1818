"""The DSL's grammar: the words of a spec, and how their values become a :class:`~wxpay_dsl.core.specs.model.Schema`.

Pure: it takes what YAML gave, and a function that finds what a ``$ref`` names. A mistake is a :class:`Mistake` that
knows its path in the data; the loader turns that into file, line and column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from attrs import evolve

from .model import Schema
from .patterns import pattern_error

__all__ = [
    "EVENT_WORDS",
    "FIELD_WORDS",
    "FILE_WORDS",
    "OPERATION_WORDS",
    "TYPES",
    "Mistake",
    "Resolve",
    "expect",
    "known",
    "parse_field",
    "parse_section",
]

TYPES: Final = ("string", "integer", "number", "boolean", "object", "array", "any")

#: Each word of a field: the attribute of Schema it becomes, and the Python types its value may have.
FIELD_WORDS: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
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

#: Each word of an operation, beside its sections, and the Python types its value may have.
OPERATION_WORDS: Final[Mapping[str, tuple[type, ...]]] = {
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

EVENT_WORDS: Final[Mapping[str, tuple[type, ...]]] = {
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
}

#: ``host``, ``roles``, ``tags`` and ``checked`` of a file hold for its operations that say nothing else.
FILE_WORDS: Final[Mapping[str, tuple[type, ...]]] = {
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

#: Finds what a ``$ref`` names; raises Mistake for one that dangles or turns in a circle.
Resolve = Callable[[str], Schema]

_TYPE_NAMES: Final = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}


class Mistake(Exception):  # noqa: N818 (never leaves the loader; what users see is a SpecError)
    """Something the grammar does not allow: what, and where in the data."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.path: tuple[str | int, ...] = path

    def within(self, *outer: str | int) -> Mistake:
        """The same, seen from further outside."""
        self.path = (*outer, *self.path)
        return self


def nearest(word: str, words: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing where no word is near."""
    close = get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def known(raw: Mapping[str, Any], words: Mapping[str, Any], what: str) -> None:
    """Raises Mistake for the first key that is not one of ``words``."""
    for key in raw:
        if key not in words:
            raise Mistake(f"{key!r} is not a word of {what}{nearest(key, words)}", key)


def expect(value: Any, types: tuple[type, ...], word: str) -> Any:
    """``value``, if it is of one of ``types``; booleans are no numbers here."""
    if object in types or (isinstance(value, types) and (bool in types or not isinstance(value, bool))):
        return value
    wanted = " or ".join(_TYPE_NAMES[t] for t in types)
    raise Mistake(f"{word!r} takes {wanted}, not {value!r:.40}", word)


def parse_section(raw: Mapping[str, Any], resolve: Resolve) -> Schema:
    """``body``, ``query``, ``returns`` …: fields by name; or ``$schema`` for what is no object, ``$ref`` for a
    definition.
    """
    if "$schema" in raw:
        if len(raw) > 1:
            raise Mistake("`$schema` stands alone in a section", "$schema")
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
        # A section that names no field takes any: `{post: {}}` is a whole operation.
        additional=None if properties else _ANYTHING,
    )


def parse_field(raw: Any, resolve: Resolve) -> Schema:
    """One field: its title alone, or a mapping of words."""
    if type(raw) is not dict:
        if raw is None:
            return _PLAIN
        if isinstance(raw, str):
            return Schema(title=raw)
        raise Mistake(f"a field is its title or a mapping of words, not {raw!r:.40}")
    values: dict[str, Any] = {}
    for word, value in raw.items():
        entry = FIELD_WORDS.get(word)
        if entry is None:
            raise Mistake(f"{word!r} is not a word of a field{nearest(word, FIELD_WORDS)}", word)
        attribute, types = entry
        values[attribute] = value if types[0] is object else expect(value, types, word)

    ref = values.pop("ref", None)
    _agree(values, "string" if ref is None else "")
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
        _compiles(values["pattern"])
    if ref is not None:
        base = resolve(ref)
        if "type" not in raw and values.get("type", base.type) != base.type:
            raise Mistake(f"words of the type {values['type']} beside a definition of type {base.type}", "$ref")
        return _extend(base, ref, values)
    declared = values.get("type", "string")
    if declared == "object" and not properties and "additional" not in values:
        values["additional"] = _ANYTHING
    return Schema(**values)


def _agree(values: Mapping[str, Any], implied: str) -> None:
    """Raises Mistake for a type that is none, and for words that belong to another type."""
    declared = values.get("type", implied)
    if declared and declared not in TYPES:
        raise Mistake(f"{declared!r} is not a type{nearest(declared, TYPES)}: one of {', '.join(TYPES)}", "type")
    for word, kind in _BELONGING:
        if FIELD_WORDS[word][0] in values and values.get("type", kind) != kind:
            raise Mistake(f"{word!r} belongs to the type {kind}, and this is of type {declared}", word)


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
                raise Mistake(f"every role must give it: `{name}?` is required of some roles", "required_by")
            for role in field.required_by if field.roles else ():
                if role not in field.roles:
                    raise Mistake(f"{role!r} must give a field that `roles` does not give it", "required_by")
        except Mistake as mistake:
            raise mistake.within(key) from None
        if name == key and (field.roles or field.required_by):
            # Required, but not of every role: the roles that have it must give it.
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
    """What the definition says, with the words beside the ``$ref`` on top; fields are added to its fields."""
    if "properties" in words:
        own = words["properties"]
        words["properties"] = {**base.properties, **own}
        words["required"] = frozenset(base.required - own.keys()) | words["required"]
    values = {attribute: getattr(base, attribute) for attribute in _ATTRIBUTES}
    return Schema(**{**values, **words, "ref": ref})


def _compiles(pattern: str) -> None:
    wrong = pattern_error(pattern)
    if wrong:
        raise Mistake(wrong, "pattern")


_ATTRIBUTES: Final = tuple(dict.fromkeys([attribute for attribute, _ in FIELD_WORDS.values()] + ["required"]))
_EMPTY: dict[str, Schema] = {}
#: Words that imply a type, and contradict any other.
_BELONGING: Final = (("properties", "object"), ("additionalProperties", "object"), ("items", "array"))
_PLAIN: Final = Schema()
_ANYTHING: Final = Schema(type="any")
