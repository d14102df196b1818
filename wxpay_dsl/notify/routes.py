"""Which handler a notification goes to: by type, by ``original_type``, by merchant, or the default."""

from __future__ import annotations

from typing import Any

from wxpay_dsl.core.errors import ConfigurationError

from .handlers import Handler
from .notification import Notification

__all__ = ["Routes"]


class Routes:
    """A table of handlers. The most exact one counts: a merchant's own before the others', then type before
    ``original_type`` before the default.
    """

    def __init__(self) -> None:
        #: ``{(type, original_type, merchant): handler}``, an empty text for what does not matter.
        self._table: dict[tuple[str, str, str], Handler] = {}
        self._merchants: set[str] = set()

    def add(self, handler: Handler, kind: str, original_type: str, merchant: str) -> None:
        """Adds a handler. Raises ConfigurationError where the place is taken: each notification has one handler."""
        place = (kind, original_type, merchant)
        taken = self._table.get(place)
        if taken is not None:
            what = " ".join(part for part in place if part) or "every other notification"
            raise ConfigurationError(
                f"{taken.name} already handles {what}, so {handler.name} cannot: a notification has one handler, since "
                f"of several one that failed could not be run again without the others"
            )
        self._table[place] = handler
        if merchant:
            self._merchants.add(merchant)

    def find(self, notification: Notification[Any]) -> Handler | None:
        """The handler, or None where there is none."""
        get, kind, origin = self._table.get, notification.type, notification.original_type
        if self._merchants:
            # A sub-merchant is more exact than the service provider that received it.
            for merchant in (notification.sub_merchant, notification.merchant):
                if merchant in self._merchants:
                    found = get((kind, "", merchant)) or get(("", origin, merchant)) or get(("", "", merchant))
                    if found is not None:
                        return found
        return get((kind, "", "")) or get(("", origin, "")) or get(("", "", ""))
