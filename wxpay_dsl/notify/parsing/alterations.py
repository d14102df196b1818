"""Finds out how an APIv3 notification was altered on its way, if its signature does not match the bytes received."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any, Final
from urllib.parse import unquote

from attrs import evolve

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.notify.notification import LIMIT, NotificationDecryptionError
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.merchant_keys import MerchantKeys
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.serialisations import serialisations
from wxpay_dsl.wechat.v3.verification import SignatureHeaders, packed

from .v3 import open_v3

__all__ = ["find_alteration", "remaining_cause", "signed_message", "visible_alteration"]

#: The description of an alteration of the body, and the function that reverses it.
Alteration = tuple[str, Callable[[bytes], bytes]]
_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
#: The order of the fields in the service's JSON.
_ORDER: Final = ("id", "create_time", "resource_type", "event_type", "summary", "resource")
_RESOURCE: Final = ("original_type", "algorithm", "ciphertext", "associated_data", "nonce")


def signed_message(signed: SignatureHeaders, body: bytes) -> bytes:
    """The message that the signature covers, or ``b""`` if the headers cannot be in one."""
    try:
        return signing_v3.response_message(signed.timestamp_text, signed.nonce, body)
    except ValueError:
        return b""


def _decompressed(body: bytes) -> bytes:
    """The content of a body that a proxy compressed with gzip or deflate. Raises ValueError."""
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        data = decompressor.decompress(body, LIMIT)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not decompressor.eof:
        raise ValueError("it is truncated, or larger than a notification")
    return data


def _unescaped(body: bytes) -> bytes:
    """The body with ``\\x`` escapes replaced by the bytes. Raises ValueError if there are none."""
    if b"\\x" not in body:
        raise ValueError("there are none")
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), body)


def _in_order(body: bytes) -> bytes:
    """The JSON with its fields in the service's order. Raises ValueError."""
    try:
        document: Any = json.loads(body.decode())
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if not isinstance(document, dict) or not isinstance(document.get("resource"), dict):
        raise ValueError("it is not a notification")  # noqa: TRY004 (as above)
    whole = {**document, "resource": _sorted(document["resource"], _RESOURCE)}
    return json.dumps(_sorted(whole, _ORDER), ensure_ascii=False, separators=(",", ":")).encode()


