"""Reads YAML 1.2 with JSON's scalars, for specs; errors have line and column.

``no``, ``2020-03-19``, ``0700`` and ``12:30:00`` are strings; only ``true``, ``false``, ``null`` and JSON numbers are
not. Duplicate keys, anchors, tags, several documents and deep nesting are errors. The events of libyaml are read
directly and without recursion: 22 MB/s, where PyYAML's constructor reads 4.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from wxpay_dsl.core.errors import SpecError

from .nesting import first_deeper_in_yaml
from .spec_bytes import MAX_BYTES

__all__ = ["MAX_BYTES", "MAX_DEPTH", "forbidden_character", "locate", "read"]

#: Levels of nesting, at most; the largest known spec has 24.
MAX_DEPTH = 64

_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
#: A plain value may not begin with one of the first three, nor contain a colon before a space.
_RESERVED = ("@", "`", "%", ":")
_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMERIC_START = frozenset("-0123456789")
#: Python converts no longer run of digits to a number (sys.get_int_max_str_digits); longer ones stay strings.
_MAX_DIGITS = 4300
#: Characters that YAML does not allow.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Line breaks in YAML 1.1, and so in libyaml, but not in 1.2 and JSON: ambiguous, so refused.
_OLD_BREAKS = ("\x85", "\u2028", "\u2029")
_NO_KEY = object()


def scalar(text: str) -> Any:
    """The value of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC_START:
        if _INTEGER.match(text):
            return int(text) if len(text) <= _MAX_DIGITS else text
        if _NUMBER.match(text):
            number = float(text)
            return number if math.isfinite(number) else text
    return text


def read(text: str | bytes, file: str = "") -> Any:
    """The document in ``text`` as dicts, lists and scalars; None if there is none.

    Raises :class:`SpecError` with file, line and column for what is not well-formed, or not in this subset.
    """
    decoded = _decode(text, file)
    root: list[Any] = []
    # The open collections, and for each the key of its container that waits for its value.
    stack: list[Any] = [root]
    key: Any = _NO_KEY
    keys: list[Any] = []
    opened: dict[str, Any] | list[Any] | None
    documents = 0
    for event in _events(decoded, file):
        kind = type(event)
        if kind is ScalarEvent:
            value = scalar(event.value) if event.implicit[0] else event.value
            if event.tag is not None or event.anchor is not None:
                raise _unsupported(event, file)
            opened = None
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.tag is not None or event.anchor is not None:
                raise _unsupported(event, file)
            value = opened = {} if kind is MappingStartEvent else []
            if len(stack) > MAX_DEPTH:
                raise _error(_TOO_DEEP, file, event.start_mark)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            stack.pop()
            key = keys.pop()
            continue
        elif kind is AliasEvent:
            raise _unsupported(event, file)
        else:
            if kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise _error("a second document: a file may have only one", file, event.start_mark)
            continue

        container = stack[-1]
        if type(container) is list:
            container.append(value)
        elif key is _NO_KEY:
            if opened is not None:
                raise _error("a mapping or list cannot be a key", file, event.start_mark)
            # Keys are always strings: `no:`, `200:` and `null:` are names of fields.
            key = event.value
            if key in container:
                raise _error(f"the key {key!r} is given twice", file, event.start_mark)
            continue
        else:
            container[key] = value
            key = _NO_KEY
        if opened is not None:
            stack.append(opened)
            keys.append(key)
            key = _NO_KEY
    return root[0] if root else None


