"""Builds and parses the ``Authorization`` header of APIv3: signer, time, nonce, certificate and signature.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

import os
import re

from attrs import field, frozen

from wxpay_dsl.core.errors import SdkError

__all__ = ["BRAND_SCHEME", "RSA_SCHEME", "SM2_SCHEME", "Authorization", "AuthorizationError", "build", "nonce", "parse"]

RSA_SCHEME = "WECHATPAY2-SHA256-RSA2048"
SM2_SCHEME = "WECHATPAY2-SM2-WITH-SM3"
#: 品牌直连: the brand signs with its own certificate; the header has `brand_id` instead of `mchid`.
BRAND_SCHEME = "WECHATPAY-BRAND-SHA256-RSA2048"
_SCHEMES = (RSA_SCHEME, SM2_SCHEME, BRAND_SCHEME)

#: In the order in which they are sent; the service accepts any order.
_NAMES = ("mchid", "nonce_str", "timestamp", "serial_no", "signature")
_BRAND_NAMES = ("brand_id", *_NAMES[1:])
#: The longest header that is parsed, enough for a 4096-bit signature; a real one has 550 characters.
_LIMIT = 2048

#: A quoted value: visible ASCII without quotation marks and backslashes, so without CR and LF too.
_VALUE = re.compile(r"[!#-\[\]-~]+")
_PAIR = re.compile(r'[ \t]*([a-z_]{1,32})="([!#-\[\]-~]*)"[ \t]*(,|\Z)')
_SECONDS = re.compile(r"[0-9]{1,12}")


@frozen(str=False)
class AuthorizationError(SdkError):
    """An ``Authorization`` header cannot be built or parsed. The text never shows a signature."""

    message: str

    def __str__(self) -> str:
        return f"Authorization: {self.message}"


@frozen
class Authorization:
    """The parts of an ``Authorization`` header. ``timestamp`` is Unix time in seconds."""

    #: The merchant's id; with the scheme of brands, the brand's id.
    mchid: str
    serial: str
    timestamp: int
    nonce: str
    #: Base64; not in the repr, which may be logged.
    signature: str = field(repr=False)
    scheme: str = RSA_SCHEME


def nonce() -> str:
    """A nonce (随机串): 128 bits from the system's random source, as 32 characters of upper-case hexadecimal."""
    return os.urandom(16).hex().upper()


def build(
    mchid: str, serial: str, timestamp: int | str, nonce: str, signature: str, *, scheme: str = RSA_SCHEME
) -> str:
    """The header's value. ``serial`` is that of the merchant's certificate, ``signature`` is base64. With the scheme
    of brands, ``mchid`` and ``serial`` are those of the brand.

    Raises :class:`AuthorizationError` for a value that is empty or contains a quotation mark, a backslash, white space,
    a line break or a non-ASCII character, which could end the header early and start another one.
    """
    values = (mchid, nonce, str(timestamp), serial, signature)
    # One check of all values, because every call passes here; the bad one is looked up only if the check fails. It
    # accepts what _VALUE matches, in a fifth of the time.
    text = "".join(values)
    plain = text.isascii() and text.isprintable() and not (" " in text or '"' in text or "\\" in text)
    if not plain or not all(values):
        name = next(n for n, v in zip(_names_of(scheme), values, strict=True) if _VALUE.fullmatch(v) is None)
        raise AuthorizationError(f"{name} is empty or has a character that a quoted value must not have")
    id_name = "brand_id" if scheme == BRAND_SCHEME else "mchid"
    return (
        f'{scheme} {id_name}="{mchid}",nonce_str="{nonce}",timestamp="{timestamp}",'
        f'serial_no="{serial}",signature="{signature}"'
    )


def parse(header: str) -> Authorization:
    """Parses a header's value; its five parts may be in any order.

    Raises :class:`AuthorizationError` for more than 2,048 characters, an unknown scheme, a part that is unknown, empty,
    missing or repeated, a timestamp that is not an integer, and trailing text.
    """
    if len(header) > _LIMIT:
        raise AuthorizationError(f"{len(header)} characters, more than the limit of {_LIMIT}")
    scheme, _, rest = header.partition(" ")
    if scheme not in _SCHEMES:
        raise AuthorizationError(f"the scheme is {scheme[:40]!r}; expected {' or '.join(_SCHEMES)}")
    names = _names_of(scheme)
    parts = _parse_pairs(rest, names)
    for name in names:
        if not parts.get(name):
            raise AuthorizationError(f"{name} is {'empty' if name in parts else 'missing'}")
    if _SECONDS.fullmatch(parts["timestamp"]) is None:
        raise AuthorizationError(f"timestamp is {parts['timestamp'][:40]!r}; expected Unix time in seconds")
    return Authorization(
        mchid=parts[names[0]],
        serial=parts["serial_no"],
        timestamp=int(parts["timestamp"]),
        nonce=parts["nonce_str"],
        signature=parts["signature"],
        scheme=scheme,
    )


def _names_of(scheme: str) -> tuple[str, ...]:
    return _BRAND_NAMES if scheme == BRAND_SCHEME else _NAMES


def _parse_pairs(text: str, names: tuple[str, ...]) -> dict[str, str]:
    parts: dict[str, str] = {}
    position, more = 0, True
    while more:
        match = _PAIR.match(text, position)
        if match is None:
            after = f" after {next(reversed(parts))}" if parts else ""
            raise AuthorizationError(f'expected name="value"{after}')
        name, value, separator = match.groups()
        if name not in names:
            raise AuthorizationError(f"unknown part {name}; the parts are {', '.join(names)}")
        if name in parts:
            raise AuthorizationError(f"{name} occurs twice")
        parts[name] = value
        position, more = match.end(), bool(separator)
    return parts
