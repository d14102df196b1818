"""Whose keys may open a notification: found by the merchant that the URL or the body names, or by the platform key."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import Final, Protocol

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.tree import Tree
from wxpay_dsl.wechat.errors import UnknownSerialError
from wxpay_dsl.wechat.notification import SUBJECT, MerchantLookupError, UnknownMerchantError
from wxpay_dsl.wechat.platform_keys import PlatformKey
from wxpay_dsl.wechat.recipient import Recipient
from wxpay_dsl.wechat.verification import SignatureHeaders, unknown_serial

__all__ = ["Client", "Find", "Recipients"]

#: Looks a merchant (商户号) up, in a database say; None where it is not served.
Find = Callable[[str], Recipient | Awaitable[Recipient | None] | None]

#: What can be a merchant id. An APIv2 notification names its merchant before anything of it is verified: nothing else
#: reaches a database.
_MERCHANT: Final = re.compile(r"[0-9A-Za-z_-]{1,32}\Z")


class Client(Protocol):
    """A client, such as :class:`~wxpay_dsl.Wechatpay`, that knows its merchant's keys and keeps them current."""

    @property
    def tree(self) -> Tree:
        """The specs that it knows."""

    @property
    def recipient(self) -> Recipient:
        """The merchant as a receiver. Raises ConfigurationError where a deferred client finds no credentials."""


class Recipients:
    """The merchants that are served."""

    def __init__(self, given: Iterable[Recipient | Client], find: Find | None) -> None:
        """Raises ConfigurationError where there is nobody to serve, or a merchant is there twice."""
        self._given = tuple(given)
        self._find = find
        self._known: dict[str, Recipient] | None = None
        if not self._given and find is None:
            raise ConfigurationError(
                "whose notifications? Give a client, `Notifications(wxpay)`, keys, `Notifications(Recipient.of(mchid, "
                "certs=…, apiv3_key=…))`, or `find=` to look a merchant up"
            )
        if all(isinstance(one, Recipient) for one in self._given):
            _ = self.known  # what is wrong shows now, not at the first notification

    @property
    def known(self) -> dict[str, Recipient]:
        """Those that need no looking up, by merchant. A deferred client finds its credentials here."""
        if self._known is None:
            known: dict[str, Recipient] = {}
            for one in self._given:
                recipient = one if isinstance(one, Recipient) else one.recipient
                if recipient.mchid in known:
                    raise ConfigurationError(f"the merchant {recipient.mchid} is given twice")
                known[recipient.mchid] = recipient
            self._known = known
        return self._known

    async def of(self, merchant: str) -> Recipient:
        """The recipient of this merchant id. Raises UnknownMerchantError; MerchantLookupError where ``find`` fails."""
        found = self.known.get(merchant)
        if found is None and self._find is not None and _MERCHANT.match(merchant):
            found = await self._look_up(self._find, merchant)
        if found is None:
            message = f"the merchant {merchant[:40]!r} is not served here" if merchant else "it names no merchant"
            raise UnknownMerchantError(message, merchant[:40])
        return found

    async def candidates(self, serial: str, merchant: str) -> tuple[tuple[Recipient, ...], ...]:
        """Who may believe the platform key ``serial``: those to ask first, then, if need be, the others.

        ``merchant`` names the only one. Raises UnknownMerchantError, MerchantLookupError.
        """
        if merchant:
            return ((await self.of(merchant),),)
        everybody = tuple(self.known.values())
        if not everybody:
            message = "an APIv3 notification names its merchant only inside: put it into the URL, …/{merchant}"
            raise UnknownMerchantError(message)
        if len(everybody) == 1:
            return (everybody,)
        # Whoever has the key at hand comes first: for a serial of one merchant the others download nothing.
        wanted = {serial, serial.upper()}
        at_hand = tuple(one for one in everybody if not wanted.isdisjoint(one.keyring.known()))
        asked_first = {one.mchid for one in at_hand}
        others = tuple(one for one in everybody if one.mchid not in asked_first)
        return tuple(some for some in (at_hand, others) if some)

    @staticmethod
    async def vouching(serial: str, candidates: Iterable[Recipient]) -> list[tuple[PlatformKey, tuple[Recipient, ...]]]:
        """Each key that the candidates have under this id, and those who believe it. A keyring may download the key,
        at its own limit.

        Mostly one. Where one merchant has another key under the id, each key speaks to those alone who have it.
        """
        found: list[tuple[PlatformKey, tuple[Recipient, ...]]] = []
        for candidate in candidates:
            key = await candidate.keyring.find(serial)
            if key is None:
                continue
            for number, (known, believing) in enumerate(found):
                if known.public_key == key.public_key:
                    found[number] = known, (*believing, candidate)
                    break
            else:
                found.append((key, (candidate,)))
        return found

    @staticmethod
    async def _look_up(find: Find, merchant: str) -> Recipient | None:
        try:
            looked_up = find(merchant)
            found: object = await looked_up if isawaitable(looked_up) else looked_up
        except Exception as error:
            message = f"`find` failed for the merchant {merchant} ({type(error).__name__})"
            raise MerchantLookupError(message, merchant) from error
        if found is None or isinstance(found, Recipient):
            return found
        message = f"`find` gave {type(found).__name__} for the merchant {merchant}; it gives a Recipient, or None"
        raise MerchantLookupError(message, merchant)

    def unknown(self, signed: SignatureHeaders, candidates: Iterable[Recipient]) -> UnknownSerialError:
        """The error where none of the candidates has the key."""
        known = sorted({key_id for candidate in candidates for key_id in candidate.keyring.known()})
        return unknown_serial(signed, known[:5], SUBJECT)
