"""Refuses undeclared paths that are similar to a declared one whose encrypted fields would be sent in the clear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, Final

from wxpay_dsl.core.errors import UndeclaredPathError
from wxpay_dsl.core.specs.model import Operation, Schema
from wxpay_dsl.core.specs.transform import any_field

from .describe import dotted
from .node import Target
from .tree import Branch, Declared, Tree

__all__ = ["refuse_near_miss", "similar_operations"]

#: The sections of a body, and of a query.
_SECTIONS: Final = (("body", "form"), ("query",))
#: The similarity of two segments, from 0 to 1, of which one may be the other misspelt.
_MIN_SIMILARITY: Final = 0.75
#: Paths in the cache of a tree.
_CACHED_PATHS: Final = 256


def refuse_near_miss(tree: Tree, target: Target, sections: Mapping[str, Any]) -> None:
    """Raises UndeclaredPathError if an undeclared path is similar to a declared one, and that encrypts fields of a
    section that the call has.
    """
    given = [names for names in _SECTIONS if any(sections.get(name) for name in names)]
    if not given:
        return
    for declared in similar_operations(tree, target.segments):
        operation = declared.operation()
        if any(_encrypts(operation.section(name)) for names in given for name in names):
            raise _error(target, operation)


def similar_operations(tree: Tree, segments: Iterable[str]) -> tuple[Declared, ...]:
    """The declared operations that a caller may have meant, the most similar first: one segment misspelt, another last
    segment, or one segment missing or added.
    """
    given = tuple(segment for segment in segments if segment)
    found = tree.similar.get(given)
    if found is None:
        # The error names the first.
        reached = sorted(_candidates(tree.root, given), key=lambda candidate: -_path_similarity(given, candidate[0]))
        if len(tree.similar) >= _CACHED_PATHS:
            tree.similar.clear()
        # Cached: the search takes 20 ms among a thousand paths.
        found = tree.similar[given] = tuple(declared for _, declared in reached)
    return found


def _candidates(root: Branch, given: Sequence[str]) -> Iterator[tuple[list[str], Declared]]:
    waiting: list[tuple[Branch, list[str]]] = [(root, [])]
    while waiting:
        branch, path = waiting.pop()
        if branch.verbs and _is_candidate(given, path):
            yield from ((path, declared) for declared in branch.verbs.values())
        for segment, below in branch.children.items():
            # A candidate begins like the chain, except for one segment.
            longer = [*path, segment] if segment else path
            if len(longer) <= len(given) + 1 and _differences(given, longer) <= 1:
                waiting.append((below, longer))


def _differences(given: Sequence[str], path: Sequence[str]) -> int:
    """How many segments of ``path`` are not at the same position in ``given``, or one before or after."""
    return sum(
        not any(_matches(given[place], segment) for place in (at - 1, at, at + 1) if 0 <= place < len(given))
        for at, segment in enumerate(path)
    )


def _is_candidate(given: Sequence[str], path: Sequence[str]) -> bool:
    if len(given) == len(path):
        same = [_matches(one, other) for one, other in zip(given, path, strict=True)]
        return all(same) or (len(path) > 2 and all(same[:-1]))
    if abs(len(given) - len(path)) != 1:
        return False
    longer, shorter = (given, path) if len(given) > len(path) else (path, given)
    return len(shorter) > 1 and any(
        all(_matches(one, other) for one, other in zip([*longer[:left], *longer[left + 1 :]], shorter, strict=True))
        for left in range(len(longer))
    )


@lru_cache(maxsize=4096)
def _matches(one: str, other: str) -> bool:
    """Whether a given segment is equal or similar to a declared one; a declared template matches any."""
    return one == other or other[:1] == "{" or (one[:1] != "{" and _similarity(one, other) >= _MIN_SIMILARITY)


@lru_cache(maxsize=4096)
def _similarity(one: str, other: str) -> float:
    return SequenceMatcher(None, _normalised(one), _normalised(other), autojunk=False).ratio()


def _normalised(segment: str) -> str:
    # Bounded, since a caller's segments may be of any length.
    return segment[:80].lower().replace("-", "").replace("_", "")


def _path_similarity(given: Sequence[str], path: Sequence[str]) -> float:
    return SequenceMatcher(None, "/".join(given)[:400], "/".join(path), autojunk=False).ratio()


def _encrypts(schema: Schema | None) -> bool:
    return any_field(schema, lambda below: below.encrypted)


def _error(target: Target, operation: Operation) -> UndeclaredPathError:
    path = "/".join(segment[:80] for segment in target.segments)
    return UndeclaredPathError(f"{target.verb.upper()} /{path}", operation.path, dotted(operation))