def locate(text: str | bytes, path: tuple[str | int, ...], file: str = "") -> tuple[int, int]:
    """Line and column, from 1, of the deepest part of ``path`` that exists: of its key in a mapping.

    Parses the text again: only errors need positions, so :func:`read` keeps none.
    """
    found = (1, 1)
    at: list[str | int] = []
    depth_matched = 0
    counters: list[int | None] = []  # None in a mapping, the next index in a list
    key: str | None = None
    for event in _events(_decode(text, file), file):
        kind = type(event)
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            counters.pop()
            if at:
                at.pop()
            key = None
            continue
        if kind not in (ScalarEvent, MappingStartEvent, SequenceStartEvent):
            continue
        if counters and counters[-1] is None and key is None and kind is ScalarEvent:
            key = event.value
            here = (*at, key)
            if here == path[: len(here)] and len(here) > depth_matched:
                depth_matched, found = len(here), (event.start_mark.line + 1, event.start_mark.column + 1)
            continue
        part: str | int | None = key
        if counters and counters[-1] is not None:
            part = counters[-1]
            counters[-1] += 1
            here = (*at, part)
            if here == path[: len(here)] and len(here) > depth_matched:
                depth_matched, found = len(here), (event.start_mark.line + 1, event.start_mark.column + 1)
        key = None
        if kind is not ScalarEvent:
            if counters and part is not None:
                at.append(part)
            counters.append(0 if kind is SequenceStartEvent else None)
    return found


def _decode(text: str | bytes, file: str) -> str:
    if len(text) > MAX_BYTES:
        raise SpecError(f"larger than {MAX_BYTES} bytes", file)
    if isinstance(text, bytes):
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            line, column = _position(text[: error.start].decode("utf-8"))
            message = f"not UTF-8 (byte 0x{text[error.start]:02x}): save the file as UTF-8"
            raise SpecError(message, file, line, column) from None
    else:
        decoded = text
    # Some Windows editors write a byte order mark before UTF-8; it has no meaning here.
    decoded = decoded.removeprefix("\ufeff")
    for character in _OLD_BREAKS:
        if character in decoded:
            raise _forbidden(decoded, decoded.index(character), file, "write it as an escape in double quotes")
    return decoded


def _events(text: str, file: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        if deeper := first_deeper_in_yaml(text, MAX_DEPTH, _LOADER):
            raise _error(_TOO_DEEP, file, deeper) from None
        mark = error.problem_mark or error.context_mark
        raise _error(_problem(error, text, mark), file, mark) from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise forbidden_character(text, file) or SpecError(f"not YAML: {error}", file) from None


def _problem(error: yaml.MarkedYAMLError, text: str, mark: Any) -> str:
    """libyaml's message, and for common mistakes what to do, which is derived from the text."""
    problem = str(error.problem or error.context or "not YAML")
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    character = line[mark.column : mark.column + 1] if mark else ""
    if character == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        return f"{problem}: a tab; indent with spaces"
    if line.startswith("%"):
        return f"{problem}: a directive; remove the line"
    if line[: mark.column if mark else 0].endswith(("\\x", "\\u", "\\U")):
        return f"{problem}: no character has this escape"
    if character in _RESERVED:
        return f"{problem}: {character}; put the value in quotes"
    if mark and not line[mark.column :].strip() and not "".join(lines[mark.line + 1 :]).strip():
        return f"{problem}: the text ends here; close what is open"
    return problem


def forbidden_character(text: str, file: str) -> SpecError | None:
    """The error for the first character that YAML does not allow; None if there is none."""
    found = _FORBIDDEN.search(text)
    return _forbidden(text, found.start(), file, "remove it") if found else None


def _forbidden(text: str, index: int, file: str, remedy: str) -> SpecError:
    line, column = _position(text[:index])
    return SpecError(f"the character U+{ord(text[index]):04X} is not allowed: {remedy}", file, line, column)


def _position(before: str) -> tuple[int, int]:
    """Line and column, from 1, of the position after ``before``."""
    lines = re.split("\r\n|\r|\n", before)
    return len(lines), len(lines[-1].removeprefix("\ufeff")) + 1


def _unsupported(event: Any, file: str) -> SpecError:
    if getattr(event, "tag", None) is not None:
        return _error(f"the tag {event.tag!r} is not allowed: specs are plain data", file, event.start_mark)
    return _error("anchors and aliases are not allowed: use `$ref`", file, event.start_mark)


def _error(message: str, file: str, mark: Any) -> SpecError:
    return SpecError(message, file, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0)
