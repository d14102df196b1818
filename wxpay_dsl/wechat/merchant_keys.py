"""The keys of one merchant that verify and decrypt its notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import Factory, field, frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wxpay_dsl.core.errors import ConfigurationError

from .crypto.platform_key import Keyring, platform_key
from .platform_keys.keyring import StaticKeyring
from .platform_keys.keys import PlatformKeys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from .crypto.keys import KeyMaterial
    from .crypto.shangmi import Sm2PublicKey

__all__ = ["MerchantKeys"]


def _key_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _aead(merchant_keys: MerchantKeys | _Secrets) -> AESGCM | None:
    # The key is kept out of local variables: error trackers send those of every frame.
    if merchant_keys.apiv3_key is None:
        return None
    if len(merchant_keys.apiv3_key) != 32:
        raise ConfigurationError(f"the APIv3 key (APIv3密钥) is {len(merchant_keys.apiv3_key)} bytes; it must be 32")
    return AESGCM(merchant_keys.apiv3_key)


@frozen
class _Secrets:
    """The secret arguments of :meth:`MerchantKeys.of`, masked while its other arguments are checked."""

    apiv3_key: bytes | None = field(repr=False, converter=_key_bytes)
    apiv2_key: str | None = field(repr=False)


@frozen
class MerchantKeys:
    """A merchant that receives notifications, and its keys. No secret is in the repr."""

    #: 商户号
    mchid: str
    #: The trusted platform keys (微信支付公钥 / 平台证书).
    keyring: Keyring = field(repr=False)
    #: APIv3密钥, 32 bytes: decrypts APIv3 notifications.
    apiv3_key: bytes | None = field(default=None, repr=False, converter=_key_bytes)
    #: APIv2密钥: verifies APIv2 notifications, and decrypts those of refunds.
    apiv2_key: str | None = field(default=None, repr=False)
    #: The cipher of the APIv3 key, built once for all notifications.
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
        """The keys of a merchant, from its settings. A server that only receives notifications needs no private key.

        ``platform_keys`` maps the id of a platform key (``PUB_KEY_ID_…``) or the serial of a certificate to the key,
        in any form that the client accepts. Raises ConfigurationError for keys that cannot be loaded, or if there are
        none.
        """
        given = _Secrets(apiv3_key, apiv2_key)
        del apiv3_key, apiv2_key
        _ = _aead(given)
        if not platform_keys and given.apiv2_key is None:
            raise ConfigurationError(
                f"there is no key to verify notifications of {mchid} with: give `platform_keys`, "
                f"{{'PUB_KEY_ID_…': 'pub_key.pem'}} (微信支付公钥), with `apiv3_key`; for APIv2 `apiv2_key` (APIv2密钥)"
            )
        keys = [platform_key(key_id, thing) for key_id, thing in (platform_keys or {}).items()]
        return cls(mchid, StaticKeyring(PlatformKeys(keys)), given.apiv3_key, given.apiv2_key)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("MerchantKeys holds secret keys and is never pickled")
