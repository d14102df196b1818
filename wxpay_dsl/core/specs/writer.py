"""Writes specs as YAML in a stable order, with quotes only where :mod:`.yaml12` needs them.

Reading the text gives equal values. A field that fits on a line is written on one
(``due_date: {title: Due date, format: date}``), one with only a title as that title; all else is indented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from unicodedata import east_asian_width

from .grammar import EVENT_KEYWORDS, FILE_KEYWORDS, OPERATION_KEYWORDS, SPEC_KEYWORDS
from .model import SECTIONS, VERBS
from .yaml12 import scalar as read_scalar

__all__ = ["WIDTH", "write"]

#: Columns of a line, where possible; a wide character (Chinese, say) takes two.
WIDTH: Final = 110

_STEP: Final = "  "
#: Definitions come last.
_FILE_ORDER: Final = (*(word for word in FILE_KEYWORDS if word != "definitions"), "definitions")
#: Type and constraints come first, the example late, inner fields last.
_FIELD_ORDER: Final = (
    *("$ref", "title", "description", "type", "format", "enum", "pattern"),
    *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
    *("contentMediaType", "contentEncoding", "nullable", "encrypted", "media", "encoded", "deprecated"),
    *("roles", "required_by", "doubt"),
    *("default", "example", "additionalProperties", "items", "properties"),
)
_SECTION_WORDS: Final = frozenset((*SECTIONS, "returns", "resource"))

#: A number, a boolean or null to some version of YAML: quoted, so that every reader takes it for text.
_AMBIGUOUS: Final = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z|0[xob][0-9A-Fa-f_]+\Z"
    r"|[-+]?\.(?:inf|nan)\Z|(?:true|false|null|~)\Z",
    re.IGNORECASE,
)
#: A plain scalar may not begin with these, nor contain `: ` or ` #`; inside braces it may not contain `,[]{}` either.
_INDICATORS: Final = frozenset("-?:,[]{}#&*!|>'\"%@`=<")
_FLOW: Final = re.compile(r"[,\[\]{}]|:$|\?")
_BROKEN: Final = re.compile(r": |:\Z| #|\A---|\A\.\.\.")
_UNPRINTABLE: Final = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
#: Characters that YAML needs escaped, and JSON does not.
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def write(spec: Mapping[str, Any], schema: str = "") -> str:
    """The text of a spec file, or of a file of definitions, from its values.

    ``schema`` is the path of ``spec.schema.json`` relative to the file, for the comment by which editors find it.
    """
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    if any(word in spec for word in SPEC_KEYWORDS):
        for word, value in _sorted(spec, _FILE_ORDER):
            lines += _file_word(word, value)
    else:
        lines += _fields(spec, "")
    return "\n".join(lines) + "\n"


def _file_word(word: str, value: Any) -> Iterator[str]:
    if not value or word not in ("definitions", "operations", "events"):
        yield from _entry(word, value, "")
        return
    yield f"{word}:"
    for name, inner in value.items():
        if word == "definitions":
            yield from _field(name, inner, _STEP)
        elif word == "events":
            yield from _words(name, inner, EVENT_KEYWORDS, _STEP)
        else:
            yield f"{_STEP}{_text(name)}:"
            for verb, words in _sorted(inner, VERBS):
                yield from _words(verb, words, OPERATION_KEYWORDS, _STEP * 2)


def _words(name: str, words: Any, order: Iterable[str], indent: str) -> Iterator[str]:
    """An operation or an event."""
    if not words:
        yield f"{indent}{_text(name)}: {{}}"
        return
    yield f"{indent}{_text(name)}:"
    deeper = indent + _STEP
    for word, value in _sorted(words, order):
        if word in _SECTION_WORDS and value:
            yield from _section(word, value, deeper)
        elif word == "docs":
            yield from _block(word, value, deeper)
        else:
            yield from _entry(word, value, deeper)


def _section(word: str, value: Mapping[str, Any], indent: str) -> Iterator[str]:
    if "$ref" in value:
        yield from _field(word, value, indent)
    else:
        yield f"{indent}{word}:"
        yield from _fields(value, indent + _STEP)


def _fields(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in fields.items():
        yield from _field(name, value, indent)


def _field(name: str, value: Any, indent: str) -> Iterator[str]:
    """One field: its title, its words on one line, or its words on a line each."""
    if not isinstance(value, dict):
        yield from _entry(name, value, indent)
        return
    words = dict(_sorted(value, _FIELD_ORDER))
    if not _has_fields(words):
        line = f"{indent}{_text(name)}: {_flow(words)}"
        if not words or _fits(line):
            yield line
            return
    yield f"{indent}{_text(name)}:"
    deeper = indent + _STEP
    for word, inner in words.items():
        if word == "properties" and inner:
            yield f"{deeper}properties:"
            yield from _fields(inner, deeper + _STEP)
        elif word in ("items", "additionalProperties") and isinstance(inner, dict):
            yield from _field(word, inner, deeper)
        else:
            yield from _entry(word, inner, deeper)


def _has_fields(words: Mapping[str, Any]) -> bool:
    """Whether there are inner fields, which are written on their own lines."""
    if words.get("properties"):
        return True
    inner = (words.get("items"), words.get("additionalProperties"))
    return any(isinstance(value, dict) and _has_fields(value) for value in inner)


def _entry(name: str, value: Any, indent: str) -> Iterator[str]:
    """``name: value`` for any value, on one line if it fits."""
    key = f"{indent}{_text(name)}:"
    if value is None:
        yield key
        return
    if isinstance(value, str):
        if "\n" in value and _literal(value):
            yield f"{key} |{'' if value.endswith(chr(10)) else '-'}"
            for line in value.removesuffix("\n").split("\n"):
                yield f"{indent}{_STEP}{line}" if line else ""
            return
        line = f"{key} {_text(value)}"
        if not _fits(line) and _foldable(value):
            yield f"{key} >-"
            yield from _folded(value, indent + _STEP)
            return
        yield line
        return
    line = f"{key} {_flow(value)}"
    if _fits(line) or not isinstance(value, (dict, list)) or not value:
        yield line
    else:
        yield from _block(name, value, indent)


def _block(name: str, value: Any, indent: str) -> Iterator[str]:
    """A list or mapping with one line for each item."""
    if not value:
        yield f"{indent}{_text(name)}: {_flow(value)}"
        return
    yield f"{indent}{_text(name)}:"
    deeper = indent + _STEP
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _entry(key, inner, deeper)
    else:
        for inner in value:
            yield f"{deeper}- {_text(inner) if isinstance(inner, str) else _flow(inner)}"


def _flow(value: Any) -> str:
    """Any value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(k, flow=True)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _text(value, flow=True)
    return json.dumps(value)


