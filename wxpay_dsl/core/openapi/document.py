"""Reads the text of an OpenAPI document, JSON or YAML, within bounds: it may come from anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from wxpay_dsl.core.errors import SpecError

__all__ = ["parse"]

#: Values in a document: the largest known one has a fifth of it.
_MOST: Final = 1_000_000
#: Levels of a document; the deepest known one has 28.
_LEVELS: Final = 200


def parse(text: str | bytes, file: str = "") -> Mapping[str, Any]:
    """An OpenAPI document from JSON or YAML (1.2's scalars, anchors allowed). Raises SpecError."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SpecError(f"not UTF-8 (byte {error.start})", file) from None
    form = "JSON" if text.lstrip().startswith("{") else "YAML"
    try:
        document = json.loads(text) if form == "JSON" else _texts(_from_yaml(text, file), [_MOST])
    except json.JSONDecodeError as error:
        raise SpecError(f"not JSON: {error.msg}", file, error.lineno, error.colno) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number of more digits than Python reads
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise SpecError(f"not {form}: {_problem(error)}", file, line, column) from None
    if not isinstance(document, Mapping):
        raise SpecError("not an OpenAPI document: it is no mapping", file)
    return document


def _from_yaml(text: str, file: str) -> Any:
    """The levels are counted first: libyaml builds them by recursion, which ends the process, not the call."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _LEVELS:
                mark = event.start_mark
                where = (mark.line + 1, mark.column + 1) if mark else (0, 0)
                raise SpecError(f"not YAML: nested more than {_LEVELS} levels deep", file, *where)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (it is a safe loader)


def _problem(error: Exception) -> str:
    """The sentence of an error on one line of bounded length, whatever of the document it repeats."""
    text = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _texts(value: Any, left: list[int]) -> Any:
    """The same with every key as text: YAML reads the `200` of a response as a number.

    What anchors share is written out; ``left`` holds how many values more that may make.
    """
    left[0] -= 1
    if left[0] < 0:
        raise yaml.YAMLError(f"its anchors make more than {_MOST} values of it")
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): _texts(inner, left) for key, inner in value.items()}
    return [_texts(inner, left) for inner in value] if isinstance(value, list) else value


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
_CONSTRUCTORS: Final[Mapping[str, Any]] = {
    "bool": lambda loader, node: loader.construct_scalar(node).lower() == "true",
    "int": lambda loader, node: int(loader.construct_scalar(node)),
    "float": lambda loader, node: float(loader.construct_scalar(node)),
}
_KEPT: Final = ("null", "str", "seq", "map")
_Loader.yaml_constructors = {
    **{kind: yaml.SafeLoader.yaml_constructors[kind] for kind in (None, *(_TAG + name for name in _KEPT))},
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
