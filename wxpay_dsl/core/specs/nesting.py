"""Finds where a JSON or YAML text is nested too deeply, since the limits and messages of parsers differ by version."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

__all__ = ["first_deeper_in_json", "first_deeper_in_yaml"]

_BRACKETS: Final = re.compile(r"[\[{]|[\]}]")
#: A string of JSON, closed or not, or a bracket outside of strings.
_JSON: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)


def first_deeper_in_yaml(text: str, most: int, loader: Any) -> Any:
    """The mark of the first collection that is nested more than ``most`` levels deep, or None.

    For a text that the parser has refused. A parser reads ahead, so it may refuse flow collections for their depth
    before it emits the events by which a caller counts. Here it gets the text only up to the bracket that exceeds
    ``most``, and emits the events until there.
    """
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > most:
            text = text[: bracket.end()]
            break
    else:
        return None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > most:
                    return event.start_mark
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (yaml.YAMLError, UnicodeEncodeError):
        pass  # the text was cut, or was wrong before that
    return None


def first_deeper_in_json(text: str, most: int) -> tuple[int, int] | None:
    """Line and column, from 1, of the first array or object that is nested more than ``most`` levels deep, or None."""
    depth = 0
    for token in _JSON.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth > most:
                at = token.start()
                return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        elif token[0] in ("]", "}"):
            depth -= 1
    return None
