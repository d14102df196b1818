"""Offline checks of settings: whether keys, certificate and serial are valid and belong together."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.diagnosis.check import Check
from wxpay_dsl.settings.credentials import MCHID, SERIAL, apiv2_alone, p12_password
from wxpay_dsl.settings.file_permissions import exposure
from wxpay_dsl.settings.redaction import shown
from wxpay_dsl.settings.secrets import revealed
from wxpay_dsl.settings.settings import named_keys
from wxpay_dsl.wechat.crypto.certificates import (
    certificate_serial,
    certificate_subject,
    load_certificate,
    load_pkcs12,
    public_key_matches,
)
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.crypto.pem import file_of
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, is_public_key_id, platform_key
from wxpay_dsl.wechat.crypto.shangmi import is_sm2
from wxpay_dsl.wechat.crypto.signer import Signer

__all__ = ["examine_credentials"]

#: How long before its expiry a certificate causes a warning.
_SOON: Final = timedelta(days=30)
_PLATFORM: Final = "the merchant platform (pay.weixin.qq.com > 账户中心 > API安全)"
_PAIR: Final = f"take apiclient_key.pem and apiclient_cert.pem from one download of {_PLATFORM}"


@frozen
class _KeyPair:
    """The merchant's private key and certificate, as far as they could be loaded."""

    private_key: RSAPrivateKey | None = None
    certificate: x509.Certificate | None = None


def examine_credentials(merged: Mapping[str, Any], profile: str | Path | None = None) -> Iterator[Check]:
    """The checks of merged settings, one for each error. ``profile``: the file that they came from, if any."""
    merged = {name: revealed(value) for name, value in merged.items()}
    mchid = str(merged.get("mchid") or "")
    if MCHID.match(mchid):
        yield Check("merchant", good=True, text=f"mchid {mchid} (商户号)")
    else:
        problem = f"{shown(mchid)} is not 6 to 16 digits only" if mchid else "missing"
        yield Check("merchant", good=False, text=f"mchid (商户号): {problem}", mend=f"{_PLATFORM} shows it")
    if merged.get("private_key") is None and merged.get("p12") is None and merged.get("apiv2_key") is not None:
        yield Check("private key", good=None, text="none: only APIv2 can be called")
        pair = _KeyPair()
    else:
        pair = yield from _own(merged, mchid)
        yield from _serial(merged, pair)
    yield from _platform_keys(merged, pair.private_key)
    yield from _secrets(merged)
    yield from _files(merged, profile)


def _own(merged: Mapping[str, Any], mchid: str) -> Generator[Check, None, _KeyPair]:
    """The merchant's key and certificate (商户API私钥, 商户API证书)."""
    thing = merged.get("private_key")
    key: RSAPrivateKey | None = None
    certificate: x509.Certificate | None = None
    named = merged.get("certificate")
    if merged.get("p12") is not None:
        try:
            container = load_pkcs12(merged["p12"], revealed(p12_password(merged, mchid)))
        except ConfigurationError as error:
            yield Check("p12", good=False, text=str(error))
            return _KeyPair()
        yield Check("p12", good=True, text="it has a private key and its certificate")
        key, certificate = container.private_key, container.certificate
    if isinstance(thing, Signer):
        yield Check("private key", good=None, text=f"not local: {type(thing).__name__} signs")
    elif thing is not None and is_sm2(thing):
        yield Check(
            "private key", good=None, text="an SM2 key (国密); whether it matches the certificate is not checked"
        )
        return _KeyPair()
    elif thing is not None:
        try:
            key = load_private_key(thing)
        except ConfigurationError as error:
            yield Check("private key", good=False, text=str(error), mend=_PAIR)
        else:
            yield Check("private key", good=True, text=f"RSA-{key.key_size} (商户API私钥)")
    elif key is None:
        yield Check("private key", good=False, text="`private_key` (商户API私钥) is missing", mend=_PAIR)
    file = file_of(thing)
    if named is None and certificate is None and file is not None and (file.parent / "apiclient_cert.pem").is_file():
        named = file.parent / "apiclient_cert.pem"
    if named is not None:
        try:
            certificate = load_certificate(named)
        except ConfigurationError as error:
            yield Check("certificate", good=False, text=str(error), mend=_PAIR)
    if certificate is not None:
        yield from _certificate(certificate, mchid)
        if key is not None:
            same = public_key_matches(key, certificate)
            text = "private key and certificate match" if same else "the private key does not match the certificate"
            yield Check("pair", good=same, text=text, mend="" if same else _PAIR)
    return _KeyPair(key, certificate)


def _certificate(certificate: x509.Certificate, mchid: str) -> Iterator[Check]:
    now, end = datetime.now(UTC), certificate.not_valid_after_utc
    renew = f"make a new one on {_PLATFORM} > 商户API证书"
    described = f"{certificate_serial(certificate)}, until {end:%Y-%m-%d} (商户API证书)"
    if end < now:
        yield Check("certificate", good=False, text=f"{described}: it has expired", mend=renew)
    elif certificate.not_valid_before_utc > now:
        text = f"{described}: it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}; is this clock slow?"
        yield Check("certificate", good=False, text=text)
    elif end - now < _SOON:
        yield Check("certificate", good=None, text=f"{described}: expires in {(end - now).days} days", mend=renew)
    else:
        yield Check("certificate", good=True, text=described)
    subject = certificate_subject(certificate)
    if subject and mchid and subject != mchid:
        text = f"the certificate belongs to merchant {subject}, but `mchid` is {mchid}"
        yield Check("certificate", good=False, text=text, mend="use the certificate of this merchant")


