"""Notifications (回调通知): verified, decrypted, routed, handled exactly once."""

from __future__ import annotations

from wxpay_dsl.wechat.merchant_keys import MerchantKeys

from .acknowledgements import Answer
from .notification import (
    MalformedNotificationError,
    MerchantLookupError,
    Notification,
    NotificationDecryptionError,
    NotificationError,
    NotificationTooLargeError,
    UnknownMerchantError,
)
from .notifications import Notifications
from .stores import Claim, ClaimLostError, Store, StoreUnavailableError

__all__ = [
    "Answer",
    "Claim",
    "ClaimLostError",
    "MalformedNotificationError",
    "MerchantKeys",
    "MerchantLookupError",
    "Notification",
    "NotificationDecryptionError",
    "NotificationError",
    "NotificationTooLargeError",
    "Notifications",
    "Store",
    "StoreUnavailableError",
    "UnknownMerchantError",
]
