"""Immutable sets of platform keys, and the choice of the key to encrypt with.

In public-key mode (微信支付公钥) the key and its id come from the merchant platform and do not expire. In certificate
mode (微信支付平台证书) certificates are downloaded and expire after five years; a new one appears before the old one
expires. Both modes are active while a merchant migrates.

https://pay.weixin.qq.com/doc/v3/merchant/4012154180
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

from attrs import field, frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, is_public_key_id, normalized_id

__all__ = ["PlatformKeys"]


def _by_id(keys: Iterable[PlatformKey]) -> Mapping[str, PlatformKey]:
    return MappingProxyType({key.id: key for key in keys})


@frozen
class PlatformKeys:
    """Platform keys by id. Immutable: a refresh builds a new set, which replaces the old one in one step."""

    _keys: Mapping[str, PlatformKey] = field(converter=_by_id, factory=dict)

    def __iter__(self) -> Iterator[PlatformKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key_id: object) -> bool:
        return isinstance(key_id, str) and normalized_id(key_id) in self._keys

    def get(self, key_id: str) -> PlatformKey | None:
        """The key that a ``Wechatpay-Serial`` names, valid or not; None for an unknown one."""
        # Almost every id comes in normal form already.
        return self._keys.get(key_id) or self._keys.get(normalized_id(key_id))

    def union(self, other: Iterable[PlatformKey]) -> PlatformKeys:
        """The keys of both sets; where both have an id, the key of ``other``."""
        return PlatformKeys([*self, *other])

    def for_encryption(
        self, when: datetime, prefer: Literal["public_key", "certificate"] = "public_key"
    ) -> PlatformKey:
        """The key for sensitive fields and ``Wechatpay-Serial``: of the preferred mode, otherwise of the other one.

        Of certificates, the newest that is valid at ``when`` (aware); of public keys, the last one configured.
        Raises :class:`ConfigurationError` if no key is valid.
        """
        valid = [key for key in self if key.valid_at(when)]
        public_keys = [key for key in valid if is_public_key_id(key.id)]
        certificates = sorted(
            (key for key in valid if not is_public_key_id(key.id)),
            key=lambda key: (key.not_before or datetime.min.replace(tzinfo=UTC), key.id),
        )
        ranked = [*certificates, *public_keys] if prefer == "public_key" else [*public_keys, *certificates]
        if not ranked:
            have = "; ".join(f"{key.id} until {key.not_after:%Y-%m-%d}" for key in self if key.not_after)
            raise ConfigurationError(
                f"no platform key is valid at {when:%Y-%m-%d %H:%M} ({have or 'none is configured'}): give "
                f"pub_key.pem with its id PUB_KEY_ID_… (微信支付公钥), or download the certificates"
            )
        return ranked[-1]
