"""The protocol of stores: claims with leases, and the notifications that are finished."""

from __future__ import annotations

import secrets
from typing import Final, Protocol

from attrs import field, frozen

from wxpay_dsl.core.errors import SdkError

__all__ = ["KEEP", "Claim", "ClaimLostError", "Finished", "Store", "StoreUnavailableError"]

#: Seconds for which a finished notification is remembered: 30 days. The service stops sending after a day. A dated
#: APIv2 notification that is older is refused as a replay; an undated one is remembered without an end.
KEEP: Final = 30 * 86400.0


@frozen
class Claim:
    """The right to handle one notification until its lease expires."""

    #: Identifies the notification.
    key: str
    #: Identifies this claim among all claims on the key.
    token: str = field(factory=lambda: secrets.token_hex(16), repr=False)
    #: Whether the finished notification is remembered without an end, whatever :attr:`Store.keep` says: neither its
    #: signature nor its content has a date, so nothing else would show that it is a replay.
    persistent: bool = False


@frozen
class Finished:
    """The notification was handled before."""

    #: The JSON that was sent to the service in the acknowledgement, if any.
    data: bytes = b""


class Store(Protocol):
    """Remembers claims and finished notifications for all processes that share it.

    Every method raises StoreUnavailableError if the store does not respond in time; the operation may have been carried
    out nevertheless.
    """

    @property
    def keep(self) -> float:
        """Seconds for which a finished notification is remembered, unless its claim is ``persistent``."""

    async def claim(self, claim: Claim, lease: float) -> Finished | bool:
        """Takes the claim for ``lease`` seconds. Returns whether it was taken, or how the notification was finished.

        False if another claim on the key is held. Atomic: of any number of concurrent claims on a key one is taken. A
        claim that is held may be taken again.
        """

    async def renew(self, claim: Claim, lease: float) -> bool:
        """Extends the lease to ``lease`` seconds from now, even an expired one. False if another claim has the key."""

    async def done(self, claim: Claim, data: bytes) -> bool:
        """Marks the notification finished. False, and nothing is changed, if another claim has the key.

        ``data``: the JSON of the acknowledgement, returned to later claims as :attr:`Finished.data`.
        """

    async def release(self, claim: Claim) -> None:
        """Gives the claim up, so that the next delivery is handled. Does nothing if it is no longer held."""

    async def close(self) -> None:
        """Closes connections, files and threads."""


@frozen(str=False)
class StoreUnavailableError(SdkError):
    """The store did not respond in time, or cannot be written. The service is asked to send the notification again."""

    message: str

    def __str__(self) -> str:
        return self.message


@frozen(str=False)
class ClaimLostError(SdkError):
    """The lease expired, and another delivery has claimed the notification. Roll back: the other one handles it."""

    key: str

    def __str__(self) -> str:
        return f"{self.key}: the claim is no longer held: its lease expired, and another delivery has claimed it"
