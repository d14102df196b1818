"""Where the platform's keys are looked up: the protocol, and the keyring of keys that were configured and do not
change.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from attrs import frozen

from .platform_keys import PlatformKey, PlatformKeys

__all__ = ["Keyring", "StaticKeyring", "utc_now"]


def utc_now() -> datetime:
    """The aware present."""
    return datetime.now(UTC)


class Keyring(Protocol):
    """The platform keys that are trusted; awaited, since finding one may download it."""

    async def find(self, serial: str) -> PlatformKey | None:
        """The key that a ``Wechatpay-Serial`` names, or None where it cannot be had."""

    async def preferred(self) -> PlatformKey:
        """The key to encrypt for, and to ask the service to sign with. Raises ConfigurationError for none."""

    def known(self) -> list[str]:
        """The ids of the keys at hand."""


@frozen
class StaticKeyring:
    """Keys as configured: public-key mode (微信支付公钥), or certificates that somebody else keeps current."""

    keys: PlatformKeys
    now: Callable[[], datetime] = utc_now

    async def find(self, serial: str) -> PlatformKey | None:
        """The configured key of this id."""
        return self.keys.get(serial)

    async def preferred(self) -> PlatformKey:
        """The public key where there is one, else the newest valid certificate."""
        return self.keys.for_encryption(self.now())

    def known(self) -> list[str]:
        """The ids of the configured keys."""
        return [key.id for key in self.keys]
