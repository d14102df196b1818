"""Loads a merchant's credentials from merged settings, and checks that keys, certificate and serial fit together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen
from cryptography import x509

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat.crypto.certificates import (
    Pkcs12,
    certificate_serial,
    load_certificate,
    load_pkcs12,
    public_key_matches,
)
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, platform_key
from wxpay_dsl.wechat.crypto.shangmi import is_sm2
from wxpay_dsl.wechat.crypto.signer import Signer
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys
from wxpay_dsl.wechat.signers.absent import AbsentSigner
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wechat.v2.mutual_tls import ClientCertificate

from .brand import BrandSettings
from .redaction import shown
from .secrets import blanks_hint, loaded, masked, revealed, symmetric_key
from .sources import missing, named_keys

__all__ = ["MCHID", "SERIAL", "Credentials", "apiv2_alone", "load_credentials", "p12_password"]

#: The format of a merchant id (商户号), and of the serial of a merchant's certificate, in upper case.
MCHID: Final = re.compile(r"[0-9]{6,16}\Z")
SERIAL: Final = re.compile(r"[0-9A-F]{8,40}\Z")


@frozen
class Credentials:
    """The keys and certificates of one merchant, loaded. Its repr shows no secret."""

    #: 商户号
    mchid: str
    #: 商户API证书序列号, upper case; empty if there is no private key.
    serial: str
    #: Signs requests with the merchant's private key (商户API私钥).
    signer: Signer = field(repr=False)
    #: The configured platform keys: 微信支付公钥 / 平台证书.
    keys: PlatformKeys = field(repr=False)
    #: APIv3密钥, 32 bytes.
    apiv3_key: bytes | None = field(default=None, repr=False)
    #: APIv2密钥, 32 ASCII characters.
    apiv2_key: str | None = field(default=None, repr=False)
    #: 商户API证书 with its private key, for the operations of APIv2 that demand mutual TLS.
    client_certificate: ClientCertificate | None = field(default=None, repr=False)
    #: Secret of the WeCom application (企业微信应用的secret).
    wecom_secret: str | None = field(default=None, repr=False)
    #: The brand's keys (品牌直连), if there is a brand.
    brand: BrandSettings | None = None


def load_credentials(merged: Mapping[str, Any]) -> Credentials:
    """The credentials in merged settings. Raises ConfigurationError for those that cannot work together."""
    mchid = str(merged.get("mchid") or "")
    if not mchid:
        raise ConfigurationError(missing("mchid", "the merchant id (商户号)"))
    if not MCHID.match(mchid):
        raise ConfigurationError(f"`mchid` (商户号) is digits only, such as 1900000109, not {shown(mchid)}")
    # A client for APIv2 alone needs no keys of APIv3: its calls of APIv3 raise instead.
    alone = apiv2_alone(merged)
    merged = masked(merged)
    container = _container(merged, mchid)
    if container is not None:
        merged = {"private_key": container.private_key, "certificate": container.certificate, **merged}
    signer, serial = _signing(merged)
    return Credentials(
        mchid=mchid,
        serial=serial,
        signer=signer,
        keys=_platform_keys(merged, serial, signer, alone=alone),
        apiv3_key=symmetric_key(merged, "apiv3_key", "(APIv3密钥) is 32 bytes, as set on the merchant platform"),
        apiv2_key=_apiv2_key(merged),
        client_certificate=_client_certificate(merged, signer, container),
        wecom_secret=_text(merged, "wecom_secret"),
        brand=BrandSettings.of(merged),
    )


def apiv2_alone(merged: Mapping[str, Any]) -> bool:
    """Whether merged settings configure APIv2 but not APIv3.

    APIv2 needs ``apiv2_key``, and for some operations ``p12``, or ``certificate`` and ``private_key``. APIv3 also needs
    ``platform_keys`` or ``apiv3_key``, to verify responses.
    """
    if merged.get("apiv2_key") is None:
        return False
    if merged.get("private_key") is None:
        return True
    return merged.get("certificate") is not None and not merged.get("platform_keys") and merged.get("apiv3_key") is None


def _signing(merged: Mapping[str, Any]) -> tuple[Signer, str]:
    thing = merged.get("private_key")
    if thing is None:
        message = missing("private_key", "the merchant's private key (商户API私钥, apiclient_key.pem)")
        if merged.get("apiv2_key") is None:
            raise ConfigurationError(message)
        return AbsentSigner(message), ""
    certificate = _certificate(merged)
    serial = str(merged.get("serial") or (certificate_serial(certificate) if certificate is not None else ""))
    serial = serial.replace(":", "").upper()
    if not serial:
        raise ConfigurationError(missing("serial", "the serial of the merchant's certificate (商户API证书序列号)"))
    if serial.startswith("PUB_KEY_ID_"):
        raise ConfigurationError(
            "`serial` is WeChat Pay's public key id (微信支付公钥ID); give the serial of the merchant's own "
            "certificate: openssl x509 -in apiclient_cert.pem -noout -serial"
        )
    if not SERIAL.match(serial):
        raise ConfigurationError(f"`serial` is 8 to 40 hexadecimal digits, leading zeros kept, not {shown(serial)}")
    if certificate is not None and certificate_serial(certificate) != serial:
        raise ConfigurationError(f"`serial` is {serial}, but the certificate's is {certificate_serial(certificate)}")
    if isinstance(thing, Signer):
        return thing, serial
    if is_sm2(revealed(thing)):
        from wxpay_dsl.wechat.signers.sm2 import Sm2Signer

        return Sm2Signer(revealed(thing)), serial
    private_key = loaded(lambda: load_private_key(revealed(thing)), "private_key")
    if certificate is not None and not public_key_matches(private_key, certificate):
        raise ConfigurationError(
            "`private_key` and `certificate` do not match: take both, apiclient_key.pem and "
            "apiclient_cert.pem, from the same download of the merchant platform"
        )
    return LocalSigner(private_key), serial


def _fingerprint(signer: Signer) -> str:
    """The fingerprint of a signer's public key; empty if the key is not local."""
    key = PlatformKey("", signer.private_key.public_key()) if isinstance(signer, LocalSigner) else None
    return key.fingerprint if key is not None else ""


