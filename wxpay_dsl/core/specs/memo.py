"""Caches the results of functions of a schema or an operation in that value itself, which never changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

__all__ = ["Memo", "memo"]


class Memo(dict[Callable[..., Any], Any]):
    """Results of functions for one value, by function. A copy or a pickle is empty."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()


class Memoized(Protocol):
    """A value that carries a :class:`Memo`: a schema, an operation."""

    @property
    def memo(self) -> Memo | None:
        """The results so far; None before the first."""


S = TypeVar("S", bound=Memoized)
T = TypeVar("T")


def memo(function: Callable[[S], T]) -> Callable[[S], T]:
    """Decorates a function of one schema or operation, so that it is called once for each. It must be pure."""

    def cached(subject: S) -> T:
        results = subject.memo
        if results is None:
            # The value is frozen otherwise. Two threads may both compute; the results are equal.
            results = Memo()
            object.__setattr__(subject, "memo", results)
        try:
            result: T = results[function]
        except KeyError:
            result = results[function] = function(subject)
        return result

    cached.__name__, cached.__doc__ = getattr(function, "__name__", "cached"), function.__doc__
    return cached
