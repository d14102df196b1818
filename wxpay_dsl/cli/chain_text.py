"""A chain written as text, ``v3.eduPapay.contracts.presign.post``, walked by the same nodes as in Python."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import click

from wxpay_dsl.core.chain import Node, Target
from wxpay_dsl.core.tree import Declared, Tree

__all__ = ["declared_by", "target_of"]

#: ``["literal"]``, ``{template}``, or a name; dots stand between names.
_STEP: Final = re.compile(r"""\[(?:"([^"]+)"|'([^']+)')\]|\.?(\{\w+\})|\.?([A-Za-z0-9_$-]+)""")
_FORMS: Final = 'a chain is names and dots, with ["…"] around a literal segment: v3.pay.transactions.id["4200"].get'


class _Aim:
    """A caller that sends nothing: what a chain means comes back as it is."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.targets: list[Target] = []

    @property
    def tree(self) -> Tree:
        return self._tree

    def call(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
        self.targets.append(target)
        return _nothing()


async def _nothing() -> None:
    return None


def target_of(tree: Tree, text: str) -> Target:
    """What calling the chain ``text`` would mean. Raises UsageError for text that is no chain."""
    aim = _Aim(tree)
    node = Node(aim)
    for literal, name in _steps(text):
        node = node[literal] if literal else _named(node, name)
    node().close()
    return aim.targets[0]


def declared_by(tree: Tree, text: str) -> list[Declared]:
    """Every declared operation that ``text`` names: a chain with its verb, a chain without, or a URL's path."""
    if text.startswith("/"):
        return [declared for declared in tree.declared() if declared.path == text.rstrip("/")]
    target = target_of(tree, text)
    ends_in_verb = len(_steps(text)) > len(target.segments)
    branch = tree.find(target.segments)
    if branch is not None and not ends_in_verb:
        return list(branch.walk()) if not branch.verbs else list(branch.verbs.values())
    return [target.declared] if target.declared is not None else []


def _steps(text: str) -> list[tuple[str, str]]:
    """Each step as ``(literal, name)``, one of them empty."""
    text = text.strip().removeprefix("wxpay.")
    steps: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise click.UsageError(f"{text!r} is no chain, from {text[position:]!r} on: {_FORMS}")
        double, single, template, name = step.groups()
        steps.append((double or single or template or "", name or ""))
        position = step.end()
    if not steps:
        raise click.UsageError(f"the chain is empty: {_FORMS}")
    return steps


def _named(node: Node, name: str) -> Node:
    try:
        found = getattr(node, name)
    except AttributeError as error:
        raise click.UsageError(f"{name!r} is no segment: {error}") from None
    if isinstance(found, Node):
        return found
    if name.startswith("_"):
        raise click.UsageError(f"{name!r} is no segment of a path")
    # The few names that a node keeps for itself are segments all the same.
    return node[name]
