"""Verifies what WeChat Pay signed, answers and notifications alike, before anything of it is parsed.

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

#: Seconds that a signature may be away from the local clock, either way.
CLOCK_WINDOW: Final = 300

#: Of Unix time in seconds; more are nonsense, and take time to read.
_DIGITS: Final = 12
#: How compressed bodies begin.
_MAGICS: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x78\x9c", "deflate"),
    (b"\x78\xda", "deflate"),
)
_NAMES: Final = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")


@define(on_setattr=setters.frozen)  # frozen too, and made in a third of the time
class SignatureHeaders:
    """The four headers of a signature. ``timestamp`` is Unix time in seconds."""

    timestamp: int
    #: As it came: this text is what was signed.
    timestamp_text: str
    nonce: str
    signature: str = field(repr=False)
    serial: str = ""


def read_headers(headers: Mapping[str, str], subject: str, *, outcome_unknown: bool = False) -> SignatureHeaders:
    """The signature's headers, whatever the case of their names.

    Raises MissingHeaderError, or MalformedTimestampError.
    """
    get = headers.get
    values: tuple[str | None, ...] = get(_NAMES[0]), get(_NAMES[1]), get(_NAMES[2]), get(_NAMES[3])
    if not all(values):
        # A plain dict knows one spelling; WSGI (Django's `request.META`) and proxies have others.
        lowered = {_plain_name(name): value for name, value in headers.items()}
        values = tuple(lowered.get(name.lower()) for name in _NAMES)
    if not all(values):
        name = next(name for name, value in zip(_NAMES, values, strict=True) if not value)
        message = (
            f"the header {name} is missing, so nobody vouches for this: was it WeChat Pay that answered, and "
            f"does a proxy on the way drop headers?"
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
            f"wrong (compare it with the answer's Date header; run NTP)"
        )
        raise ClockSkewError(subject, message, outcome_unknown, age=age)


def unknown_serial(
    signed: SignatureHeaders, known: list[str], subject: str, *, outcome_unknown: bool = False
) -> UnknownSerialError:
    """The error for a serial that no key at hand has."""
    have = ", ".join(known) or "none"
    message = (
        f"signed by the platform key {signed.serial[:80]!r}, which is not known here (known: {have}): give the "
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
    """Raises BadSignatureError unless ``key`` signed exactly these bytes. ``headers`` help to say what is wrong.

    Probes (``WECHATPAY/SIGNTEST/…``), which the service signs wrongly on purpose, fail like any other.
    """
    try:
        message = signing_v3.response_message(signed.timestamp_text, signed.nonce, body)
        good = signing_v3.verify(message, signed.signature, key.public_key)
    except ValueError:
        good = False
    if good:
        return
    if signed.signature.startswith(signing_v3.PROBE_PREFIX):
        text = "a probe that is signed wrongly on purpose (签名探测流量): refusing it is right"
    else:
        text = f"the signature is not that of {key.id} over these {len(body)} bytes: {_suspicion(body, headers or {})}"
    raise BadSignatureError(subject, text, outcome_unknown, serial=key.id)


def _suspicion(body: bytes, headers: Mapping[str, str]) -> str:
    """What most probably happened to a body whose signature is wrong."""
    if not body:
        return "the body is empty: it was dropped on its way, or was read before"
    packing = packed(body, headers)
    if packing:
        return (
            f"the body is packed ({packing}), which WeChat Pay does not do: a proxy packed it; have it sent as it came"
        )
    return (
        "the body was changed on its way (re-serialised, re-encoded, cut), or the key under this id is not WeChat Pay's"
    )


def packed(body: bytes, headers: Mapping[str, str]) -> str:
    """By what a body was compressed, as its first bytes or ``Content-Encoding`` say; nothing for one that was not."""
    for magic, name in _MAGICS:
        if body.startswith(magic):
            return name
    told = next((str(value) for name, value in headers.items() if _plain_name(name) == "content-encoding"), "").strip()
    # What begins as JSON or XML is not compressed, whatever the header says.
    if told.lower() in ("", "identity") or body.lstrip()[:1] in (b"{", b"[", b"<"):
        return ""
    return told[:40]


def _plain_name(name: object) -> str:
    return str(name).removeprefix("HTTP_").lower().replace("_", "-")
