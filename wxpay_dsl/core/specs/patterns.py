"""Matches regular expressions of specs in bounded time, since specs and imported documents may be hostile.

Python's ``re`` backtracks through every way in which a pattern can match. A repetition inside a repetition has
exponentially many and is refused; repetitions one after the other have polynomially many, and match short texts only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # the parser of `re` itself: the only exact one
from typing import Any, Final

__all__ = ["matcher", "pattern_error"]

#: Characters of a pattern, at most.
_LONGEST: Final = 1000
#: Ways to match that one text may take, at most: 50 ms.
_WAYS: Final = 1_000_000
#: Ways to match all rounds of a repetition together, at most.
_FEW: Final = 10_000
_SLOW: Final = "a text that nearly matches would take too long; use fewer repetitions, or remove the pattern"
_REPEATS: Final = tuple(
    getattr(_constants, name) for name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") if hasattr(_constants, name)
)
_ANCHORS: Final = (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING)


def pattern_error(pattern: str) -> str:
    """Why a pattern cannot be used; empty if it can."""
    if len(pattern) > _LONGEST:
        return f"the pattern is longer than {_LONGEST} characters"
    try:
        re.compile(pattern)
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError) as error:
        return f"the pattern does not compile: {error}"
    except RecursionError:
        return "the pattern is nested too deeply"
    for rounds, inner in _repetitions(parsed):
        if rounds > 1 and _ways(inner, rounds) > _FEW:
            return f"the pattern repeats what is repeated or has alternatives itself, as (a+)+ does: {_SLOW}"
    if _choices(parsed, unbounded=1.0) > _WAYS:
        return f"the pattern has too many optional or repeated parts: {_SLOW}"
    return ""


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a text matches; a text too long to decide in bounded time counts as a match.

    ``pattern`` must be one without a :func:`pattern_error`.
    """
    search = re.compile(pattern).search
    longest = _longest(pattern)
    return lambda text: len(text) > longest or search(text) is not None


def _longest(pattern: str) -> int:
    """Characters of a text that is matched, at most."""
    parsed = _parser.parse(pattern)
    loops = sum(1 for rounds, _ in _repetitions(parsed) if rounds > _FEW)
    begins = parsed[0] if len(parsed) else (None, None)
    # With (?m) a caret matches in many places.
    anchored = begins[0] is _constants.AT and begins[1] in _ANCHORS and not parsed.state.flags & re.MULTILINE
    power = loops + (0 if anchored else 1)
    return _WAYS if power == 0 else int((_WAYS / _choices(parsed, unbounded=1.0)) ** (1 / power))


def _repetitions(parsed: Any) -> Iterator[tuple[int, Any]]:
    """``(maximum of rounds, repeated pattern)`` of each repetition of more than one round, nested ones included."""
    for operator, argument in parsed:
        if operator in _REPEATS:
            least, most, inner = argument
            if most > least or most > 1:
                yield int(most), inner
        for below in _below(operator, argument):
            yield from _repetitions(below)


def _below(operator: Any, argument: Any) -> list[Any]:
    """The patterns inside one element of a parsed pattern."""
    if operator in _REPEATS:
        return [argument[2]]
    if operator is _constants.SUBPATTERN:
        return [argument[3]]
    if operator is _constants.BRANCH:
        return list(argument[1])
    if operator in (_constants.ASSERT, _constants.ASSERT_NOT):
        return [argument[1]]
    if operator is _constants.GROUPREF_EXISTS:
        return [below for below in argument[1:] if below is not None]
    if operator is getattr(_constants, "ATOMIC_GROUP", None):
        return [argument]
    return []


def _ways(inner: Any, rounds: int) -> float:
    """An upper bound of the ways in which ``rounds`` of a repetition can match."""
    choices = _choices(inner)
    if choices <= 1:
        return 1.0
    return float("inf") if rounds > 64 else float(choices) ** rounds


def _choices(parsed: Any, unbounded: float = float("inf")) -> float:
    """An upper bound of the ways in which a pattern can match at one position; an unbounded repetition counts as
    ``unbounded``.
    """
    product = 1.0
    for operator, argument in parsed:
        below = _below(operator, argument)
        if operator is _constants.BRANCH:
            branches = [_choices(each, unbounded) for each in below]
            product *= max(branches) if _are_distinct(below) else sum(branches)
        elif operator in _REPEATS:
            least, most, inner = argument
            if most > _FEW:
                product *= unbounded
            else:
                product *= float(most - least + 1) * _ways(inner, most)
        else:
            for one in below:
                product *= _choices(one, unbounded)
        if product > 1e100:
            return float("inf")
    return product


def _are_distinct(alternatives: list[Any]) -> bool:
    """Whether each alternative begins with another literal character, so that at most one can match."""
    first = [each[0] for each in alternatives if len(each)]
    if len(first) < len(alternatives) or any(operator is not _constants.LITERAL for operator, _ in first):
        return False
    return len({argument for _, argument in first}) == len(first)