def _serial(merged: Mapping[str, Any], pair: _KeyPair) -> Iterator[Check]:
    given = str(merged.get("serial") or "").replace(":", "").upper()
    show = "openssl x509 -in apiclient_cert.pem -noout -serial shows it"
    if not given and pair.certificate is None:
        yield Check("serial", good=False, text="`serial` (商户API证书序列号) is missing", mend=show)
    elif given.startswith("PUB_KEY_ID_"):
        text = "`serial` is WeChat Pay's public key id (微信支付公钥ID), not the serial of the merchant's certificate"
        yield Check("serial", good=False, text=text, mend=show)
    elif given and not SERIAL.match(given):
        text = f"`serial` (商户API证书序列号) is 8 to 40 hexadecimal digits, not {shown(given)}"
        right = certificate_serial(pair.certificate) if pair.certificate is not None else ""
        yield Check("serial", good=False, text=text, mend=f"serial = {right!r}" if right else show)
    elif pair.certificate is not None and given:
        right = certificate_serial(pair.certificate)
        lost = ": its leading zeros are missing" if right != given and right.lstrip("0") == given.lstrip("0") else ""
        text = "it matches the certificate" if right == given else f"it is {given}, the certificate's is {right}{lost}"
        yield Check("serial", good=right == given, text=text, mend="" if right == given else f"serial = {right!r}")
    elif given:
        text = (
            "not checked, as there is no certificate to compare it with; the signed call will show whether it is right"
        )
        yield Check("serial", good=None, text=text, mend="give `certificate` (apiclient_cert.pem)")


def _platform_keys(merged: Mapping[str, Any], own: RSAPrivateKey | None) -> Iterator[Check]:
    """微信支付公钥 and 平台证书."""
    try:
        named = named_keys(merged)
    except ConfigurationError as error:
        yield Check("platform_keys", good=False, text=str(error))
        return
    take = f"pub_key.pem and its id are on {_PLATFORM} > 微信支付公钥"
    for key_id, thing in named.items():
        try:
            key = platform_key(str(key_id), thing)
        except ConfigurationError as error:
            yield Check("platform key", good=False, text=str(error), mend=take)
            continue
        if own is not None and key.fingerprint == PlatformKey("", own.public_key()).fingerprint:
            text = f"{key.id} is the merchant's own key; give the one of WeChat Pay"
            yield Check("platform key", good=False, text=text, mend=take)
        elif key.not_after is not None and key.not_after < datetime.now(UTC):
            mend = "give `apiv3_key`, so that the new one is downloaded, or migrate to public-key mode"
            text = f"the platform certificate {key.id} expired on {key.not_after:%Y-%m-%d}"
            yield Check("platform key", good=False, text=text, mend=mend)
        else:
            kind = "public key (微信支付公钥)" if is_public_key_id(key.id) else "certificate (平台证书)"
            yield Check("platform key", good=True, text=f"{key.id}, {kind}")
    nothing = not named and merged.get("apiv3_key") is None and merged.get("private_key") is not None
    if nothing and not apiv2_alone(merged):
        text = "no key to verify responses with: neither `platform_keys` nor `apiv3_key`"
        yield Check("platform key", good=False, text=text, mend=take)


def _secrets(merged: Mapping[str, Any]) -> Iterator[Check]:
    for name, title in (("apiv3_key", "APIv3密钥"), ("apiv2_key", "APIv2密钥")):
        value = merged.get(name)
        if value is None:
            if name == "apiv3_key":
                text = f"`{name}` ({title}) is not given: notifications and certificates cannot be decrypted"
                yield Check("APIv3 key", good=None, text=text)
            continue
        if not isinstance(value, (str, bytes)):
            text = f"`{name}` ({title}) is text of 32 characters, in quotes in a profile, not {type(value).__name__}"
            yield Check(f"{title[:5]} key", good=False, text=text)
            continue
        size = len(value.encode() if isinstance(value, str) else value)
        good = size == 32
        text = f"32 bytes ({title})" if good else f"`{name}` ({title}) is {size} bytes; it must be 32"
        if not good and isinstance(value, str) and len(value.strip()) == 32:
            text += ": there are blanks around it"
        step = "APIv3 key" if name == "apiv3_key" else "APIv2 key"
        yield Check(step, good=good, text=text, mend="" if good else f"it is set on {_PLATFORM} > {title}")


def _files(merged: Mapping[str, Any], profile: str | Path | None) -> Iterator[Check]:
    """Warnings for files with secrets that other users can read."""
    files = [file_of(merged.get(name)) for name in ("private_key", "p12")]
    if profile is not None:
        files.append(Path(profile))
    for file in filter(None, files):
        seen = exposure(file)
        if seen:
            text = f"{file} can be read by {seen}"
            yield Check("files", good=None, text=text, mend=f"chmod 600 {os.fspath(file)}")
