"""Reads the text of an OpenAPI document, JSON or YAML, within bounds, since it may be hostile."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import yaml

from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.specs.nesting import first_deeper_in_json, first_deeper_in_yaml
from wxpay_dsl.core.specs.yaml12 import forbidden_character

__all__ = ["parse"]

#: Values in a document, at most; the largest known one has a fifth of that.
_MOST: Final = 1_000_000
#: Levels of nesting, at most; the deepest known document has 28.
_LEVELS: Final = 200
_TOO_DEEP: Final = f"nested more than {_LEVELS} levels deep"


def parse(text: str | bytes, file: str = "") -> Mapping[str, Any]:
    """Parses JSON or YAML (1.2's scalars, anchors allowed) into a mapping. Raises SpecError."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SpecError(f"not UTF-8 (byte {error.start})", file) from None
    form = "JSON" if text.lstrip().startswith("{") else "YAML"
    try:
        document = _from_json(text, file) if form == "JSON" else _with_text_keys(_from_yaml(text, file), [_MOST], 0)
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
        raise SpecError("not an OpenAPI document: it is not a mapping", file)
    return document


def _from_json(text: str, file: str) -> Any:
    """Counts the levels first, since the limit of Python's reader differs by version and platform."""
    if deeper := first_deeper_in_json(text, _LEVELS):
        raise SpecError(f"not JSON: {_TOO_DEEP}", file, *deeper)
    return json.loads(text, parse_int=_integer)


def _from_yaml(text: str, file: str) -> Any:
    """Counts the levels first, since libyaml builds them by recursion, which crashes the process if too deep."""
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
    """An error's message on one line of at most 200 characters, since it may quote the document."""
    text = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _with_text_keys(value: Any, left: list[int], level: int) -> Any:
    """``value`` with every key as a string, since YAML reads the `200` of a response as a number.

    Anchors are expanded. ``left`` holds how many values more that may give, ``level`` is the depth of ``value``.
    """
    if level > _LEVELS:
        raise yaml.YAMLError(f"its anchors nest more than {_LEVELS} levels deep, or contain themselves")
    left[0] -= 1
    if left[0] < 0:
        raise yaml.YAMLError(f"its anchors expand to more than {_MOST} values")
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key): _with_text_keys(inner, left, level + 1)
            for key, inner in value.items()
        }
    return [_with_text_keys(inner, left, level + 1) for inner in value] if isinstance(value, list) else value


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the class is looked up
    """Loads JSON's types, with the scalars of YAML 1.2: a date or a `no` is a string; other tags are errors."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merges the mappings of `<<`, keeping each key once, since merges of merges would grow exponentially."""
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
