"""Selects the handler of a notification: by type, ``original_type`` and merchant, or the fallback."""

from __future__ import annotations

from typing import Any

from wxpay_dsl.core.errors import ConfigurationError

from .handlers import Handler
from .notification import Notification

__all__ = ["Routes"]


class Routes:
    """A table of handlers, of which the most specific one is selected: a merchant's handlers first, then by type, then
    by ``original_type``, then the fallback.
    """

    def __init__(self) -> None:
        #: ``{(type, original_type, merchant): handler}``; an empty string matches anything.
        self._table: dict[tuple[str, str, str], Handler] = {}
        self._merchants: set[str] = set()

    def add(self, handler: Handler, kind: str, original_type: str, merchant: str) -> None:
        """Adds a handler. Raises ConfigurationError if there is one for the same notifications."""
        route = (kind, original_type, merchant)
        existing = self._table.get(route)
        if existing is not None:
            what = " ".join(part for part in route if part) or "every other notification"
            raise ConfigurationError(
                f"{existing.name} already handles {what}, so {handler.name} cannot: a notification has one handler, "
                f"because one of several that failed could not be run again without the others"
            )
        self._table[route] = handler
        if merchant:
            self._merchants.add(merchant)

    def find(self, notification: Notification[Any]) -> Handler | None:
        """The handler of a notification, or None."""
        get, kind, origin = self._table.get, notification.type, notification.original_type
        if self._merchants:
            # A sub-merchant is more specific than the service provider that received the notification.
            for merchant in (notification.sub_merchant, notification.merchant):
                if merchant in self._merchants:
                    handler = get((kind, "", merchant)) or get(("", origin, merchant)) or get(("", "", merchant))
                    if handler is not None:
                        return handler
        return get((kind, "", "")) or get(("", origin, "")) or get(("", "", ""))
