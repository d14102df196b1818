"""Notifications (回调通知): verified, decrypted, routed, handled exactly once."""

from __future__ import annotations

from wxpay_dsl.wechat.notification import (
    MalformedNotificationError,
    MerchantLookupError,
    Notification,
    NotificationDecryptionError,
    NotificationError,
    NotificationTooLargeError,
    UnknownMerchantError,
)
from wxpay_dsl.wechat.notification_answers import Answer
from wxpay_dsl.wechat.recipient import Recipient

from .notifications import Notifications
from .stores import Claim, ClaimLostError, Store, StoreUnavailableError

__all__ = [
    "Answer",
    "Claim",
    "ClaimLostError",
    "MalformedNotificationError",
    "MerchantLookupError",
    "Notification",
    "NotificationDecryptionError",
    "NotificationError",
    "NotificationTooLargeError",
    "Notifications",
    "Recipient",
    "Store",
    "StoreUnavailableError",
    "UnknownMerchantError",
]
