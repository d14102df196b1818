"""A notification (回调通知) as a frozen value, and the errors with which notifications are refused.

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

#: The largest body that is read, in bytes; actual notifications have 1 to 10 KB.
LIMIT: Final = 1 << 20
#: The word for a notification in error messages.
SUBJECT: Final = "notification"

if TYPE_CHECKING:  # type parameters have defaults at run time from Python 3.13 on
    from typing_extensions import TypeVar

    Resource_co = TypeVar("Resource_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    Resource_co = TypeVar("Resource_co", covariant=True)


# Without slots, attrs creates a frozen instance twice as fast; one is created for every notification.
@frozen(slots=False)
class Notification(Generic[Resource_co]):
    """A notification (回调通知) that is verified, decrypted and parsed."""

    #: The service's id, the same in every delivery of the notification; for APIv2, which has none, derived from the
    #: fields that distinguish its notifications.
    id: str
    #: Such as ``TRANSACTION.SUCCESS``; those of APIv2 begin with ``v2/``: ``v2/transaction-success``.
    type: str
    #: When the event happened (timezone-aware), or None if the notification does not say so.
    create_time: datetime | None
    #: The decrypted ``resource``; for APIv2 the fields, typed by their spec.
    resource: Resource_co = field(repr=False)
    #: The merchant id (商户号) whose keys opened it; for notifications to a service provider, the provider's.
    merchant: str
    #: ``transaction``, ``refund`` …
    original_type: str = ""
    summary: str = ""
    #: ``v3`` or ``v2``.
    dialect: str = "v3"
    #: Whether its signature shows that it is WeChat Pay's. False for APIv2 refund notifications, which have none, and
    #: for ``v2/unknown``, which may be anything that was signed with the merchant's APIv2 key: query before acting on
    #: it.
    signed: bool = True
    #: The fields around the resource, as received; for APIv2 without the empty fields, which no signature covers.
    envelope: Mapping[str, Any] = field(factory=dict, repr=False)

    @property
    def key(self) -> str:
        """``merchant/id``, unique among the notifications of all merchants: the key under which it is handled once."""
        return f"{self.merchant}/{self.id}"

    @property
    def sub_merchant(self) -> str:
        """The sub-merchant id (子商户号) in the resource, or ``""``."""
        resource = self.resource
        if not isinstance(resource, Mapping):
            return ""
        return str(resource.get("sub_mchid") or resource.get("sub_mch_id") or "")


@frozen(str=False)
class NotificationError(SdkError):
    """A notification was refused for another reason than its signature.

    For the signature, a subclass of :class:`~wxpay_dsl.wechat.errors.VerificationError` is raised.
    """

    message: str

    def __str__(self) -> str:
        return f"{SUBJECT}: {self.message}"


@frozen(str=False)
class MalformedNotificationError(NotificationError):
    """The body is not a notification: it is not JSON or XML, or a part is missing."""


@frozen(str=False)
class NotificationTooLargeError(NotificationError):
    """The body has more than :data:`LIMIT` bytes, and was not parsed."""


@frozen(str=False)
class NotificationDecryptionError(NotificationError):
    """No available key decrypts it: the APIv3 key (APIv3密钥) or the APIv2 key (API密钥) is missing or another."""


@frozen(str=False)
class UnknownMerchantError(NotificationError):
    """The notification is for a merchant that is not served here; refused before any cryptography."""

    merchant: str = ""


@frozen(str=False)
class MerchantLookupError(NotificationError):
    """``resolve_merchant`` raised, or returned something else than MerchantKeys: the service is asked to send again."""

    merchant: str = ""
