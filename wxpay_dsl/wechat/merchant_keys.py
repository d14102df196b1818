"""A merchant as the receiver of notifications: the keys that verify and open what is sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import Factory, field, frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wxpay_dsl.core.errors import ConfigurationError

from .platform_keys.keyring import Keyring, StaticKeyring
from .platform_keys.keys import PlatformKeys, platform_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from .crypto.keys import KeyMaterial
    from .crypto.shangmi import Sm2PublicKey

__all__ = ["MerchantKeys"]


def _key_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _aead(merchant_keys: MerchantKeys | _Secrets) -> AESGCM | None:
    # The key is in no variable: error trackers send those of every frame.
    if merchant_keys.apiv3_key is None:
        return None
    if len(merchant_keys.apiv3_key) != 32:
        raise ConfigurationError(f"the APIv3 key (APIv3密钥) is {len(merchant_keys.apiv3_key)} bytes; it must be 32")
    return AESGCM(merchant_keys.apiv3_key)


@frozen
class _Secrets:
    """What a merchant_keys is given of secrets, out of sight until its other settings are found to be right."""

    apiv3_key: bytes | None = field(repr=False, converter=_key_bytes)
    apiv2_key: str | None = field(repr=False)


@frozen
class MerchantKeys:
    """Whom notifications are for. Nothing apiv2_key is in its repr."""

    #: 商户号
    mchid: str
    #: The platform keys (微信支付公钥 / 平台证书) that it believes.
    keyring: Keyring = field(repr=False)
    #: APIv3密钥, 32 bytes: opens APIv3's.
    apiv3_key: bytes | None = field(default=None, repr=False, converter=_key_bytes)
    #: APIv2密钥: verifies APIv2's, and opens its refunds.
    apiv2_key: str | None = field(default=None, repr=False)
    #: The APIv3 key, prepared: it opens every notification.
    aead: AESGCM | None = field(default=Factory(_aead, takes_self=True), init=False, repr=False, eq=False)

    @classmethod
    def of(
        cls,
        mchid: str,
        *,
        platform_keys: Mapping[str, KeyMaterial | RSAPublicKey | Sm2PublicKey] | None = None,
        apiv3_key: str | bytes | None = None,
        apiv2_key: str | None = None,
    ) -> Self:
        """A merchant_keys from its keys alone: a server of notifications needs no private key.

        ``platform_keys``: platform key id (``PUB_KEY_ID_…``) or certificate serial to key, in any form that a client takes.
        Raises ConfigurationError for keys that cannot be loaded, or where none is given.
        """
        given = _Secrets(apiv3_key, apiv2_key)
        del apiv3_key, apiv2_key
        _ = _aead(given)
        if not platform_keys and given.apiv2_key is None:
            raise ConfigurationError(
                f"nothing to verify the notifications of {mchid} with: give `platform_keys`, {{'PUB_KEY_ID_…': 'pub_key.pem'}} "
                f"(微信支付公钥), with `apiv3_key`; for APIv2 `apiv2_key` (APIv2密钥)"
            )
        keys = [platform_key(key_id, thing) for key_id, thing in (platform_keys or {}).items()]
        return cls(mchid, StaticKeyring(PlatformKeys(keys)), given.apiv3_key, given.apiv2_key)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a merchant_keys holds secret keys and is never pickled")
