"""Explains why the signature of a notification is valid or not: the headers, the key, and how a proxy or framework
probably changed the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from wxpay_dsl.core.errors import ConfigurationError, SdkError
from wxpay_dsl.notify.notification import SUBJECT
from wxpay_dsl.notify.parsing.alterations import find_alteration, remaining_cause, signed_message, visible_alteration
from wxpay_dsl.notify.parsing.v2 import merchant_of, open_v2, read_v2
from wxpay_dsl.notify.parsing.v3 import open_v3
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, is_public_key_id
from wxpay_dsl.wechat.errors import MalformedTimestampError, MissingHeaderError
from wxpay_dsl.wechat.merchant_keys import MerchantKeys
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.verification import CLOCK_WINDOW, SignatureHeaders, read_headers

from .check import Check

__all__ = ["diagnose_v2", "diagnose_v3"]

#: Maximum length of a displayed body or value.
_SHOWN: Final = 300


def diagnose_v3(
    headers: Mapping[str, str], body: bytes, merchant_keys: MerchantKeys, keys: Mapping[str, PlatformKey], now: float
) -> Iterator[Check]:
    """The checks of an APIv3 notification; the last failed one tells why it is refused.

    ``keys``: the known platform keys, by id; ``now``: Unix time in seconds. Raises nothing, whatever was received.
    """
    try:
        signed = read_headers(headers, SUBJECT)
    except (MissingHeaderError, MalformedTimestampError) as error:
        have = ", ".join(name for name in headers if name.lower().replace("_", "-").startswith("wechatpay"))
        yield Check("headers", good=False, text=f"{error.message} (present: {have or 'no Wechatpay-* headers'})")
        return
    yield Check("headers", good=True, text="Wechatpay-Timestamp, -Nonce, -Signature and -Serial are present")
    if signed.signature.startswith(signing_v3.PROBE_PREFIX):
        text = "WECHATPAY/SIGNTEST/: a probe that WeChat Pay signs wrongly on purpose (签名探测流量); refuse it"
        yield Check("probe", good=False, text=text)
        return
    yield _clock(signed, now)
    key = keys.get(signed.serial) or keys.get(signed.serial.upper())
    yield _key(signed, key, keys)
    yield _length(headers, body)
    message = signed_message(signed, body)
    yield Check("message", good=None, text=f"{len(message)} bytes signed: {_shown(message)}")
    if key is not None and signing_v3.verify(message, signed.signature, key.public_key):
        yield Check("signature", good=True, text=f"valid for {key.id} and these bytes")
    else:
        yield Check("signature", good=False, text=_why(signed, key, keys, headers, body, merchant_keys))
        return
    try:
        notification = open_v3(body, (merchant_keys,))
    except SdkError as error:
        yield Check("resource", good=False, text=str(error))
        return
    yield Check("resource", good=True, text=f"decrypted: {notification.type}, id {notification.id}")


def _why(
    signed: SignatureHeaders,
    key: PlatformKey | None,
    keys: Mapping[str, PlatformKey],
    headers: Mapping[str, str],
    body: bytes,
    merchant_keys: MerchantKeys,
) -> str:
    """Why the signature is not valid: first what can be proven, last a wrong key."""
    return (
        find_alteration(signed, body, keys)
        or visible_alteration(body, headers)
        or remaining_cause(body, key, merchant_keys)
    )


def diagnose_v2(body: bytes, merchant_keys: MerchantKeys) -> Iterator[Check]:
    """The checks of an APIv2 notification, like :func:`diagnose_v3`."""
    try:
        fields = read_v2(body)
    except SdkError as error:
        yield Check("XML", good=False, text=str(error))
        return
    yield Check("XML", good=True, text=f"{len(fields)} fields: {', '.join(list(fields)[:40])}")
    named = merchant_of(fields)
    matches = named in ("", merchant_keys.mchid)
    relation = "the merchant of this profile" if matches else f"but the profile is of {merchant_keys.mchid}"
    text = f"for {named}, {relation}" if named else "it names no merchant"
    yield Check("merchant", good=matches, text=text)
    if not merchant_keys.apiv2_key:
        yield Check("key", good=False, text="the profile has no APIv2 key: add `apiv2_key` (APIv2密钥)")
        return
    if "req_info" not in fields:
        yield from _sign(fields, merchant_keys.apiv2_key)
    try:
        notification = open_v2(fields, merchant_keys, lambda kind: None)
    except (SdkError, ConfigurationError) as error:
        yield Check("content", good=False, text=str(error))
        return
    unsigned = "" if notification.signed else "; it is not signed, so query the refund before acting on it"
    yield Check("content", good=True, text=f"{notification.type}, id {notification.id}{unsigned}")


def _sign(fields: Mapping[str, str], secret: str) -> Iterator[Check]:
    given = fields.get("sign", "")
    kind = {32: signing_v2.MD5, 64: signing_v2.HMAC_SHA256}.get(len(given))
    if kind is None:
        yield Check("sign", good=False, text=f"`sign` is {len(given)} characters; MD5 has 32, HMAC-SHA256 64")
        return
    names = sorted(name for name, value in fields.items() if value and name != "sign")
    joined = "&".join(f"{name}={fields[name]}" for name in names)
    yield Check("message", good=None, text=f"{kind} over: {joined}&key=…")
    if signing_v2.verify(fields, secret):
        yield Check("sign", good=True, text=f"valid {kind} with the APIv2 key")
        return
    causes = [
        name
        for name, changed in (
            ("white space around values was removed or added", {key: value.strip() for key, value in fields.items()}),
            ("`+` was turned into a space", {key: value.replace(" ", "+") for key, value in fields.items()}),
            ("`sign` was written in lower case", {**fields, "sign": given.upper()}),
        )
        if signing_v2.verify(changed, secret)
    ]
    text = causes[0] if causes else "the APIv2 key (APIv2密钥) is wrong, or a field was changed in transit"
    yield Check("sign", good=False, text=f"not the {kind} of these fields with the APIv2 key: {text}")


def _clock(signed: SignatureHeaders, now: float) -> Check:
    age = int(now) - signed.timestamp
    if abs(age) <= CLOCK_WINDOW:
        return Check("clock", good=True, text=f"signed {age} s ago, within {CLOCK_WINDOW} s")
    if age > 0:
        text = (
            f"signed {age} s ago: expected if it was stored since; if it arrived just now, this clock is fast (run NTP)"
        )
    else:
        text = f"signed {-age} s ahead of this machine's clock: it is slow (run NTP)"
    return Check("clock", good=None, text=text)


def _key(signed: SignatureHeaders, key: PlatformKey | None, keys: Mapping[str, PlatformKey]) -> Check:
    mode = "a public key (微信支付公钥)" if is_public_key_id(signed.serial) else "a certificate (微信支付平台证书)"
    if key is not None:
        return Check("key", good=True, text=f"signed by {key.id}, {mode}, which is known")
    have = ", ".join(keys) or "none"
    text = f"signed by {signed.serial[:80]}, {mode}, which is not known (known: {have}): "
    if is_public_key_id(signed.serial):
        text += "add it to `platform_keys`: pub_key.pem and its id are on the merchant platform"
        if any(not is_public_key_id(key_id) for key_id in keys):
            text += "; the merchant has migrated to public-key mode"
    else:
        text += "download the platform certificates (`apiv3_key` lets the client do it)"
        if keys and all(is_public_key_id(key_id) for key_id in keys):
            text += "; the profile is in public-key mode, the service still signs with certificates for this URL"
    return Check("key", good=False, text=text)


def _length(headers: Mapping[str, str], body: bytes) -> Check:
    declared = next((value for name, value in headers.items() if name.lower() == "content-length"), None)
    if declared is None or not re.fullmatch(r"[0-9]{1,18}", declared.strip()):
        return Check("body", good=None, text=f"{len(body)} bytes")
    good = int(declared) == len(body)
    text = (
        f"{len(body)} bytes, as Content-Length says" if good else f"{len(body)} bytes; Content-Length says {declared}"
    )
    return Check("body", good=good, text=text)


def _shown(message: bytes) -> str:
    text = message[:_SHOWN].decode("utf-8", "replace").replace("\n", "\\n")
    return f"{text} …" if len(message) > _SHOWN else text
