"""Caches what functions derive from a schema or an operation, in the value itself: specs never change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

__all__ = ["Memo", "memo"]


class Memo(dict[Callable[..., Any], Any]):
    """What functions have found out about one value. A copy of it, or a pickle, begins with nothing."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()


class Memoized(Protocol):
    """A value that carries a :class:`Memo`: a schema, an operation."""

    @property
    def memo(self) -> Memo | None:
        """What was found out about it so far; None for nothing."""


S = TypeVar("S", bound=Memoized)
T = TypeVar("T")


def memo(find: Callable[[S], T]) -> Callable[[S], T]:
    """``find``, called once for each schema or operation. It must depend on nothing else."""

    def found(subject: S) -> T:
        known = subject.memo
        if known is None:
            # Frozen to everybody else. Two threads may both find out; the same will come of it.
            known = Memo()
            object.__setattr__(subject, "memo", known)
        try:
            result: T = known[find]
        except KeyError:
            result = known[find] = find(subject)
        return result

    found.__name__, found.__doc__ = getattr(find, "__name__", "found"), find.__doc__
    return found
