"""Where the platform's keys are looked up: the protocol, which of several keys is preferred, and the keyring of keys
that were configured and do not change.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, Protocol

from attrs import define, field

from .keys import PlatformKey, PlatformKeys, is_public_key_id

__all__ = ["Keyring", "Preference", "StaticKeyring", "describe", "utc_now"]


def utc_now() -> datetime:
    """The aware present."""
    return datetime.now(UTC)


class Keyring(Protocol):
    """The platform keys that are trusted; awaited, since finding one may download it."""

    async def find(self, serial: str) -> PlatformKey | None:
        """The key that a ``Wechatpay-Serial`` names, or None where it cannot be had or has ended."""

    async def preferred(self) -> PlatformKey:
        """The key to encrypt for, and to ask the service to sign with. Raises ConfigurationError for none."""

    def known(self) -> list[str]:
        """The ids of the keys at hand, for an error to show."""


@define
class Preference:
    """Which key to ask for while both modes are on: the public key (微信支付公钥) for a share of the calls.

    ``ratio`` 1.0 asks for the public key always, 0.0 for a certificate (平台证书) always, in between at random; the
    other one is taken where there is none of the kind. So a merchant moves over by degrees, and back.
    """

    ratio: float = 1.0
    _random: Callable[[], float] = field(default=random.random, repr=False)
    _choices: dict[str, tuple[PlatformKeys, PlatformKey, datetime]] = field(factory=dict, init=False, repr=False)

    def choose(self, keys: PlatformKeys, when: datetime) -> PlatformKey:
        """The key for one call at ``when`` (aware). Raises ConfigurationError where none is valid."""
        certain = self.ratio >= 1.0 or (self.ratio > 0.0 and self._random() < self.ratio)
        kind: Literal["public_key", "certificate"] = "public_key" if certain else "certificate"
        # Every call asks, and the answer changes at the end or the beginning of a certificate only.
        chosen = self._choices.get(kind)
        if chosen is None or chosen[0] is not keys or when > chosen[2]:
            changes = [at for key in keys for at in (key.not_before, key.not_after) if at is not None and at >= when]
            end = min(changes, default=datetime.max.replace(tzinfo=UTC))
            chosen = self._choices[kind] = (keys, keys.for_encryption(when, kind), end)
        return chosen[1]


@define
class StaticKeyring:
    """Keys as configured: public-key mode, or certificates that somebody else keeps current."""

    keys: PlatformKeys
    preference: Preference = field(factory=Preference)
    now: Callable[[], datetime] = utc_now

    async def find(self, serial: str) -> PlatformKey | None:
        """The configured key of this id, unless it has ended."""
        key = self.keys.get(serial)
        if key is None or (key.not_before is None and key.not_after is None):
            return key
        return key if key.valid_at(self.now()) else None

    async def preferred(self) -> PlatformKey:
        """The key of the preferred kind; of certificates the newest valid one."""
        return self.preference.choose(self.keys, self.now())

    def known(self) -> list[str]:
        """The configured keys."""
        return describe(self.keys, self.now())


def describe(keys: PlatformKeys, when: datetime) -> list[str]:
    """Each key's id, and why it does not count where it does not."""
    return [_described(key, when) for key in keys]


def _described(key: PlatformKey, when: datetime) -> str:
    if key.valid_at(when) or is_public_key_id(key.id):
        return key.id
    ended = key.not_after is not None and key.not_after < when
    return f"{key.id} (ended {key.not_after:%Y-%m-%d})" if ended else f"{key.id} (begins {key.not_before:%Y-%m-%d})"
