"""Opens APIv3 notifications (回调通知), once their signature has been verified over the raw bytes.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from json import JSONDecoder
from typing import Any, Final

from . import shangmi
from .ciphers import DecryptionError, aead_decrypt
from .notification import MalformedNotificationError, Notification, NotificationDecryptionError
from .recipient import Recipient

__all__ = ["ALGORITHM", "no_constant", "open_v3"]

ALGORITHM: Final = "AEAD_AES_256_GCM"
#: What the service's times are in where they do not say.
_CHINA: Final = timezone(timedelta(hours=8))


def no_constant(word: str) -> Any:
    """What a decoder does with ``NaN`` and ``Infinity``, which Python would read. Raises ValueError."""
    raise ValueError(f"{word} is not JSON")


_decoder: Final = JSONDecoder(parse_constant=no_constant)


def open_v3(body: bytes, recipients: Iterable[Recipient]) -> Notification[dict[str, Any]]:
    """The notification in a body whose signature is known to be good, for the first recipient whose key opens it.

    Lenient towards what is new: fields that nobody knows come along. Raises MalformedNotificationError for what is
    no notification, NotificationDecryptionError where no recipient's APIv3 key opens it.
    """
    envelope = _object(body, "the body")
    sealed, identity, kind = envelope.get("resource"), envelope.get("id"), envelope.get("event_type")
    if not (type(sealed) is dict and type(identity) is str and type(kind) is str and identity and kind):
        raise MalformedNotificationError(_missing(envelope))
    ciphertext, nonce, associated_data = sealed.get("ciphertext"), sealed.get("nonce"), sealed.get("associated_data")
    if not (type(ciphertext) is str and type(nonce) is str and (not associated_data or type(associated_data) is str)):
        raise MalformedNotificationError(_missing(envelope))
    algorithm = sealed.get("algorithm")
    if algorithm not in (ALGORITHM, shangmi.ALGORITHM):
        message = f"encrypted with {sealed.get('algorithm')!r:.60}; {ALGORITHM} is what is known here"
        raise NotificationDecryptionError(message)
    recipient, plaintext = _opened(algorithm, ciphertext, nonce, associated_data or "", recipients)
    return Notification(
        identity,
        kind,
        _time(envelope.get("create_time")),
        _object(plaintext, "the decrypted resource"),
        recipient.mchid,
        _text(sealed, "original_type"),
        _text(envelope, "summary"),
        envelope=envelope,
    )


def _opened(
    algorithm: str, ciphertext: str, nonce: str, associated_data: str, recipients: Iterable[Recipient]
) -> tuple[Recipient, bytes]:
    tried = False
    for recipient in recipients:
        if recipient.aead is not None:
            try:
                if algorithm == shangmi.ALGORITHM:
                    # No variable: error trackers send those of every frame.
                    plaintext = shangmi.aead_decrypt(ciphertext, recipient.apiv3_key or b"", nonce, associated_data)
                    return recipient, plaintext
                return recipient, aead_decrypt(ciphertext, recipient.aead, nonce, associated_data)
            except DecryptionError:
                tried = True
    if tried:
        message = (
            "signed by WeChat Pay, but the APIv3 key (APIv3密钥) does not open it: is it another merchant's, or was "
            "it changed on the merchant platform?"
        )
    else:
        message = "there is no APIv3 key (APIv3密钥) to open it with: give `apiv3_key`"
    raise NotificationDecryptionError(message)


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        text = data.decode()
        # This takes neither blanks before nor anything after, and a fifth less time.
        found, end = _decoder.raw_decode(text) if text.startswith("{") else (None, -1)
        if end != len(text):
            found = _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        message = f"{what} is not JSON ({type(error).__name__}: {str(error)[:120]})"
        raise MalformedNotificationError(message) from None
    if type(found) is not dict:
        raise MalformedNotificationError(f"{what} is a JSON {type(found).__name__}, not an object")
    return found


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if type(value) is str else ""


def _missing(envelope: Mapping[str, Any]) -> str:
    faults = [name for name in ("id", "event_type") if not _text(envelope, name)]
    sealed = envelope.get("resource")
    if type(sealed) is dict:
        faults += [f"resource.{name}" for name in ("ciphertext", "nonce") if type(sealed.get(name)) is not str]
        faults += ["resource.associated_data"] if type(sealed.get("associated_data") or "") is not str else []
    else:
        faults.append("resource")
    return f"no notification: {', '.join(faults)} missing, or of another type"


def _time(text: Any) -> datetime | None:
    """RFC 3339 as an aware time; None for anything else, since a time that cannot be read is no reason to refuse."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=_CHINA)
