"""Whose keys may open a notification: found by the merchant that the URL or the body names, or by the platform key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import Protocol

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.tree import Tree
from wxpay_dsl.wechat.errors import UnknownSerialError
from wxpay_dsl.wechat.notification import SUBJECT, UnknownMerchantError
from wxpay_dsl.wechat.platform_keys import PlatformKey
from wxpay_dsl.wechat.recipient import Recipient
from wxpay_dsl.wechat.verification import SignatureHeaders, unknown_serial

__all__ = ["Client", "Find", "Recipients"]

#: Looks a merchant (商户号) up, in a database say; None where it is not served.
Find = Callable[[str], Recipient | Awaitable[Recipient | None] | None]


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
        """The recipient of this merchant id. Raises UnknownMerchantError."""
        found = self.known.get(merchant)
        if found is None and self._find is not None and merchant:
            looked_up = self._find(merchant)
            found = await looked_up if isawaitable(looked_up) else looked_up
        if found is None:
            message = f"the merchant {merchant[:40]!r} is not served here" if merchant else "it names no merchant"
            raise UnknownMerchantError(message, merchant[:40])
        return found

    async def vouching(self, signed: SignatureHeaders, merchant: str) -> tuple[PlatformKey, tuple[Recipient, ...]]:
        """The platform key that ``Wechatpay-Serial`` names, and those who believe it; ``merchant`` names the only one.

        A keyring may download the key, at its own limit. Raises UnknownSerialError.
        """
        if merchant:
            candidates: tuple[Recipient, ...] = (await self.of(merchant),)
        else:
            candidates = tuple(self.known.values())
            if not candidates:
                message = "an APIv3 notification names its merchant only inside: put it into the URL, …/{merchant}"
                raise UnknownMerchantError(message)
            if len(candidates) > 1:
                # Whoever has the key at hand comes first: for a serial of one merchant the others download nothing.
                wanted = {signed.serial, signed.serial.upper()}
                at_hand = tuple(one for one in candidates if not wanted.isdisjoint(one.keyring.known()))
                candidates = at_hand or candidates
        key: PlatformKey | None = None
        believing = []
        for candidate in candidates:
            found = await candidate.keyring.find(signed.serial)
            # Two keys under one id: only those who have the same may open what it vouches for.
            if found is not None and (key is None or found.public_key == key.public_key):
                key = found
                believing.append(candidate)
        if key is None:
            raise self._unknown(signed, candidates)
        return key, tuple(believing)

    def _unknown(self, signed: SignatureHeaders, candidates: tuple[Recipient, ...]) -> UnknownSerialError:
        known = sorted({key_id for candidate in candidates for key_id in candidate.keyring.known()})
        return unknown_serial(signed, known[:5], SUBJECT)
