"""What a web server's adapter needs of whatever receives notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from .acknowledgements import Answer

__all__ = ["Receiver"]


class Receiver(Protocol):
    """Takes a delivery and says what to answer; :class:`~wxpay_dsl.Notifications` is one."""

    @property
    def ack_timeout(self) -> float:
        """Seconds within which the service is to have its acknowledgement."""

    async def handle(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Answer:
        """The acknowledgement of one delivery."""

    def handle_sync(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Answer:
        """The same, for a server without an event loop."""

    async def close(self, grace: float = 10.0) -> None:
        """Waits ``grace`` seconds for running handlers, and lets go of the store."""
