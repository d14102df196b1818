"""A merchant as the receiver of notifications: the keys that verify and open what is sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from attrs import Factory, field, frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wxpay_dsl.core.errors import ConfigurationError

from .keyring import Keyring, StaticKeyring
from .platform_keys import PlatformKeys, platform_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from .keys import KeyMaterial
    from .shangmi import Sm2PublicKey

__all__ = ["Recipient"]


def _key_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _aead(recipient: Recipient | _Secrets) -> AESGCM | None:
    # The key is in no variable: error trackers send those of every frame.
    if recipient.apiv3_key is None:
        return None
    if len(recipient.apiv3_key) != 32:
        raise ConfigurationError(f"the APIv3 key (APIv3密钥) is {len(recipient.apiv3_key)} bytes; it must be 32")
    return AESGCM(recipient.apiv3_key)


@frozen
class _Secrets:
    """What a recipient is given of secrets, out of sight until its other settings are found to be right."""

    apiv3_key: bytes | None = field(repr=False, converter=_key_bytes)
    secret: str | None = field(repr=False)


@frozen
class Recipient:
    """Whom notifications are for. Nothing secret is in its repr."""

    #: 商户号
    mchid: str
    #: The platform keys (微信支付公钥 / 平台证书) that it believes.
    keyring: Keyring = field(repr=False)
    #: APIv3密钥, 32 bytes: opens APIv3's.
    apiv3_key: bytes | None = field(default=None, repr=False, converter=_key_bytes)
    #: APIv2密钥: verifies APIv2's, and opens its refunds.
    secret: str | None = field(default=None, repr=False)
    #: The APIv3 key, prepared: it opens every notification.
    aead: AESGCM | None = field(default=Factory(_aead, takes_self=True), init=False, repr=False, eq=False)

    @classmethod
    def of(
        cls,
        mchid: str,
        *,
        certs: Mapping[str, KeyMaterial | RSAPublicKey | Sm2PublicKey] | None = None,
        apiv3_key: str | bytes | None = None,
        secret: str | None = None,
    ) -> Self:
        """A recipient from its keys alone: a server of notifications needs no private key.

        ``certs``: platform key id (``PUB_KEY_ID_…``) or certificate serial to key, in any form that a client takes.
        Raises ConfigurationError for keys that cannot be loaded, or where none is given.
        """
        given = _Secrets(apiv3_key, secret)
        del apiv3_key, secret
        _ = _aead(given)
        if not certs and given.secret is None:
            raise ConfigurationError(
                f"nothing to verify the notifications of {mchid} with: give `certs`, {{'PUB_KEY_ID_…': 'pub_key.pem'}} "
                f"(微信支付公钥), with `apiv3_key`; for APIv2 `secret` (APIv2密钥)"
            )
        keys = [platform_key(key_id, thing) for key_id, thing in (certs or {}).items()]
        return cls(mchid, StaticKeyring(PlatformKeys(keys)), given.apiv3_key, given.secret)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a recipient holds secret keys and is never pickled")
