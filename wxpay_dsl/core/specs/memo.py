"""What follows from a spec, found out when first asked for, and kept with it: every call asks, and no spec changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .model import Operation, Schema

__all__ = ["Memo", "memo"]

S = TypeVar("S", bound="Schema | Operation")
T = TypeVar("T")


class Memo(dict[Callable[..., Any], Any]):
    """What functions have found out about one value. A copy of it, or a pickle, begins with nothing."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()


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
