"""Resolves the ``$ref``s of an OpenAPI document, and merges ``allOf``, ``oneOf`` and ``anyOf`` into one schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from wxpay_dsl.core.errors import SpecError

from .words import Losses

__all__ = ["At", "References", "as_list", "as_mapping"]

#: The path from the document's root to a value.
At = tuple[str, ...]

#: References in a row, at most; more are taken for a circular reference.
_DEEPEST: Final = 50
#: Schemas that a document may expand to; the largest known one has a seventh of that.
_MOST: Final = 200_000
#: The types of keywords that are followed, and of the items if they are lists.
_SHAPES: Final[Mapping[str, tuple[tuple[type, ...], type]]] = {
    "$ref": ((str,), object),
    "type": ((str, list), str),
    "properties": ((dict,), object),
    "required": ((list,), str),
    "enum": ((list,), object),
    "items": ((dict, bool), object),
    "additionalProperties": ((dict, bool), object),
    "allOf": ((list,), object),
    "oneOf": ((list,), object),
    "anyOf": ((list,), object),
}
#: The roles that have a schema or a field.
_ROLES: Final = "x-roles"
#: Keywords that can be added to a definition beside its ``$ref``.
_ADDED: Final = frozenset({"type", "properties", "required"})
#: Keywords that do not constrain values.
_ANNOTATIONS: Final = frozenset({"title", "description", "example", "examples", "default", "deprecated"})


class References:
    """Resolves the references within a document."""

    def __init__(self, document: Mapping[str, Any], losses: Losses) -> None:
        self.document = document
        self._losses = losses
        self._open: list[str] = []
        self._left = _MOST

    def resolve(self, node: Any, at: At) -> Any:
        """The node itself, or the target of its local ``$ref``; an empty mapping if there is none."""
        for _ in range(_DEEPEST):
            if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
                return node
            node = self._follow(node["$ref"], at)
        self._losses.add(at, "the `$ref` is circular")
        return {}

    def merged(self, schema: Mapping[str, Any], at: At) -> Mapping[str, Any]:
        """The schema with ``allOf`` and choices merged into it, and without keywords of a wrong type.

        Raises SpecError if the references expand to too many schemas.
        """
        self._left -= 1
        if self._left < 0:
            raise SpecError(f"its references expand to more than {_MOST} schemas: at {'/'.join(at)[:200]!a}")
        schema = self._well_typed(schema, at)
        for choice in ("oneOf", "anyOf"):
            options = schema.get(choice)
            if options is None:
                continue
            rest = {word: value for word, value in schema.items() if word != choice}
            some = [option for option in options if not (isinstance(option, Mapping) and option.get("type") == "null")]
            if len(some) == 1:
                null = {"nullable": True} if len(some) < len(options) else {}
                return self.merged({**rest, **null, "allOf": [some[0], *rest.get("allOf", ())]}, at)
            if some and all(isinstance(option, Mapping) and "const" in option for option in some):
                null = {"nullable": True} if len(some) < len(options) else {}
                return self.merged({"enum": [option["const"] for option in some], **rest, **null}, at)
            if all(isinstance(option, Mapping) and option.get(_ROLES) for option in some):
                # Each option belongs to a role: nothing is lost.
                return self.merged({**rest, "allOf": [*rest.get("allOf", ()), *some]}, at)
            self._losses.add((*at, choice), f"`{choice}`: a choice of {len(options)} schemas")
            if not _all_objects(some):
                return self.merged(rest, at)
            shapes = self._variants([self._flat(option, at) for option in some])
            return self.merged({"type": "object", **rest, "allOf": [*rest.get("allOf", ()), shapes]}, at)
        parts: list[Any] | None = schema.get("allOf")
        if parts is None:
            return schema
        rest = {word: value for word, value in schema.items() if word != "allOf"}
        of_roles = [part for part in parts if isinstance(part, Mapping) and part.get(_ROLES)]
        if len(of_roles) > 1:
            # Variants for roles: a caller has one role, so what one requires is not required of all.
            shapes = self._variants([self._flat(part, at) for part in of_roles])
            parts = [*(part for part in parts if part not in of_roles), shapes]
        every: list[Any] = [*parts, rest]
        first, others = every[0], every[1:]
        together: dict[str, Any] = {}
        for part in others:
            self._merge(together, rest if part is rest else self._flat(part, at), at)
        fields = together.get("properties", {})
        base = self._flat(first, at)
        refers = isinstance(first, Mapping) and set(first) == {"$ref"}
        # A field beside a reference would replace the definition's field of that name.
        apart = not set(fields) & set(base.get("properties", ())) and not {"items", *_SHAPES} & set(together) - _ADDED
        if refers and apart and set(together.get("required", ())) <= set(fields):
            return {**first, **together}
        whole: dict[str, Any] = {}
        self._merge(whole, base, at)
        self._merge(whole, together, at)
        return whole

    def _well_typed(self, schema: Mapping[str, Any], at: At) -> Mapping[str, Any]:
        wrong = [word for word in schema if word in _SHAPES and not _has_type(schema[word], _SHAPES[word])]
        for word in wrong:
            self._losses.add((*at, word), f"`{word}`: {schema[word]!r:.40}")
        return {word: value for word, value in schema.items() if word not in wrong} if wrong else schema

    def _flat(self, schema: Any, at: At) -> Mapping[str, Any]:
        """The schema with its ``$ref`` and ``allOf`` merged into it."""
        if not isinstance(schema, Mapping):
            return {}
        ref = schema.get("$ref")
        if isinstance(ref, str):
            if len(self._open) > _DEEPEST or ref in self._open:
                self._losses.add(at, f"{ref} contains itself")
                return {}
            self._open.append(ref)
            try:
                target = self._flat(self.resolve({"$ref": ref}, at), at)
            finally:
                self._open.pop()
            whole: dict[str, Any] = {}
            self._merge(whole, target, at, quietly=True)
            self._merge(whole, {word: value for word, value in schema.items() if word != "$ref"}, at, quietly=True)
            return whole
        flat = self.merged(schema, at)
        return self._flat(flat, at) if "$ref" in flat else flat

    def _variants(self, options: list[Mapping[str, Any]]) -> dict[str, Any]:
        """One object for several alternatives: the fields of all, required if all require them.

        If every alternative has roles, so does each field that not all of them have, or require.
        """
        properties: dict[str, Any] = {}
        required: list[str] = []
        named = all(option.get(_ROLES) for option in options)
        for name in dict.fromkeys(name for option in options for name in option.get("properties", ())):
            having = [option for option in options if name in option.get("properties", ())]
            demanding = [option for option in having if name in option.get("required", ())]
            shapes = [option["properties"][name] for option in having]
            field = shapes[0] if all(shape == shapes[0] for shape in shapes) else {"allOf": shapes}
            if len(demanding) == len(options):
                required.append(name)
            elif named:
                words = {_ROLES: having if len(having) < len(options) else [], "x-required-by": demanding}
                said = {word: _roles(of) for word, of in words.items() if of}
                field = {"allOf": [field], **said} if said else field
            properties[name] = field
        return {"type": "object", "properties": properties, **({"required": required} if required else {})}

    def _merge(self, into: dict[str, Any], schema: Mapping[str, Any], at: At, *, quietly: bool = False) -> None:
        """Merges ``schema`` into ``into``; ``quietly`` (keywords beside a reference) replaces without a report."""
        for word, value in schema.items():
            if word == "properties":
                fields = into["properties"] = dict(into.get("properties", {}))
                for name, inner in value.items():
                    fields[name] = {"allOf": [fields[name], inner]} if name in fields else inner
            elif word in ("items", "additionalProperties") and _both_shapes(into.get(word), value):
                into[word] = {"allOf": [into[word], value]}
            elif word == "required":
                into["required"] = [*dict.fromkeys([*into.get("required", ()), *value])]
            else:
                if word in into and into[word] != value and word not in _ANNOTATIONS and not quietly:
                    self._losses.add((*at, "allOf"), f"`{word}` has two values: {into[word]!r:.40} and {value!r:.40}")
                into[word] = value

    def _follow(self, ref: str, at: At) -> Any:
        if not ref.startswith("#"):
            self._losses.add(at, f"the `$ref` {ref!r} leads out of the document")
            return {}
        node: Any = self.document
        for part in unquote(ref[1:]).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and name.isascii() and name.isdigit() and int(name) < len(node):
                node = node[int(name)]
            elif isinstance(node, Mapping) and name in node:
                node = node[name]
            else:
                self._losses.add(at, f"the `$ref` {ref!r} names nothing")
                return {}
        return node


def _has_type(value: Any, shape: tuple[tuple[type, ...], type]) -> bool:
    outer, inner = shape
    return isinstance(value, outer) and (not isinstance(value, list) or all(isinstance(item, inner) for item in value))


def _both_shapes(one: Any, other: Any) -> bool:
    return isinstance(one, Mapping) and isinstance(other, Mapping) and one != other


def _roles(options: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(role for option in options for role in option[_ROLES]))


def _all_objects(options: Iterable[Any]) -> bool:
    return all(
        isinstance(option, Mapping) and (option.get("type") == "object" or "properties" in option) for option in options
    )


def as_mapping(raw: Any) -> Mapping[str, Any]:
    """``raw`` if it is a mapping; else an empty one, since a document may be wrong anywhere."""
    return raw if isinstance(raw, Mapping) else {}


def as_list(raw: Any) -> list[Any]:
    """``raw`` if it is a list; else an empty one."""
    return raw if isinstance(raw, list) else []
