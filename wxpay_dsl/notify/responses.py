"""Maps the error of a refused notification to an acknowledgement: a status, and a message without internal details."""

from __future__ import annotations

import logging
from typing import Final

from wxpay_dsl.core.errors import ConfigurationError, SdkError, TransportError
from wxpay_dsl.wechat.errors import (
    BadSignatureError,
    ClockSkewError,
    MalformedTimestampError,
    MissingHeaderError,
    UnknownSerialError,
    VerificationError,
)

from .acknowledgements import Acknowledgement, failure
from .notification import (
    MalformedNotificationError,
    MerchantLookupError,
    NotificationDecryptionError,
    NotificationTooLargeError,
    UnknownMerchantError,
)

__all__ = ["refusal"]

_log = logging.getLogger("wxpay_dsl.notify")

#: ``(class, status, message)``; the first class that matches counts. Errors on the receiver's side have a status of
#: 5xx; the service sends again meanwhile.
_RESPONSES: Final[tuple[tuple[type[SdkError], int, str], ...]] = (
    (MissingHeaderError, 401, "a header of the signature is missing"),
    (MalformedTimestampError, 401, "the timestamp is malformed"),
    (ClockSkewError, 401, "the timestamp is too far from our clock"),
    (UnknownSerialError, 401, "the platform key is unknown"),
    (BadSignatureError, 401, "the signature is wrong"),
    (VerificationError, 401, "the signature cannot be verified"),
    (NotificationTooLargeError, 413, "too large"),
    (UnknownMerchantError, 404, "the merchant is not served here"),
    (MerchantLookupError, 503, "later"),
    (MalformedNotificationError, 400, "not a notification"),
    (NotificationDecryptionError, 500, "it cannot be decrypted"),
    (TransportError, 503, "later"),
    (ConfigurationError, 500, "not configured for it"),
)


def refusal(dialect: str, error: SdkError) -> Acknowledgement:
    """The acknowledgement of a notification that was refused with ``error``, which is logged in full."""
    matching = ((status, message) for kind, status, message in _RESPONSES if isinstance(error, kind))
    status, message = next(matching, (503, "later"))
    # An error that the application's `resolve_merchant` raised is logged with its traceback.
    cause = error.__cause__ if isinstance(error, MerchantLookupError) else None
    level = logging.ERROR if status >= 500 else logging.WARNING
    _log.log(level, "refused with %d: %s", status, error, exc_info=cause)
    return failure(dialect, status, message, str(error))
