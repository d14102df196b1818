"""What every store promises: claims, leases, and what is remembered as finished."""

from __future__ import annotations

import secrets
from typing import Final, Protocol

from attrs import field, frozen

from wxpay_dsl.core.errors import SdkError

__all__ = ["KEEP", "Claim", "ClaimLostError", "Finished", "Store", "StoreUnavailableError"]

#: Seconds that a finished notification is remembered. The service gives up after a day; APIv2's carry no time that
#: would tell a replay.
KEEP: Final = 30 * 86400.0


@frozen
class Claim:
    """The right to handle one notification, until its lease runs out; ``token`` tells it from every other claim."""

    key: str
    token: str = field(factory=lambda: secrets.token_hex(16), repr=False)


@frozen
class Finished:
    """It was handled before; ``answer`` is what the service was told then, if anything but yes."""

    answer: bytes = b""


class Store(Protocol):
    """Remembers claims and what is finished, for all processes that share it.

    Every method raises StoreUnavailableError where the store does not answer in time; what it was asked for may
    have been done nevertheless.
    """

    @property
    def keep(self) -> float:
        """Seconds that what is finished is remembered."""

    async def claim(self, claim: Claim, lease: float) -> Finished | bool:
        """Takes the claim for ``lease`` seconds, if nobody else holds one on its key: whether that was so.

        Atomic: of any number that ask at once, one is told True. Asking again with the same claim is True again.
        """

    async def renew(self, claim: Claim, lease: float) -> bool:
        """Extends the lease from now on, whether it ran out or not. False if somebody else has the key by now."""

    async def done(self, claim: Claim, answer: bytes) -> bool:
        """Finished, for good. False, and nothing is changed, if somebody else has the key by now."""

    async def release(self, claim: Claim) -> None:
        """Gives the claim back: the next delivery is handled again. Nothing happens if it is no longer held."""

    async def close(self) -> None:
        """Lets go of connections and threads."""


@frozen(str=False)
class StoreUnavailableError(SdkError):
    """The store did not answer in time, or cannot be written. The service is told to send again."""

    message: str

    def __str__(self) -> str:
        return self.message


@frozen(str=False)
class ClaimLostError(SdkError):
    """The lease ran out, and the notification is somebody else's now. Roll back: that one does it."""

    key: str

    def __str__(self) -> str:
        return f"{self.key}: the claim is no longer held: its lease ran out, and another delivery took it"
