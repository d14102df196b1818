"""Undeclared paths that are nearly a declared one whose fields are encrypted: a slip would send these in the clear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, Final

from .chain import Target
from .errors import UndeclaredPathError
from .model import Operation, Schema
from .page import dotted
from .rewrite import any_field
from .tree import Branch, Declared, Tree

__all__ = ["beside", "refuse_near_miss"]

#: Sections that hold what a caller gives as a body, and as a query.
_SECTIONS: Final = (("body", "form"), ("query",))
#: How alike two segments are, from 0 to 1, of which one may be a slip for the other.
_ALIKE: Final = 0.75
#: Paths of which it is remembered what is beside them.
_KEPT: Final = 256


def refuse_near_miss(tree: Tree, target: Target, sections: Mapping[str, Any]) -> None:
    """Raises UndeclaredPathError where an undeclared path is :func:`beside` a declared one that encrypts fields of a
    section that is given.
    """
    given = [names for names in _SECTIONS if any(sections.get(name) for name in names)]
    if not given:
        return
    for declared in beside(tree, target.segments):
        operation = declared.operation()
        if any(_encrypts(operation.section(name)) for names in given for name in names):
            raise _refusal(target, operation)


def beside(tree: Tree, segments: Iterable[str]) -> tuple[Declared, ...]:
    """The declared operations within reach of a chain's segments: of which a segment is misspelt, the last is another,
    or one is missing or too many.
    """
    given = tuple(segment for segment in segments if segment)
    found = tree.beside.get(given)
    if found is None:
        # What is most alike comes first: it is what an error names.
        reached = sorted(_within_reach(tree.root, given), key=lambda one: -_likeness(given, one[0]))
        if len(tree.beside) >= _KEPT:
            tree.beside.clear()
        # It takes 20 ms among a thousand paths.
        found = tree.beside[given] = tuple(declared for _, declared in reached)
    return found


def _within_reach(root: Branch, given: Sequence[str]) -> Iterator[tuple[list[str], Declared]]:
    waiting: list[tuple[Branch, list[str]]] = [(root, [])]
    while waiting:
        branch, path = waiting.pop()
        if branch.verbs and _reaches(given, path):
            yield from ((path, declared) for declared in branch.verbs.values())
        for segment, below in branch.children.items():
            # Whatever is within reach begins as the chain does, but for one segment.
            longer = [*path, segment] if segment else path
            if len(longer) <= len(given) + 1 and _differences(given, longer) <= 1:
                waiting.append((below, longer))


def _differences(given: Sequence[str], path: Sequence[str]) -> int:
    """How many segments of ``path`` are not where ``given`` has them, or one place before or after."""
    return sum(
        not any(_same(given[place], segment) for place in (at - 1, at, at + 1) if 0 <= place < len(given))
        for at, segment in enumerate(path)
    )


def _reaches(given: Sequence[str], path: Sequence[str]) -> bool:
    if len(given) == len(path):
        same = [_same(one, other) for one, other in zip(given, path, strict=True)]
        return all(same) or (len(path) > 2 and all(same[:-1]))
    if abs(len(given) - len(path)) != 1:
        return False
    longer, shorter = (given, path) if len(given) > len(path) else (path, given)
    return len(shorter) > 1 and any(
        all(_same(one, other) for one, other in zip([*longer[:left], *longer[left + 1 :]], shorter, strict=True))
        for left in range(len(longer))
    )


@lru_cache(maxsize=4096)
def _same(one: str, other: str) -> bool:
    """Whether a segment that was given is a declared one, but for a slip; a declared template is any."""
    return one == other or other[:1] == "{" or (one[:1] != "{" and _ratio(one, other) >= _ALIKE)


@lru_cache(maxsize=4096)
def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, _plain(one), _plain(other), autojunk=False).ratio()


def _plain(segment: str) -> str:
    # Segments of a caller may be of any length.
    return segment[:80].lower().replace("-", "").replace("_", "")


def _likeness(given: Sequence[str], path: Sequence[str]) -> float:
    return SequenceMatcher(None, "/".join(given)[:400], "/".join(path), autojunk=False).ratio()


def _encrypts(schema: Schema | None) -> bool:
    return any_field(schema, lambda below: below.encrypted)


def _refusal(target: Target, operation: Operation) -> UndeclaredPathError:
    path = "/".join(segment[:80] for segment in target.segments)
    return UndeclaredPathError(f"{target.verb.upper()} /{path}", operation.path, dotted(operation))
