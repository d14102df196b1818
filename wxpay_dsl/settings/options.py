"""The keyword arguments of a client, typed: what ``Wechatpay(…)`` and ``as_merchant(…)`` take.

This is the one list of setting names. The environment variables, the keys of a profile and the check for misspelt
names are derived from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from wxpay_dsl.core.observe.drift import Drift
    from wxpay_dsl.core.observe.hooks import Hook

__all__ = ["MERCHANT", "NAMES", "ClientOptions", "MerchantOptions", "unexpected"]


class MerchantOptions(TypedDict, total=False):
    """The settings that belong to one merchant, beside its ``mchid``."""

    #: Serial number of the merchant's certificate (商户API证书序列号), hexadecimal; by default that of ``certificate``.
    serial: str | None
    #: PEM, DER, a path, a key object, or a :class:`~wxpay_dsl.wechat.crypto.signer.Signer` (商户API私钥).
    private_key: Any
    #: The merchant's certificate (商户API证书): PEM, DER, or a path. With ``private_key`` it also serves mutual TLS.
    certificate: Any
    #: ``apiclient_cert.p12``: a path, or its bytes. Holds private key and certificate.
    p12: Any
    #: Password of ``p12``; the merchant id by default.
    p12_password: str | None
    #: Platform key id (``PUB_KEY_ID_…``) or certificate serial to key (微信支付公钥 / 平台证书).
    platform_keys: Mapping[str, Any] | None
    #: APIv3密钥, 32 bytes: decrypts notifications and downloaded platform certificates.
    apiv3_key: str | bytes | None
    #: APIv2密钥, 32 ASCII characters.
    apiv2_key: str | None
    #: Secret of the WeCom application (企业微信应用), for ``workwx_sign``.
    wecom_secret: str | None
    #: 品牌ID; the brand's settings are for calls below ``wxpay.brand`` (品牌直连).
    brand_id: str | None
    #: Serial number of the brand's API certificate (品牌API证书序列号).
    brand_serial: str | None
    #: Private key of the brand's API certificate; takes what ``private_key`` takes.
    brand_private_key: Any
    #: The public key of WeChat Pay for the brand; takes what ``platform_keys`` takes.
    brand_platform_keys: Mapping[str, Any] | None
    #: 品牌API密钥, 32 bytes: decrypts the brand's notifications.
    brand_api_key: str | bytes | None


class ClientOptions(MerchantOptions, total=False):
    """All settings of a client. None means not given."""

    #: 商户号, digits.
    mchid: str | None
    #: WeChat Pay's own sandbox environment of APIv2 (仿真测试系统): ``"sandboxnew"`` or ``"apiv2sandbox"``.
    v2_sandbox: str | None
    #: Origin that all calls go to; by default each goes to the host that its spec names.
    base_url: str | None
    #: Origins (``https://pay.example.com``) beside WeChat Pay's own to which signed calls may go. A call to any other
    #: host is refused, because a signature does not cover the host name.
    hosts: Sequence[str] | None
    #: Folders of YAML specs, read after the package's own.
    specs: Sequence[str | Path] | None
    #: Refuse paths that no spec declares.
    strict: bool | None
    #: Send fields to an undeclared path even if a similar declared path encrypts some of them.
    undeclared: bool | None
    #: Check fields before sending: True, False or ``"strict"``.
    validate: bool | str | None
    #: Seconds for a whole call, retries included (30).
    timeout: float | None
    #: URL of a forward proxy, such as ``http://user:password@127.0.0.1:3128``.
    proxy: str | None
    #: PEM file, or its text, of certificate authorities trusted beside the system's.
    ca: str | Path | None
    #: Maximum number of simultaneous connections (100).
    max_connections: int | None
    #: Number of times that a call which is safe to repeat is sent again (2; 0 for never).
    retries: int | None
    #: Origin used while ``base_url`` cannot be reached: the service's second host by default, ``"none"`` for none.
    backup_url: str | None
    #: Share of calls, 0.0 to 1.0, that ask for the public key (微信支付公钥) while a merchant migrates to it (1.0).
    public_key_ratio: float | None
    #: Folder or ``redis://`` URL that keeps downloaded platform certificates (平台证书) for the next start.
    certificate_store: Any
    #: Path that certificates are downloaded from; ``/v3/global/certificates`` for a merchant overseas.
    certificates_path: str | None
    #: Seconds between two scheduled downloads of certificates (43200, 12 hours).
    certificates_interval: float | None
    #: Least number of seconds between any two downloads (60), however many responses name an unknown key.
    certificates_minimum_interval: float | None
    #: Context-manager functions run around each call (:mod:`wxpay_dsl.core.observe.hooks`).
    hooks: Sequence[Hook] | None
    #: A function called once for each difference between a response or notification and its spec, or the file that
    #: differences are appended to, for ``wxpay drift`` (:mod:`wxpay_dsl.core.observe.drift`).
    on_drift: Callable[[Drift], None] | str | Path | None


#: The names of all settings.
NAMES: Final = tuple(ClientOptions.__annotations__)
#: The settings that belong to one merchant; all others are shared by the merchants of a process.
MERCHANT: Final = ("mchid", *MerchantOptions.__annotations__)


def unexpected(function: str, given: Mapping[str, Any], names: Sequence[str]) -> str:
    """The message of a TypeError for a keyword in ``given`` that is not in ``names``; empty if there is none."""
    from wxpay_dsl.core.specs.grammar import nearest

    for name in given:
        if name not in names:
            return f"{function}() got an unexpected keyword argument {name!r:.80}{nearest(name[:80], names)}"
    return ""
