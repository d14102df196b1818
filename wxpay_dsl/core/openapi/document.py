"""Reads the text of an OpenAPI document, JSON or YAML, within bounds: it may come from anywhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import yaml

from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.nesting import first_deeper_in_json, first_deeper_in_yaml
from wxpay_dsl.core.yaml12 import forbidden_character

__all__ = ["parse"]

#: Values in a document: the largest known one has a fifth of it.
_MOST: Final = 1_000_000
#: Levels of a document; the deepest known one has 28.
_LEVELS: Final = 200
_TOO_DEEP: Final = f"nested more than {_LEVELS} levels deep"


def parse(text: str | bytes, file: str = "") -> Mapping[str, Any]:
    """An OpenAPI document from JSON or YAML (1.2's scalars, anchors allowed). Raises SpecError."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SpecError(f"not UTF-8 (byte {error.start})", file) from None
    form = "JSON" if text.lstrip().startswith("{") else "YAML"
    try:
        document = _from_json(text, file) if form == "JSON" else _texts(_from_yaml(text, file), [_MOST], 0)
    except json.JSONDecodeError as error:
        raise SpecError(f"not JSON: {error.msg}", file, error.lineno, error.colno) from None
    except (yaml.YAMLError, UnicodeEncodeError, ValueError) as error:
        if isinstance(error, yaml.reader.ReaderError | UnicodeEncodeError):
            raise forbidden_character(text, file) or SpecError(f"not YAML: {_problem(error)}", file) from None
        if form == "YAML" and (deeper := first_deeper_in_yaml(text, _LEVELS, _Loader)):
            raise SpecError(f"not YAML: {_TOO_DEEP}", file, deeper.line + 1, deeper.column + 1) from None
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise SpecError(f"not {form}: {_problem(error)}", file, line, column) from None
    if not isinstance(document, Mapping):
        raise SpecError("not an OpenAPI document: it is no mapping", file)
    return document


def _from_json(text: str, file: str) -> Any:
    """The levels are counted first: how deep Python's own reader goes differs by version and platform."""
    if deeper := first_deeper_in_json(text, _LEVELS):
        raise SpecError(f"not JSON: {_TOO_DEEP}", file, *deeper)
    return json.loads(text, parse_int=_integer)


def _from_yaml(text: str, file: str) -> Any:
    """The levels are counted first: libyaml builds them by recursion, which ends the process, not the call."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _LEVELS:
                mark = event.start_mark
                where = (mark.line + 1, mark.column + 1) if mark else (0, 0)
                raise SpecError(f"not YAML: {_TOO_DEEP}", file, *where)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (it is a safe loader)


def _problem(error: Exception) -> str:
    """The sentence of an error on one line of bounded length, whatever of the document it repeats."""
    text = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _texts(value: Any, left: list[int], level: int) -> Any:
    """The same with every key as text: YAML reads the `200` of a response as a number.

    What anchors share is written out; ``left`` holds how many values more that may make; ``level`` is how deep
    this one is.
    """
    if level > _LEVELS:
        raise yaml.YAMLError(f"its anchors nest more than {_LEVELS} levels deep, or within themselves")
    left[0] -= 1
    if left[0] < 0:
        raise yaml.YAMLError(f"its anchors make more than {_MOST} values of it")
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key): _texts(inner, left, level + 1)
            for key, inner in value.items()
        }
    return [_texts(inner, left, level + 1) for inner in value] if isinstance(value, list) else value


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the class is looked up
    """JSON's data, with the scalars of YAML 1.2: a date or a `no` is text, and a tag of anything else an error."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merges what `<<` names; once for each key, or merges of merges would redouble it."""
        super().flatten_mapping(node)
        if any(isinstance(key, yaml.ScalarNode) for key, _ in node.value):
            last = {
                key.value if isinstance(key, yaml.ScalarNode) else id(key): (key, value) for key, value in node.value
            }
            node.value = list(last.values())


_TAG: Final = "tag:yaml.org,2002:"


def _integer(text: str) -> int:
    most = sys.get_int_max_str_digits()
    if most and len(text.lstrip("+-")) > most:
        raise ValueError(f"a number of more than {most} digits")
    return int(text)


def _scalar(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag!r} is for one value", node.start_mark)
    return str(node.value)


def _refuse_tag(_: Any, node: yaml.Node) -> Any:
    raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag!r} is not allowed", node.start_mark)


_CONSTRUCTORS: Final[Mapping[str, Any]] = {
    "bool": lambda _, node: _scalar(node).lower() == "true",
    "int": lambda _, node: _integer(_scalar(node)),
    "float": lambda _, node: float(_scalar(node)),
}
_KEPT: Final = ("null", "str", "seq", "map")
_Loader.yaml_constructors = {
    None: _refuse_tag,
    **{_TAG + name: yaml.SafeLoader.yaml_constructors[_TAG + name] for name in _KEPT},
    **{_TAG + name: construct for name, construct in _CONSTRUCTORS.items()},
}
_Loader.yaml_implicit_resolvers = {}
for _name, _form, _first in (
    ("merge", r"<<\Z", "<"),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+\Z", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", "-+0123456789."),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_form), _first)
