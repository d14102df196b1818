"""Regular expressions of specs, matched in bounded time: no spec or imported document can make validation run for ever.

Python's ``re`` tries every way in which a pattern can match. A repetition inside a repetition has exponentially many
and is refused; repetitions one after the other have polynomially many, and are tried on short texts alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # the parser of `re` itself: it knows what is repeated
from typing import Any, Final

__all__ = ["matcher", "pattern_error"]

#: Characters of a pattern.
_LONGEST: Final = 1000
#: Ways to match that are tried for one text, at most: 50 ms.
_WAYS: Final = 1_000_000
#: Ways to match one round of a repetition, over all its rounds.
_FEW: Final = 10_000
_SLOW: Final = (
    "a text that nearly matches would be tried in more ways than there is time for; write it with fewer repetitions, "
    "or leave it out"
)
_REPEATS: Final = tuple(
    getattr(_constants, name) for name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") if hasattr(_constants, name)
)
_ANCHORS: Final = (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING)


def pattern_error(pattern: str) -> str:
    """Why a pattern is not used; empty where it is."""
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
    """Whether a text matches, as far as that is found out in bounded time: a longer text is taken to match.

    ``pattern`` is one that :func:`pattern_error` says nothing of.
    """
    search = re.compile(pattern).search
    longest = _longest(pattern)
    return lambda text: len(text) > longest or search(text) is not None


def _longest(pattern: str) -> int:
    """Characters of a text that is tried."""
    parsed = _parser.parse(pattern)
    loops = sum(1 for rounds, _ in _repetitions(parsed) if rounds > _FEW)
    begins = parsed[0] if len(parsed) else (None, None)
    # With (?m) a caret matches in many places.
    anchored = begins[0] is _constants.AT and begins[1] in _ANCHORS and not parsed.state.flags & re.MULTILINE
    power = loops + (0 if anchored else 1)
    return _WAYS if power == 0 else int((_WAYS / _choices(parsed, unbounded=1.0)) ** (1 / power))


def _repetitions(parsed: Any) -> Iterator[tuple[int, Any]]:
    """``(rounds at most, what is repeated)`` of each repetition whose number of rounds varies, or that is of many."""
    for operator, argument in parsed:
        if operator in _REPEATS:
            least, most, inner = argument
            if most > least or most > 1:
                yield int(most), inner
        for below in _below(operator, argument):
            yield from _repetitions(below)


def _below(operator: Any, argument: Any) -> list[Any]:
    """The patterns inside one part of a pattern."""
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
    """In how many ways ``rounds`` of a repetition may match, at most."""
    choices = _choices(inner)
    if choices <= 1:
        return 1.0
    return float("inf") if rounds > 64 else float(choices) ** rounds


def _choices(parsed: Any, unbounded: float = float("inf")) -> float:
    """In how many ways a pattern may match at one place of a text, at most; ``unbounded`` for each such repetition."""
    product = 1.0
    for operator, argument in parsed:
        below = _below(operator, argument)
        if operator is _constants.BRANCH:
            branches = [_choices(each, unbounded) for each in below]
            product *= max(branches) if _told_apart(below) else sum(branches)
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


def _told_apart(alternatives: list[Any]) -> bool:
    """Whether each alternative begins with a character of its own, so that only one of them can match."""
    first = [each[0] for each in alternatives if len(each)]
    if len(first) < len(alternatives) or any(operator is not _constants.LITERAL for operator, _ in first):
        return False
    return len({argument for _, argument in first}) == len(first)
