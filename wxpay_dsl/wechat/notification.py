"""What WeChat Pay sends by itself (回调通知), as a frozen value; and why one is refused.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic

from attrs import field, frozen

from wxpay_dsl.core.errors import SdkError

__all__ = [
    "LIMIT",
    "SUBJECT",
    "MalformedNotificationError",
    "MerchantLookupError",
    "Notification",
    "NotificationDecryptionError",
    "NotificationError",
    "NotificationTooLargeError",
    "UnknownMerchantError",
]

#: The largest body that is read, in bytes; real ones have one to ten thousand.
LIMIT: Final = 1 << 20
#: How errors call what they are about.
SUBJECT: Final = "notification"

if TYPE_CHECKING:  # which knows defaults before Python 3.13 has them
    from typing_extensions import TypeVar

    Resource_co = TypeVar("Resource_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    Resource_co = TypeVar("Resource_co", covariant=True)


# Without slots attrs builds a frozen instance twice as fast, and one is built for every notification.
@frozen(slots=False)
class Notification(Generic[Resource_co]):
    """A notification (回调通知): verified, decrypted, read."""

    #: The service's own id, which every delivery of one notification shares; for APIv2, which has none, made of the
    #: numbers that tell its notifications apart.
    id: str
    #: ``TRANSACTION.SUCCESS``; APIv2's begin with ``v2/``: ``v2/transaction-success``.
    type: str
    #: When it came about (aware), where it says so.
    create_time: datetime | None
    #: What it is about: the decrypted ``resource``; of APIv2 the fields, as texts.
    resource: Resource_co = field(repr=False)
    #: The merchant (商户号) whose keys opened it: the receiver, of a service provider's notifications the provider.
    merchant: str
    #: ``transaction``, ``refund`` …
    original_type: str = ""
    summary: str = ""
    #: ``v3`` or ``v2``.
    family: str = "v3"
    #: Whether a signature vouches for it. False for APIv2's refund notifications, which have none, and for
    #: ``v2/unknown``, which may be anything that the merchant's own APIv2 key signed: query before anything is booked.
    signed: bool = True
    #: All that came around the resource, as it came; of APIv2 without the empty fields, which no signature covers.
    envelope: Mapping[str, Any] = field(factory=dict, repr=False)

    @property
    def key(self) -> str:
        """What tells it from every other notification of every merchant: the key under which it is handled once."""
        return f"{self.merchant}/{self.id}"

    @property
    def sub_merchant(self) -> str:
        """The sub-merchant (子商户号) that it is about, or nothing."""
        resource = self.resource
        if not isinstance(resource, Mapping):
            return ""
        return str(resource.get("sub_mchid") or resource.get("sub_mch_id") or "")


@frozen(str=False)
class NotificationError(SdkError):
    """A notification that is refused: it was signed, or looked so, and still cannot be taken.

    What its signature is wrong about are the five kinds of :class:`~wxpay_dsl.wechat.errors.SignatureError`.
    """

    message: str

    def __str__(self) -> str:
        return f"{SUBJECT}: {self.message}"


@frozen(str=False)
class MalformedNotificationError(NotificationError):
    """Not the shape of a notification: no JSON or XML, or a part is missing."""


@frozen(str=False)
class NotificationTooLargeError(NotificationError):
    """More than :data:`LIMIT` bytes; not read."""


@frozen(str=False)
class NotificationDecryptionError(NotificationError):
    """No key at hand decrypts it: the APIv3 key (APIv3密钥), or the APIv2 key (API密钥), is another."""


@frozen(str=False)
class UnknownMerchantError(NotificationError):
    """For a merchant that is not served here; refused before any cryptography."""

    merchant: str = ""


@frozen(str=False)
class MerchantLookupError(NotificationError):
    """``find`` raised, or gave something else than a recipient: the service is asked to send it again."""

    merchant: str = ""