def _text(text: str, *, flow: bool = False) -> str:
    """A string, without quotes if it then reads back as itself."""
    if _UNPRINTABLE.search(text):
        quoted = json.dumps(text, ensure_ascii=False)
        return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
    plain = (
        text != ""
        and text == text.strip(" ")
        and text[0] not in _INDICATORS
        and not _BROKEN.search(text)
        and not (flow and _FLOW.search(text))
        and not _AMBIGUOUS.match(text)
        and read_scalar(text) == text
    )
    return text if plain else "'" + text.replace("'", "''") + "'"


def _literal(text: str) -> bool:
    """Whether a text of several lines can be written after ``|``."""
    lines = text.removesuffix("\n").split("\n")
    return (
        bool(lines[0])
        and bool(lines[-1])
        and not lines[0][0].isspace()
        and all(line == "" or line.strip(" \t") for line in lines)
        and not any(_UNPRINTABLE.search(line) for line in lines)
    )


def _foldable(text: str) -> bool:
    return " " in text and "  " not in text and text == text.strip(" ") and not _UNPRINTABLE.search(text)


def _folded(text: str, indent: str) -> Iterator[str]:
    line = indent
    for word in text.split(" "):
        if line != indent and not _fits(f"{line} {word}"):
            yield line
            line = indent
        line += word if line == indent else f" {word}"
    yield line


def _fits(line: str) -> bool:
    if len(line) * 2 <= WIDTH:
        return True
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in line) <= WIDTH


def _sorted(words: Mapping[str, Any], order: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The keywords in ``order``; unknown ones last, in their own order."""
    ranks = {word: rank for rank, word in enumerate(order)}
    yield from sorted(words.items(), key=lambda item: ranks.get(item[0], len(ranks)))