def _platform_keys(merged: Mapping[str, Any], serial: str, signer: Signer, *, alone: bool) -> PlatformKeys:
    keys = []
    for key_id, thing in named_keys(merged).items():
        if str(key_id) == str(merged.get("mchid")):
            raise ConfigurationError(
                f"`platform_keys`: {key_id} is the merchant id (商户号); the id of WeChat Pay's key, PUB_KEY_ID_…, "
                f"belongs here"
            )
        if str(key_id).upper() == serial:
            raise ConfigurationError(
                f"`platform_keys` holds the merchant's own certificate {serial}: give WeChat Pay's public key "
                f"(pub_key.pem with its PUB_KEY_ID_…) or its platform certificate, not apiclient_cert.pem"
            )
        try:
            key = platform_key(str(key_id), thing)
        except ConfigurationError as error:
            raise ConfigurationError(f"`platform_keys`: {error}") from None
        if _fingerprint(signer) == key.fingerprint:
            raise ConfigurationError(
                f"`platform_keys`: {key_id} holds the merchant's own public key; it must be the one of WeChat Pay "
                f"(微信支付公钥, pub_key.pem of the merchant platform)"
            )
        keys.append(key)
    if not keys and merged.get("apiv3_key") is None and not alone:
        raise ConfigurationError(
            "no key to verify responses with: give `platform_keys`, {'PUB_KEY_ID_…': 'pub_key.pem'} (微信支付公钥), or "
            "`apiv3_key` (APIv3密钥) so that the platform certificates (平台证书) can be downloaded"
        )
    return PlatformKeys(keys)


def _apiv2_key(merged: Mapping[str, Any]) -> str | None:
    value = merged.get("apiv2_key")
    if value is None:
        return None
    if not _is_apiv2_key(revealed(value)):
        given = type(value).__name__
        if isinstance(value, Secret):
            given = f"{len(value.reveal())} characters{blanks_hint(value)}"
            given += "" if value.reveal().isascii() else ", some of them not ASCII"
        elif value == "":
            given = "empty"
        raise ConfigurationError(
            f"`apiv2_key` (APIv2密钥) is 32 ASCII characters, as set on the merchant platform, not {given}"
        )
    key: str = revealed(value)
    return key


def _is_apiv2_key(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and len(value) == 32


def _text(merged: Mapping[str, Any], name: str) -> str | None:
    value = merged.get(name)
    if value is not None and not isinstance(revealed(value), str):
        raise ConfigurationError(f"`{name}` is text, in quotes in a profile, not {type(revealed(value)).__name__}")
    text: str | None = revealed(value)
    return text


def p12_password(merged: Mapping[str, Any], mchid: str) -> str | bytes | Secret:
    """The password of ``p12``, masked if the setting was; by default the merchant id.

    Raises ConfigurationError for a value that is neither text nor bytes.
    """
    value = merged.get("p12_password")
    if value is not None and not isinstance(revealed(value), (str, bytes)):
        raise ConfigurationError(f"`p12_password` is text, in quotes in a profile, not {type(value).__name__}")
    password: str | bytes | Secret = value or mchid
    return password


def _container(merged: Mapping[str, Any], mchid: str) -> Pkcs12 | None:
    """The contents of ``p12``; None if the setting is absent."""
    if merged.get("p12") is None:
        return None
    return loaded(lambda: load_pkcs12(revealed(merged["p12"]), revealed(p12_password(merged, mchid))), "p12")


def _certificate(merged: Mapping[str, Any]) -> x509.Certificate | None:
    if merged.get("certificate") is None:
        return None
    try:
        return load_certificate(merged["certificate"])
    except ConfigurationError as error:
        raise ConfigurationError(f"`certificate`: {error}") from None


def _client_certificate(
    merged: Mapping[str, Any], signer: Signer, container: Pkcs12 | None
) -> ClientCertificate | None:
    if container is not None:
        return ClientCertificate(container.private_key, container.certificate, container.chain)
    certificate = _certificate(merged)
    if certificate is None or not isinstance(signer, LocalSigner):
        return None
    return ClientCertificate(signer.private_key, certificate)
