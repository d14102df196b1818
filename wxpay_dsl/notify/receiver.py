"""The interface between the adapters of web servers and the receiver of notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from .acknowledgements import Acknowledgement

__all__ = ["Receiver"]


class Receiver(Protocol):
    """Handles deliveries; :class:`~wxpay_dsl.Notifications` is the implementation."""

    @property
    def ack_timeout(self) -> float:
        """Seconds within which a delivery is acknowledged."""

    async def handle(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Acknowledgement:
        """Handles one delivery and returns its acknowledgement."""

    def handle_sync(self, headers: Mapping[str, str], body: bytes, merchant: str = "") -> Acknowledgement:
        """Like :meth:`handle`, for a server without an event loop."""

    async def close(self, grace: float = 10.0) -> None:
        """Waits ``grace`` seconds for running handlers, cancels the rest, and closes the store."""
