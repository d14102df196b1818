"""A masked text, for keys and passwords that pass through local variables: error trackers send those of every frame."""

from __future__ import annotations

import hmac
from typing import Any, Final, NoReturn

__all__ = ["Secret"]

_MASK: Final = "Secret('***')"


class Secret:
    """A secret text that only :meth:`reveal` shows: ``repr``, ``str``, ``format`` are masked, and it cannot be pickled.

    Rebind a parameter first thing, so that no later error finds the plain text in the frame: ``key = Secret.of(key)``.
    Reveal within an expression, never into a variable.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def of(cls, value: str | Secret) -> Secret:
        """The value itself where it is masked already."""
        return value if isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        """The text."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compared in constant time."""
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
