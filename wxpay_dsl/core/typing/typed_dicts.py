"""Generates TypedDicts from schemas: the types of requests and responses in the stubs."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wxpay_dsl.core.chain.describe import role_notes
from wxpay_dsl.core.specs.model import Schema

__all__ = ["Fields", "Types", "literal"]

#: ``{name: (annotation, required, title)}``
Fields = Mapping[str, tuple[str, bool, str]]
#: The most values of a union of literals; a longer one is not readable.
_LITERALS = 24


class Types:
    """The TypedDicts of one module. Equal shapes share one class, under the first name."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._shapes: dict[Any, str] = {}
        self._names: set[str] = set()
        self._functional: set[str] = set()

    @property
    def lines(self) -> list[str]:
        """The source lines of the classes; each class follows those that it uses."""
        return self._lines

    def name(self, wanted: str) -> str:
        """``wanted``, with a number appended if another class has that name."""
        name, number = wanted, 2
        while name in self._names:
            name, number = f"{wanted}{number}", number + 1
        self._names.add(name)
        return name

    def is_class(self, name: str) -> bool:
        """Whether a TypedDict can be a base of keyword arguments, since all its keys are Python names."""
        return name not in self._functional

    def annotation(self, schema: Schema, name: str, *, request: bool) -> str:
        """The annotation of a value. Classes that it needs are added to :attr:`lines`."""
        annotation = self._bare(schema, name, request=request)
        return f"{annotation} | None" if schema.nullable and annotation != "Any" else annotation

    def _bare(self, schema: Schema, name: str, *, request: bool) -> str:
        kind = schema.type
        if kind == "object":
            if not schema.properties:
                if schema.additional is not None and schema.additional.type != "any":
                    return f"dict[str, {self.annotation(schema.additional, name + 'Value', request=request)}]"
                return "dict[str, Any]"
            return self.typed_dict(name, self.fields(schema, name, request=request), schema.title)
        if kind == "array":
            inner = "Any" if schema.items is None else self.annotation(schema.items, name + "Item", request=request)
            return f"list[{inner}]"
        if kind == "string":
            return _string_argument(schema) if request else "str"
        return {"integer": "int", "number": "float", "boolean": "bool"}.get(kind, "Any")

    def fields(
        self,
        schema: Schema,
        name: str,
        *,
        request: bool,
        auto_fields: Callable[[str], bool] = lambda name: False,
        spell: Callable[[str], str] = lambda name: name,
    ) -> Fields:
        """The fields of an object. Those that ``auto_fields`` accepts are optional, since the client fills them in."""
        return {
            spell(field): (
                self.annotation(below, name + camel(field), request=request),
                field in schema.required and not auto_fields(field),
                "; ".join(filter(None, (below.title, *role_notes(below)))),
            )
            for field, below in schema.properties.items()
        }

    def typed_dict(self, name: str, fields: Fields, title: str = "", bases: Iterable[str] = ()) -> str:
        """The name of a TypedDict with these fields."""
        bases = tuple(bases)
        if not fields and len(bases) == 1:
            return bases[0]
        shape = (tuple((field, *about[:2]) for field, about in fields.items()), bases)
        existing = self._shapes.get(shape)
        if existing is not None:
            return existing
        name = self._shapes[shape] = self.name(name)
        if not all(field.isidentifier() and not keyword.iskeyword(field) for field in fields):
            # A key that is not a Python name needs the functional syntax, which has no docstrings.
            inner = ", ".join(f"{literal(field)}: {_wrapped(about)}" for field, about in fields.items())
            self._functional.add(name)
            self._lines.append(f"{name} = TypedDict({literal(name)}, {{{inner}}})")
            return name
        self._lines.append(f"class {name}({', '.join(bases) or 'TypedDict'}):")
        if title:
            self._lines.append(f"    {docstring(title)}")
        if not fields and not title:
            self._lines.append("    pass")
        for field, about in fields.items():
            self._lines.append(f"    {field}: {_wrapped(about)}")
            if about[2]:
                self._lines.append(f"    {docstring(about[2])}")
        return name


def _string_argument(schema: Schema) -> str:
    """The annotation of a string in a request: a file, the JSON that it holds, its published values, or any string."""
    if schema.format == "binary":
        return "FileSource"
    if schema.media_type == "application/json":
        return "str | dict[str, Any] | list[Any]"
    if 0 < len(schema.enum) <= _LITERALS and all(isinstance(word, str) for word in schema.enum):
        # The published values are for completion; any string is allowed, since the list may be out of date.
        return f"Literal[{', '.join(map(literal, schema.enum))}] | str"
    return "str"


def _wrapped(about: tuple[str, bool, str]) -> str:
    annotation, required, _ = about
    return annotation if required else f"NotRequired[{annotation}]"


def literal(text: str) -> str:
    """A Python string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


def docstring(text: str) -> str:
    """A one-line docstring as a Python literal."""
    cleaned = " ".join(text.replace("\\", "\\\\").replace('"""', "'''").split())
    return f'"""{cleaned}{" " if cleaned.endswith(chr(34)) else ""}"""'


def camel(name: str) -> str:
    """A name in camel case for classes: ``out_trade_no`` becomes ``OutTradeNo``."""
    words = "".join(letter if letter.isalnum() and letter.isascii() else " " for letter in name).split()
    return "".join(word[:1].upper() + word[1:] for word in words) or "Value"