def _sorted(fields: Mapping[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in (*order, *fields) if name in fields}


#: Alterations of a body, the first one being none.
_BODIES: Final[tuple[Alteration, ...]] = (
    ("", lambda body: body),
    ("a line end was added to the body", lambda body: body.rstrip(b"\r\n")),
    ("the body's last line end was cut off", lambda body: body + b"\n"),
    ("line ends were turned into CRLF", lambda body: body.replace(b"\r\n", b"\n")),
    ("a byte order mark was put before the body", lambda body: body.removeprefix(b"\xef\xbb\xbf")),
    ("`+` in the body was turned into a space, as in a form", lambda body: body.replace(b" ", b"+")),
    (
        "the body was read as Latin-1 and written as UTF-8",
        lambda body: body.decode().encode("latin-1"),
    ),
    ("the body was written as GBK", lambda body: body.decode("gb18030").encode()),
    ("a proxy compressed the body", _decompressed),
    ("bytes of the body were written as \\x escapes", _unescaped),
)
#: Alterations of the headers.
_HEADERS: Final[tuple[tuple[str, Callable[[SignatureHeaders], SignatureHeaders]], ...]] = (
    ("", lambda signed: signed),
    (
        "`+` in Wechatpay-Signature was turned into a space",
        lambda signed: evolve(signed, signature=signed.signature.strip().replace(" ", "+")),
    ),
    (
        "Wechatpay-Signature is percent-encoded",
        lambda signed: evolve(signed, signature=unquote(signed.signature)),
    ),
    (
        "spaces were added around the headers' values",
        lambda signed: evolve(
            signed,
            signature=signed.signature.strip(),
            nonce=signed.nonce.strip(),
            timestamp_text=signed.timestamp_text.strip(),
        ),
    ),
    (
        "the headers' values are in quotation marks",
        lambda signed: evolve(signed, signature=signed.signature.strip('"'), nonce=signed.nonce.strip('"')),
    ),
)


def find_alteration(signed: SignatureHeaders, body: bytes, keys: Mapping[str, PlatformKey]) -> str:
    """Describes the alteration whose reversal makes the signature verify with one of ``{key id: key}``, or ``""``."""
    bodies = list(_bodies(body))
    for (of_headers, restore), (of_body, original) in product(_HEADERS, bodies):
        restored = restore(signed)
        for key_id, key in keys.items():
            if signing_v3.verify(signed_message(restored, original), restored.signature, key.public_key):
                other = "" if key_id == signed.serial else f"it is that of {key_id}, not of {signed.serial}"
                return "; ".join(part for part in (other, of_headers, of_body) if part)
    return ""


def _bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    for description, reverse in _BODIES:
        try:
            yield description, reverse(body)
        except ValueError:
            continue
    for _, other in serialisations(body):
        yield "the JSON was parsed and serialised again: verify the raw bytes", other
    with suppress(ValueError):
        yield "the names in the JSON were put into another order: verify the raw bytes", _in_order(body)


def visible_alteration(body: bytes, headers: Mapping[str, str]) -> str:
    """Describes an alteration that the body itself shows, or ``""`` if it looks complete."""
    if not body:
        return "the body is empty: it was read before (by a middleware, a form's parser), or dropped on its way"
    packing = packed(body, headers)
    if packing:
        return f"the body is compressed ({packing}), which WeChat Pay does not do: configure the proxy not to change it"
    length = next((value for name, value in headers.items() if name.lower() == "content-length"), "").strip()
    if length.isascii() and length.isdigit() and len(length) < 19 and int(length) > len(body):
        return f"the body was cut: it has {len(body)} of the {int(length)} bytes of Content-Length"
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        wrong = f"byte {body[error.start]:#04x} at {error.start}"
        return f"the body is not UTF-8 ({wrong}): it was decoded and encoded again on its way, or cut"
    if "\ufffd" in text:
        return "characters of the body were replaced by U+FFFD: it was decoded in another encoding than UTF-8"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        ends = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        what = "ends in the middle: the body was cut" if ends else f"is broken at character {error.pos}: it was changed"
        return f"the body's JSON {what} on its way"
    except (ValueError, RecursionError):
        return "the body is not JSON of the service"
    return ""


def remaining_cause(body: bytes, key: PlatformKey | None, merchant_keys: MerchantKeys) -> str:
    """Describes the possible causes for a body that looks complete, depending on whether the APIv3 key decrypts it.

    ``key``: the platform key that the headers name, or None if it is not available.
    """
    tried = "reversing usual changes (JSON serialised again, `+` turned into a space, line ends, Latin-1) does not help"
    raw = "keep the body as raw bytes before any middleware reads it"
    if key is None:
        finding = "it was made with none of the available keys"
    else:
        finding = f"it is not that of {key.id} over these bytes, nor of another available key, and {tried}"
    try:
        open_v3(body, (merchant_keys,))
    except NotificationDecryptionError as error:
        if merchant_keys.aead is None:
            return f"{finding}: {raw}, and compare the key with the merchant platform's"
        reason = error.message.partition(", but ")[2] or error.message
        return (
            f"{finding}; nor does its resource decrypt ({reason}): it is for another merchant, or not from WeChat Pay"
        )
    except SdkError as error:
        return f"{finding}; parts of it are missing or changed ({error}): {raw}"
    if key is None:
        return f"{finding}; but the APIv3 key decrypts its resource, so it is from WeChat Pay: give the platform key"
    return (
        f"{finding}; but the APIv3 key decrypts its resource, so it is from WeChat Pay, and the fields around the "
        f"resource were changed on its way: {raw}. Only if these are the raw bytes, compare the key with the merchant "
        f"platform's"
    )
