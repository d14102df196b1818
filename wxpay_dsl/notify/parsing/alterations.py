"""What was done to an APIv3 notification on its way, so that its signature is not that of the bytes that arrived."""

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

__all__ = ["signed_message", "undone", "unopened", "visible"]

Change = tuple[str, Callable[[bytes], bytes]]
_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
#: The order in which the service writes a notification.
_ORDER: Final = ("id", "create_time", "resource_type", "event_type", "summary", "resource")
_RESOURCE: Final = ("original_type", "algorithm", "ciphertext", "associated_data", "nonce")


def signed_message(signed: SignatureHeaders, body: bytes) -> bytes:
    """What a signature of these is over; nothing where there can be none."""
    try:
        return signing_v3.response_message(signed.timestamp_text, signed.nonce, body)
    except ValueError:
        return b""


def _unpacked(body: bytes) -> bytes:
    """What a proxy packed with gzip or deflate. Raises ValueError."""
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        data = unpacking.decompress(body, LIMIT)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not unpacking.eof:
        raise ValueError("it is cut, or larger than a notification is")
    return data


def _unescaped(body: bytes) -> bytes:
    """The body without ``\\x`` escapes. Raises ValueError."""
    if b"\\x" not in body:
        raise ValueError("there are none")
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), body)


def _in_order(body: bytes) -> bytes:
    """The JSON as the service writes it. Raises ValueError."""
    try:
        document: Any = json.loads(body.decode())
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if not isinstance(document, dict) or not isinstance(document.get("resource"), dict):
        raise ValueError("it is no notification")  # noqa: TRY004 (as above)
    whole = {**document, "resource": _sorted(document["resource"], _RESOURCE)}
    return json.dumps(_sorted(whole, _ORDER), ensure_ascii=False, separators=(",", ":")).encode()


def _sorted(fields: Mapping[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in (*order, *fields) if name in fields}


#: What is done to a body on its way, each with what undoes it.
_BODIES: Final[tuple[Change, ...]] = (
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
    ("a proxy packed the body", _unpacked),
    ("bytes of the body were written as \\x escapes", _unescaped),
)
#: The same of the headers.
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
        "blanks were put around the headers' values",
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


def undone(signed: SignatureHeaders, body: bytes, keys: Mapping[str, PlatformKey]) -> str:
    """What was done to it, found by undoing it until the signature verifies; nothing where nothing helps."""
    bodies = list(_bodies(body))
    for (told_of_headers, headers), (told_of_body, original) in product(_HEADERS, bodies):
        restored = headers(signed)
        for key_id, key in keys.items():
            if signing_v3.verify(signed_message(restored, original), restored.signature, key.public_key):
                other = "" if key_id == signed.serial else f"it is that of {key_id}: that key is not {signed.serial}'s"
                return "; ".join(told for told in (other, told_of_headers, told_of_body) if told)
    return ""


def _bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    for told, change in _BODIES:
        try:
            yield told, change(body)
        except ValueError:
            continue
    for _, other in serialisations(body):
        yield "the JSON was parsed and serialised again: verify the raw bytes", other
    with suppress(ValueError):
        yield "the names in the JSON were put into another order: verify the raw bytes", _in_order(body)


def visible(body: bytes, headers: Mapping[str, str]) -> str:
    """What a body itself shows to have been done to it; nothing where it looks whole."""
    if not body:
        return "the body is empty: it was read before (by a middleware, a form's parser), or dropped on its way"
    packing = packed(body, headers)
    if packing:
        return f"the body is packed ({packing}), which WeChat Pay does not do: have the proxy leave it as it is"
    told = next((value for name, value in headers.items() if name.lower() == "content-length"), "").strip()
    if told.isascii() and told.isdigit() and len(told) < 19 and int(told) > len(body):
        return f"the body was cut: {len(body)} of the {int(told)} bytes that Content-Length says are there"
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
        return "the body is no JSON of the service's"
    return ""


def unopened(body: bytes, key: PlatformKey | None, merchant_keys: MerchantKeys) -> str:
    """What is left to say of a body that looks whole: whose it is, as far as the APIv3 key can tell."""
    undoing = "undoing the usual (JSON serialised again, `+` turned into a space, line ends, Latin-1) does not help"
    raw = "keep the body as raw bytes before any middleware reads it"
    if key is None:
        whose = "none of the keys at hand made it"
    else:
        whose = f"it is not that of {key.id} over these bytes, nor of any key at hand, and {undoing}"
    try:
        open_v3(body, (merchant_keys,))
    except NotificationDecryptionError as error:
        if merchant_keys.aead is None:
            return f"{whose}: {raw}, and compare the key with the merchant platform's"
        return (
            f"{whose}; nor does its resource open ({error.message.partition(', but ')[2] or error.message}): it is for "
            f"another merchant, or not WeChat Pay's"
        )
    except SdkError as error:
        return f"{whose}; parts of it are missing or changed ({error}): {raw}"
    if key is None:
        return f"{whose}; but its resource opens with the APIv3 key, so WeChat Pay wrote it: give the platform key"
    return (
        f"{whose}; but its resource opens with the APIv3 key, so WeChat Pay wrote it, and what is around the resource "
        f"was changed on its way: {raw}. Only if these are the raw bytes compare the key with the merchant platform's"
    )
