"""What a notification that is refused is answered: a status, and no more words than its sender needs."""

from __future__ import annotations

import logging
from typing import Final

from wxpay_dsl.core.errors import ConfigurationError, SdkError, TransportError
from wxpay_dsl.wechat.errors import (
    BadSignatureError,
    ClockSkewError,
    MalformedTimestampError,
    MissingHeaderError,
    SignatureError,
    UnknownSerialError,
)
from wxpay_dsl.wechat.notification import (
    MalformedNotificationError,
    MerchantLookupError,
    NotificationDecryptionError,
    NotificationTooLargeError,
    UnknownMerchantError,
)
from wxpay_dsl.wechat.notification_answers import Answer, failure

__all__ = ["refusal"]

_log = logging.getLogger("wxpay_dsl.notify")

#: The first kind that fits counts. What is our own fault has a status of 5xx: the service sends it again, until we
#: have mended it.
_KINDS: Final[tuple[tuple[type[SdkError], int, str], ...]] = (
    (MissingHeaderError, 401, "a header of the signature is missing"),
    (MalformedTimestampError, 401, "the timestamp is malformed"),
    (ClockSkewError, 401, "the timestamp is too far from our clock"),
    (UnknownSerialError, 401, "the platform key is unknown"),
    (BadSignatureError, 401, "the signature is wrong"),
    (SignatureError, 401, "the signature cannot be verified"),
    (NotificationTooLargeError, 413, "too large"),
    (UnknownMerchantError, 404, "the merchant is not served here"),
    (MerchantLookupError, 503, "later"),
    (MalformedNotificationError, 400, "no notification"),
    (NotificationDecryptionError, 500, "it cannot be decrypted"),
    (TransportError, 503, "later"),
    (ConfigurationError, 500, "not configured for it"),
)


def refusal(family: str, error: SdkError) -> Answer:
    """The answer for a notification that ``error`` refuses; the log has the whole reason."""
    status, said = next(((status, said) for kind, status, said in _KINDS if isinstance(error, kind)), (503, "later"))
    # What the application's own code raised is there with its traceback.
    cause = error.__cause__ if isinstance(error, MerchantLookupError) else None
    level = logging.ERROR if status >= 500 else logging.WARNING
    _log.log(level, "refused with %d: %s", status, error, exc_info=cause)
    return failure(family, status, said, str(error))
