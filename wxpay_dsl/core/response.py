"""What a call gives back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import define, field, setters

if TYPE_CHECKING:
    from .messages import Exchange

__all__ = ["Response"]

T = TypeVar("T")


def _outline(data: Any) -> str:
    """What an answer is like without what is in it: names and numbers of people land in logs by a repr."""
    if isinstance(data, Mapping):
        names = ", ".join(map(str, list(data)[:20]))
        return f"{{{names}{', …' if len(data) > 20 else ''}}}"
    if isinstance(data, (list, bytes)):
        return f"{len(data)} {'bytes' if isinstance(data, bytes) else 'items'}"
    return type(data).__name__ if data is not None else "None"


@define(on_setattr=setters.frozen)  # frozen too, and made in a third of the time
class Response(Generic[T]):
    """An answer that was verified and read."""

    #: The fields of the answer as plain dicts and lists, bytes where it is a file, None where it is empty.
    data: T = field(repr=_outline)
    #: The HTTP status.
    status: int
    #: Case-insensitive.
    headers: Mapping[str, str] = field(repr=False)
    #: The service's own name of the call, for its support.
    request_id: str
    #: The bytes as they went over the wire.
    exchange: Exchange = field(repr=False, eq=False)

    def __getitem__(self, name: Any) -> Any:
        """``response["presign_token"]`` is ``response.data["presign_token"]``."""
        data: Any = self.data
        return data[name]
