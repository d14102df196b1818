"""The protocol of the sandbox that serves the explorer."""

from __future__ import annotations

from typing import Any, Protocol

from wxpay_dsl.sandbox.keys.identity import Merchant
from wxpay_dsl.sandbox.keys.platform import Platform

__all__ = ["ServedSandbox"]


class ServedSandbox(Protocol):
    """A running sandbox: its address, its keys, and the settings of a client that calls it."""

    @property
    def url(self) -> str:
        """Its base URL, as ``http://127.0.0.1:18080``."""

    @property
    def merchant(self) -> Merchant:
        """The merchant that signs the calls."""

    @property
    def platform(self) -> Platform:
        """The platform's key pairs."""

    @property
    def credentials(self) -> dict[str, Any]:
        """The keyword arguments of a client for that merchant."""

    @property
    def brand_credentials(self) -> dict[str, Any]:
        """Further keyword arguments for the merchant's brand (品牌直连)."""
