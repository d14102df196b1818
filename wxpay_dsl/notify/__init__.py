"""Notifications (回调通知): verified, decrypted, passed to a handler exactly once, and acknowledged.

Read :mod:`.notifications` first: it receives a notification and calls the other modules, in this order: ``parsing`` and
:mod:`.merchants` (which keys), :mod:`.routes` and :mod:`.handlers` (which function), :mod:`.exactly_once` with
``stores``, :mod:`.acknowledgements` and :mod:`.responses` (what is sent back). ``adapters`` connect it to web servers.
Imports from ``core``, ``wechat`` and the client, for its specs, alone.
"""

from __future__ import annotations

from wxpay_dsl.wechat.merchant_keys import MerchantKeys

from .acknowledgements import Acknowledgement
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
    "Acknowledgement",
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
