"""Settings of the brand (品牌直连): its id, its private key, and the public keys that verify responses to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.crypto.platform_key import platform_key
from wxpay_dsl.wechat.crypto.signer import Credential, Signer
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wechat.v3.authorization import BRAND_SCHEME

from .redaction import shown
from .secrets import loaded, masked, revealed, symmetric_key
from .sources import missing, named_keys

__all__ = ["BrandSettings"]

_BRAND_ID: Final = re.compile(r"[0-9]{1,16}\Z")
_SERIAL: Final = re.compile(r"[0-9A-F]{8,40}\Z")


@frozen
class BrandSettings:
    """The keys of a brand, loaded. Its repr shows no secret."""

    credential: Credential
    keys: PlatformKeys = field(repr=False)
    #: 品牌API密钥, 32 bytes: decrypts notifications.
    api_key: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, merged: Mapping[str, Any]) -> BrandSettings | None:
        """From merged settings; None if they have no ``brand_…``. Raises ConfigurationError."""
        given = [name for name in merged if name.startswith("brand_") and merged[name] is not None]
        if not given:
            return None
        merged = masked(merged)
        brand_id = str(merged.get("brand_id") or "")
        if not brand_id:
            raise ConfigurationError(missing("brand_id", "the brand's id (品牌ID)"))
        if not _BRAND_ID.match(brand_id):
            raise ConfigurationError(f"`brand_id` (品牌ID) is digits only, not {shown(brand_id)}")
        serial = str(merged.get("brand_serial") or "").replace(":", "").upper()
        if not _SERIAL.match(serial):
            raise ConfigurationError(
                f"`brand_serial` is the serial of the brand's API certificate (品牌API证书序列号), up to 40 "
                f"hexadecimal digits, not {shown(serial)}"
            )
        credential = Credential(brand_id, serial, _signer(merged), own_scheme=BRAND_SCHEME)
        api_key = symmetric_key(merged, "brand_api_key", "(品牌API密钥) is 32 bytes")
        return cls(credential, _keys(merged), api_key)


def _signer(merged: Mapping[str, Any]) -> Signer:
    thing = merged.get("brand_private_key")
    if thing is None:
        raise ConfigurationError(missing("brand_private_key", "the key of the brand's API certificate (品牌API证书)"))
    if isinstance(thing, Signer):
        return thing
    return LocalSigner(loaded(lambda: load_private_key(revealed(thing)), "brand_private_key"))


def _keys(merged: Mapping[str, Any]) -> PlatformKeys:
    try:
        named = named_keys({"platform_keys": merged.get("brand_platform_keys")})
        keys = [platform_key(str(key_id), thing) for key_id, thing in named.items()]
    except ConfigurationError as error:
        raise ConfigurationError(f"`brand_platform_keys`: {error}") from None
    if not keys:
        raise ConfigurationError(
            "`brand_platform_keys` is missing: {'PUB_KEY_ID_…': 'pub_key.pem'}, the public key of WeChat Pay for the "
            "brand (微信支付公钥), which verifies responses"
        )
    return PlatformKeys(keys)
