"""Settings of the platform's keys: which kind to ask for, where certificates come from and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from wxpay_dsl.connection_settings import number
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.secret_settings import loaded, revealed
from wxpay_dsl.wechat.key_store import KeyStore, key_store

__all__ = ["PlatformKeySettings"]

_PATH: Final = "/v3/certificates"
_OVERSEAS_PATH: Final = "/v3/global/certificates"
_OVERSEAS_HOST: Final = "apihk.mch.weixin.qq.com"


@frozen
class PlatformKeySettings:
    """How a client comes by the keys of WeChat Pay that are not configured."""

    #: The share of calls that ask for the public key (微信支付公钥) while there are certificates too: 0.0 to 1.0.
    public_key_ratio: float = 1.0
    #: Where downloaded certificates are kept; None: in memory only.
    certificate_store: KeyStore | None = field(default=None, repr=False)
    #: Where they are downloaded from.
    certificates_path: str = _PATH
    #: Seconds between two downloads on schedule, and between any two of those that unknown serials cause.
    certificates_interval: float = 12 * 3600.0
    certificates_minimum_interval: float = 60.0

    @classmethod
    def of(cls, merged: Mapping[str, Any], base_url: str | None) -> PlatformKeySettings:
        """From the settings as given. Raises ConfigurationError."""
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
