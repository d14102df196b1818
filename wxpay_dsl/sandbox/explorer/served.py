"""What the explorer needs of the sandbox that serves it."""

from __future__ import annotations

from typing import Any, Protocol

from wxpay_dsl.sandbox.keys.identity import Merchant
from wxpay_dsl.sandbox.keys.platform import Platform

__all__ = ["ServedSandbox"]


class ServedSandbox(Protocol):
    """A running sandbox: its address, its keys, and the settings of a client that calls it."""

    @property
    def url(self) -> str:
        """Where it is served: ``http://127.0.0.1:18080``."""

    @property
    def merchant(self) -> Merchant:
        """Its first merchant, as whom calls are signed."""

    @property
    def platform(self) -> Platform:
        """The keys that it signs with."""

    @property
    def credentials(self) -> dict[str, Any]:
        """The keyword arguments of a client for its first merchant."""

    @property
    def brand_credentials(self) -> dict[str, Any]:
        """Those of the merchant's brand (品牌直连), to be given beside them."""
