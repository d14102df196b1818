"""Verifies the signatures of responses and notifications before they are parsed.

https://pay.weixin.qq.com/doc/v3/merchant/4013053249
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import define, field, setters

from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.errors import (
    BadSignatureError,
    ClockSkewError,
    MalformedTimestampError,
    MissingHeaderError,
    UnknownSerialError,
)

from . import signing as signing_v3

__all__ = [
    "CLOCK_WINDOW",
    "SignatureHeaders",
    "check_clock",
    "check_signature",
    "packed",
    "read_headers",
    "unknown_serial",
]

#: Seconds that a signature's timestamp may differ from the local clock, in either direction.
CLOCK_WINDOW: Final = 300

#: The most digits of a timestamp; converting very long ones takes time.
_DIGITS: Final = 12
#: The first bytes of compressed bodies.
_MAGICS: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x78\x9c", "deflate"),
    (b"\x78\xda", "deflate"),
)
_NAMES: Final = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")


@define(on_setattr=setters.frozen)  # immutable as well, and created in a third of the time of @frozen
class SignatureHeaders:
    """The four headers of a signed response or notification. ``timestamp`` is Unix time in seconds."""

    timestamp: int
    #: The header's exact text, which is part of the signed message.
    timestamp_text: str
    nonce: str
    signature: str = field(repr=False)
    serial: str = ""


def read_headers(headers: Mapping[str, str], subject: str, *, outcome_unknown: bool = False) -> SignatureHeaders:
    """The four ``Wechatpay-*`` headers, with names in any case or in WSGI's form (``HTTP_WECHATPAY_NONCE``).

    Raises MissingHeaderError or MalformedTimestampError.
    """
    get = headers.get
    values: tuple[str | None, ...] = get(_NAMES[0]), get(_NAMES[1]), get(_NAMES[2]), get(_NAMES[3])
    if not all(values):
        # A plain dict is case-sensitive; WSGI (Django's `request.META`) and proxies use other spellings.
        lowered = {_normalized_name(name): value for name, value in headers.items()}
        values = tuple(lowered.get(name.lower()) for name in _NAMES)
    if not all(values):
        name = next(name for name, value in zip(_NAMES, values, strict=True) if not value)
        message = (
            f"the header {name} is missing, so the signature cannot be verified: check that WeChat Pay sent this, and "
            f"that no proxy removes headers"
        )
        raise MissingHeaderError(subject, message, outcome_unknown, header=name)
    timestamp, nonce, signature, serial = map(str, values)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
        message = f"Wechatpay-Timestamp is {timestamp[:40]!r}, not Unix time in seconds"
        raise MalformedTimestampError(subject, message, outcome_unknown, timestamp=timestamp)
    return SignatureHeaders(int(timestamp), timestamp, nonce, signature, serial)


def check_clock(signed: SignatureHeaders, now: float, subject: str, *, outcome_unknown: bool = False) -> None:
    """Raises ClockSkewError for what was signed more than :data:`CLOCK_WINDOW` seconds from ``now`` (Unix time)."""
    age = int(now) - signed.timestamp
    if abs(age) > CLOCK_WINDOW:
        when = f"{age} s ago" if age > 0 else f"{-age} s ahead of this machine's clock"
        message = (
            f"signed {when}, at most {CLOCK_WINDOW} s are accepted: it is a replay, or this machine's clock is "
            f"wrong (compare it with the response's Date header; run NTP)"
        )
        raise ClockSkewError(subject, message, outcome_unknown, age=age)


def unknown_serial(
    signed: SignatureHeaders, key_ids: list[str], subject: str, *, outcome_unknown: bool = False
) -> UnknownSerialError:
    """The error for a serial that is not among ``key_ids``, the loaded keys."""
    have = ", ".join(key_ids) or "none"
    message = (
        f"signed by the platform key {signed.serial[:80]!r}, which is not loaded (loaded: {have}): give the "
        f"public key (微信支付公钥) with this id, or, in certificate mode, the APIv3 key so that it can be downloaded"
    )
    return UnknownSerialError(subject, message, outcome_unknown, serial=signed.serial)


def check_signature(
    signed: SignatureHeaders,
    body: bytes,
    key: PlatformKey,
    subject: str,
    *,
    outcome_unknown: bool = False,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Raises BadSignatureError unless ``key`` signed exactly these bytes; ``headers`` improve its message.

    Probes (``WECHATPAY/SIGNTEST/…``), which the service signs wrongly on purpose, fail like any other bad signature.
    """
    try:
        message = signing_v3.response_message(signed.timestamp_text, signed.nonce, body)
        valid = signing_v3.verify(message, signed.signature, key.public_key)
    except ValueError:
        valid = False
    if valid:
        return
    if signed.signature.startswith(signing_v3.PROBE_PREFIX):
        text = "a probe that is signed wrongly on purpose (签名探测流量): rejecting it is right"
    else:
        text = (
            f"the signature is not that of {key.id} over these {len(body)} bytes: {_likely_cause(body, headers or {})}"
        )
    raise BadSignatureError(subject, text, outcome_unknown, serial=key.id)


def _likely_cause(body: bytes, headers: Mapping[str, str]) -> str:
    """The most likely reason why the signature over a body is wrong."""
    if not body:
        return "the body is empty: it was lost in transit, or was read before"
    packing = packed(body, headers)
    if packing:
        return f"the body is packed ({packing}), which WeChat Pay does not do: a proxy packed it; switch that off"
    return (
        "the body was changed on its way (re-serialised, re-encoded, cut), or the key under this id is not WeChat Pay's"
    )


def packed(body: bytes, headers: Mapping[str, str]) -> str:
    """The compression of a body (``gzip`` …), by its first bytes or ``Content-Encoding``; empty if there is none."""
    for magic, name in _MAGICS:
        if body.startswith(magic):
            return name
    encoding = next(
        (str(value) for name, value in headers.items() if _normalized_name(name) == "content-encoding"), ""
    ).strip()
    # A body that starts like JSON or XML is not compressed, whatever the header says.
    if encoding.lower() in ("", "identity") or body.lstrip()[:1] in (b"{", b"[", b"<"):
        return ""
    return encoding[:40]


def _normalized_name(name: object) -> str:
    return str(name).removeprefix("HTTP_").lower().replace("_", "-")
