"""A chain written as text, ``v3.eduPapay.contracts.presign.post``, walked by the same nodes as in Python."""

from __future__ import annotations

import re
from typing import Final

import click

from wxpay_dsl.core.chain.node import Caller, Node, Target, node_target
from wxpay_dsl.core.chain.tree import Declared

__all__ = ["declared_by", "node_of", "target_of"]

#: ``["literal"]``, ``{template}``, or a name; dots stand between names.
_STEP: Final = re.compile(r"""\[(?:"([^"]+)"|'([^']+)')\]|\.?(\{\w+\})|\.?([A-Za-z0-9_$-]+)""")
_FORMS: Final = 'a chain is names and dots, with ["…"] around a literal segment: v3.pay.transactions.id["4200"].get'


def target_of(caller: Caller, text: str) -> Target:
    """What calling the chain ``text`` would mean. Raises UsageError for text that is no chain."""
    return node_target(_walk(caller, _steps(text)))


def node_of(caller: Caller, text: str) -> Node:
    """The node at the chain ``text``, the root for none. Raises UsageError for text that is no chain."""
    return _walk(caller, _steps(text) if text else [])


def declared_by(caller: Caller, text: str) -> list[Declared]:
    """Every declared operation that ``text`` names: a chain with its verb, a chain without, or a URL's path."""
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
        node = node[literal] if literal else _named(node, name)
    return node


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
    found = getattr(node, name, None)
    if not isinstance(found, Node):
        raise click.UsageError(f"{name!r} is no segment of a path: {_FORMS}")
    return found
