"""The response that a call returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import define, field, setters

if TYPE_CHECKING:
    from .messages import Exchange

__all__ = ["Response"]

T = TypeVar("T")


def _outline(data: Any) -> str:
    """The shape of the data without its values, since a repr ends up in logs and the values may be personal data."""
    if isinstance(data, Mapping):
        names = ", ".join(map(str, list(data)[:20]))
        return f"{{{names}{', …' if len(data) > 20 else ''}}}"
    if isinstance(data, (list, bytes)):
        return f"{len(data)} {'bytes' if isinstance(data, bytes) else 'items'}"
    return type(data).__name__ if data is not None else "None"


@define(on_setattr=setters.frozen)  # frozen too, and made in a third of the time
class Response(Generic[T]):
    """A response that was verified and decoded. ``response["name"]`` is ``response.data["name"]``."""

    #: The decoded body: plain dicts and lists, bytes for a file, None for an empty body.
    data: T = field(repr=_outline)
    #: The HTTP status.
    status: int
    #: Case-insensitive.
    headers: Mapping[str, str] = field(repr=False)
    #: The service's identifier of the call, for its support; empty if it gave none.
    request_id: str
    #: The raw request and response.
    exchange: Exchange = field(repr=False, eq=False)

    def __getitem__(self, name: Any) -> Any:
        """``response["presign_token"]`` is ``response.data["presign_token"]``."""
        data: Any = self.data
        return data[name]
