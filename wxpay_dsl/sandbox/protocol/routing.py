"""Finds the operation that the specs declare for a method and a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from attrs import field, frozen

from .messages import Refusal

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Branch, Declared, Tree
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["Route", "find"]


@frozen
class Route:
    """An operation and its path's parameters (percent-decoded; those marked ``encoded`` as sent)."""

    operation: Operation
    parameters: Mapping[str, str] = field(repr=False)


def find(tree: Tree, method: str, path: str) -> Route:
    """The operation at a raw path. Raises Refusal 404 if there is none, 405 if the path has only other verbs."""
    segments = path.split("/")[1:]
    verb = method.lower()
    allowed: set[str] = set()
    for prefix in dict.fromkeys(tree.chains.values()):
        root = tree.find(prefix)
        for branch in _matches(root, segments) if root is not None else ():
            declared = branch.verbs.get(verb)
            # A dialect with a prefix in the chain serves other paths than the names below that prefix suggest.
            if declared is not None and tree.chains.get(declared.file.dialect, ()) == prefix:
                return _route(declared, segments)
            allowed |= branch.verbs.keys()
    if allowed:
        headers = {"Allow": ", ".join(sorted(verb.upper() for verb in allowed))}
        raise Refusal(405, "INVALID_REQUEST", f"请求方法不支持: {method} {path[:200]}", headers=headers, signed=False)
    raise Refusal(404, "RESOURCE_NOT_EXISTS", f"请求的接口不存在: {method} {path[:200]}", signed=False)


def _matches(branch: Branch, segments: list[str], position: int = 0) -> Iterator[Branch]:
    """The branches that a path matches; a literal segment takes precedence over a template."""
    if position == len(segments):
        if branch.verbs:
            yield branch
        return
    segment = segments[position]
    literal = branch.children.get(segment)
    if literal is not None and not segment.startswith("{"):
        yield from _matches(literal, segments, position + 1)
    if segment:
        for template in branch.templates():
            yield from _matches(branch.children[template], segments, position + 1)


def _route(declared: Declared, segments: list[str]) -> Route:
    operation = declared.operation()
    names = operation.path.split("/")[1:]
    fields = operation.parameters.properties
    parameters = {}
    for name, segment in zip(names, segments, strict=True):
        if name.startswith("{"):
            schema = fields.get(name[1:-1])
            parameters[name[1:-1]] = segment if schema is not None and schema.encoded else unquote(segment)
    return Route(operation, parameters)
