"""Settings of platform keys: which kind to request, where certificates are downloaded from and stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.platform_keys.store import KeyStore, key_store

from .connections import number
from .secrets import loaded, revealed

__all__ = ["PlatformKeySettings"]

_PATH: Final = "/v3/certificates"
_OVERSEAS_PATH: Final = "/v3/global/certificates"
_OVERSEAS_HOST: Final = "apihk.mch.weixin.qq.com"


@frozen
class PlatformKeySettings:
    """How a client obtains platform keys that are not configured."""

    #: Share of calls, 0.0 to 1.0, that request the public key (微信支付公钥) if there are certificates too.
    public_key_ratio: float = 1.0
    #: Where downloaded certificates are stored; None for memory only.
    certificate_store: KeyStore | None = field(default=None, repr=False)
    #: Path of the endpoint that they are downloaded from.
    certificates_path: str = _PATH
    #: Seconds between scheduled downloads, and least number of seconds between downloads for unknown serials.
    certificates_interval: float = 12 * 3600.0
    certificates_minimum_interval: float = 60.0

    @classmethod
    def of(cls, merged: Mapping[str, Any], base_url: str | None) -> PlatformKeySettings:
        """From merged settings. Raises ConfigurationError."""
        store = merged.get("certificate_store")
        overseas = base_url is not None and _OVERSEAS_HOST in base_url
        path = str(merged.get("certificates_path") or (_OVERSEAS_PATH if overseas else _PATH))
        if not path.startswith("/") or any(character in path for character in "# \r\n\\"):
            message = f"`certificates_path` is a path such as {_PATH} or {_OVERSEAS_PATH}, not {path!r:.80}"
            raise ConfigurationError(message)
        return cls(
            public_key_ratio=number(merged, "public_key_ratio", 1.0, 0.0, 1.0),
            certificate_store=loaded(lambda: key_store(revealed(store))) if store is not None else None,
            certificates_path=path,
            certificates_interval=number(merged, "certificates_interval", 12 * 3600.0, 1, 7 * 86400),
            certificates_minimum_interval=number(merged, "certificates_minimum_interval", 60.0, 0.1, 86400),
        )
