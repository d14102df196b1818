"""The keyring of configured keys, and the choice between the two kinds of platform keys."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from attrs import define, field

from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, is_public_key_id

from .keys import PlatformKeys

__all__ = ["Preference", "StaticKeyring", "describe_keys", "utc_now"]


def utc_now() -> datetime:
    """The current time, aware."""
    return datetime.now(UTC)


@define
class Preference:
    """Which kind of key calls name while both modes are active: the public key (微信支付公钥) in a share of the calls.

    ``ratio`` is that share: 1.0 always names the public key, 0.0 always a certificate (平台证书), values in between
    choose at random. Where there is no key of the chosen kind, the other kind is used. This lets a merchant migrate in
    steps, and back.
    """

    ratio: float = 1.0
    _random: Callable[[], float] = field(default=random.random, repr=False)
    _choices: dict[str, tuple[PlatformKeys, PlatformKey, datetime]] = field(factory=dict, init=False, repr=False)

    def choose(self, keys: PlatformKeys, when: datetime) -> PlatformKey:
        """The key for one call at ``when`` (aware). Raises ConfigurationError if none is valid."""
        certain = self.ratio >= 1.0 or (self.ratio > 0.0 and self._random() < self.ratio)
        kind: Literal["public_key", "certificate"] = "public_key" if certain else "certificate"
        # Cached, since every call needs it and it changes only when the validity of a certificate starts or ends.
        chosen = self._choices.get(kind)
        if chosen is None or chosen[0] is not keys or when > chosen[2]:
            changes = [at for key in keys for at in (key.not_before, key.not_after) if at is not None and at >= when]
            end = min(changes, default=datetime.max.replace(tzinfo=UTC))
            chosen = self._choices[kind] = (keys, keys.for_encryption(when, kind), end)
        return chosen[1]


@define
class StaticKeyring:
    """Keys as configured: public keys, or certificates that the application keeps up to date itself."""

    keys: PlatformKeys
    preference: Preference = field(factory=Preference)
    now: Callable[[], datetime] = utc_now

    async def find(self, serial: str) -> PlatformKey | None:
        """The configured key with this id; None if there is none, or if it is not valid now."""
        key = self.keys.get(serial)
        if key is None or (key.not_before is None and key.not_after is None):
            return key
        return key if key.valid_at(self.now()) else None

    async def preferred(self) -> PlatformKey:
        """The key of the preferred kind; of certificates the newest valid one."""
        return self.preference.choose(self.keys, self.now())

    def key_ids(self) -> list[str]:
        """The ids of the configured keys, with the reason where one is not valid."""
        return describe_keys(self.keys, self.now())


def describe_keys(keys: PlatformKeys, when: datetime) -> list[str]:
    """Each key's id, followed by the reason where it is not valid at ``when``: ``5157F09E… (ended 2025-01-31)``."""
    return [_described(key, when) for key in keys]


def _described(key: PlatformKey, when: datetime) -> str:
    if key.valid_at(when) or is_public_key_id(key.id):
        return key.id
    ended = key.not_after is not None and key.not_after < when
    return f"{key.id} (ended {key.not_after:%Y-%m-%d})" if ended else f"{key.id} (begins {key.not_before:%Y-%m-%d})"
