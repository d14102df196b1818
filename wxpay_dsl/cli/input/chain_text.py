"""Parses a chain written as text, ``v3.eduPapay.contracts.presign.post``, with the nodes that Python code uses."""

from __future__ import annotations

import re
from typing import Final

import click

from wxpay_dsl.core.chain.node import Caller, Node, Target, node_target
from wxpay_dsl.core.chain.tree import Declared

__all__ = ["declared_operations", "node_of", "target_of"]

#: ``["literal"]``, ``{template}``, or a name; dots stand between names.
_STEP: Final = re.compile(r"""\[(?:"([^"]+)"|'([^']+)')\]|\.?(\{\w+\})|\.?([A-Za-z0-9_$-]+)""")
_SYNTAX: Final = 'a chain is names and dots, with ["…"] around a literal segment: v3.pay.transactions.id["4200"].get'


def target_of(caller: Caller, text: str) -> Target:
    """The target that a call of the chain ``text`` has. Raises UsageError if ``text`` is not a chain."""
    return node_target(_walk(caller, _steps(text)))


def node_of(caller: Caller, text: str) -> Node:
    """The node at the chain ``text``; the root if it is empty. Raises UsageError if ``text`` is not a chain."""
    return _walk(caller, _steps(text) if text else [])


def declared_operations(caller: Caller, text: str) -> list[Declared]:
    """The declared operations that ``text`` names: a chain with or without a verb, or a URL path.

    A chain that only leads to endpoints names all of them. Raises UsageError if ``text`` is not a chain.
    """
    tree = caller.tree
    if text.startswith("/"):
        return [declared for declared in tree.declared() if declared.path == text.rstrip("/")]
    target = target_of(caller, text)
    ends_in_verb = len(_steps(text)) > len(target.segments)
    branch = tree.find(target.segments)
    if branch is not None and not ends_in_verb:
        return list(branch.walk()) if not branch.verbs else list(branch.verbs.values())
    return [target.declared] if target.declared is not None else []


def _walk(caller: Caller, steps: list[tuple[str, str]]) -> Node:
    node = Node(caller)
    for literal, name in steps:
        node = node[literal] if literal else _child(node, name)
    return node


def _steps(text: str) -> list[tuple[str, str]]:
    """The segments of a chain, each as ``(literal, name)`` of which one is empty. Raises UsageError."""
    text = text.strip().removeprefix("wxpay.")
    steps: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise click.UsageError(f"{text!r} is not a chain, from {text[position:]!r} on: {_SYNTAX}")
        double, single, template, name = step.groups()
        steps.append((double or single or template or "", name or ""))
        position = step.end()
    if not steps:
        raise click.UsageError(f"the chain is empty: {_SYNTAX}")
    return steps


def _child(node: Node, name: str) -> Node:
    below = getattr(node, name, None)
    if not isinstance(below, Node):
        raise click.UsageError(f"{name!r} is not a segment of a path: {_SYNTAX}")
    return below
