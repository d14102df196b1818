"""A masked string for keys and passwords. Error trackers report the local variables of frames, so those hold this."""

from __future__ import annotations

import hmac
from typing import Any, Final, NoReturn

__all__ = ["Secret"]

_MASK: Final = "Secret('***')"


class Secret:
    """A string that only :meth:`reveal` shows: ``repr``, ``str`` and ``format`` are masked, and it cannot be pickled.

    Rebind a parameter in the first line of a function, so that no later exception has the plain string in its frame:
    ``key = Secret.of(key)``. Call :meth:`reveal` within an expression, never assign its result to a variable.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def of(cls, value: str | Secret) -> Secret:
        """The masked value; a :class:`Secret` is returned as it is."""
        return value if isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        """The plain string."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Whether both strings are equal, compared in constant time."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return _MASK

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret is never pickled or copied")
