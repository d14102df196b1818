"""Whose keys may open a notification: found by the merchant that the URL or the body names, or by the platform key."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import Final, Protocol

from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.errors import UnknownSerialError
from wxpay_dsl.wechat.merchant_keys import MerchantKeys
from wxpay_dsl.wechat.v3.verification import SignatureHeaders, unknown_serial

from .notification import SUBJECT, MerchantLookupError, UnknownMerchantError

__all__ = ["Client", "NotificationMerchants", "ResolveMerchant"]

#: Looks a merchant (商户号) up, in a database say; None where it is not served.
ResolveMerchant = Callable[[str], MerchantKeys | Awaitable[MerchantKeys | None] | None]

#: What can be a merchant id. An APIv2 notification names its merchant before anything of it is verified: nothing else
#: reaches a database.
_MERCHANT: Final = re.compile(r"[0-9A-Za-z_-]{1,32}\Z")


class Client(Protocol):
    """A client, such as :class:`~wxpay_dsl.Wechatpay`, that knows its merchant's keys and keeps them current."""

    @property
    def tree(self) -> Tree:
        """The specs that it knows."""

    @property
    def merchant_keys(self) -> MerchantKeys:
        """The merchant as a receiver. Raises ConfigurationError where a deferred client finds no credentials."""


class NotificationMerchants:
    """The merchants that are served."""

    def __init__(self, given: Iterable[MerchantKeys | Client], resolve_merchant: ResolveMerchant | None) -> None:
        """Raises ConfigurationError where there is nobody to serve, or a merchant is there twice."""
        self._given = tuple(given)
        self._resolve_merchant = resolve_merchant
        self._known: dict[str, MerchantKeys] | None = None
        if not self._given and resolve_merchant is None:
            raise ConfigurationError(
                "whose notifications? Give a client, `Notifications(wxpay)`, keys, `Notifications(MerchantKeys.of(mchid, "
                "platform_keys=…, apiv3_key=…))`, or `resolve_merchant=` to look a merchant up"
            )
        if all(isinstance(one, MerchantKeys) for one in self._given):
            _ = self.known  # what is wrong shows now, not at the first notification

    @property
    def known(self) -> dict[str, MerchantKeys]:
        """Those that need no looking up, by merchant. A deferred client finds its credentials here."""
        if self._known is None:
            known: dict[str, MerchantKeys] = {}
            for one in self._given:
                merchant_keys = one if isinstance(one, MerchantKeys) else one.merchant_keys
                if merchant_keys.mchid in known:
                    raise ConfigurationError(f"the merchant {merchant_keys.mchid} is given twice")
                known[merchant_keys.mchid] = merchant_keys
            self._known = known
        return self._known

    async def of(self, merchant: str) -> MerchantKeys:
        """The merchant_keys of this merchant id. Raises UnknownMerchantError; MerchantLookupError where ``find`` fails."""
        found = self.known.get(merchant)
        if found is None and self._resolve_merchant is not None and _MERCHANT.match(merchant):
            found = await self._look_up(self._resolve_merchant, merchant)
        if found is None:
            message = f"the merchant {merchant[:40]!r} is not served here" if merchant else "it names no merchant"
            raise UnknownMerchantError(message, merchant[:40])
        return found

    async def candidates(self, serial: str, merchant: str) -> tuple[tuple[MerchantKeys, ...], ...]:
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
        at_hand = tuple(one for one in everybody if not wanted.isdisjoint(one.keyring.key_ids()))
        asked_first = {one.mchid for one in at_hand}
        others = tuple(one for one in everybody if one.mchid not in asked_first)
        return tuple(some for some in (at_hand, others) if some)

    @staticmethod
    async def vouching(
        serial: str, candidates: Iterable[MerchantKeys]
    ) -> list[tuple[PlatformKey, tuple[MerchantKeys, ...]]]:
        """Each key that the candidates have under this id, and those who believe it. A keyring may download the key,
        at its own limit.

        Mostly one. Where one merchant has another key under the id, each key speaks to those alone who have it.
        """
        found: list[tuple[PlatformKey, tuple[MerchantKeys, ...]]] = []
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
    async def _look_up(resolve_merchant: ResolveMerchant, merchant: str) -> MerchantKeys | None:
        try:
            looked_up = resolve_merchant(merchant)
            found: object = await looked_up if isawaitable(looked_up) else looked_up
        except Exception as error:
            message = f"`find` failed for the merchant {merchant} ({type(error).__name__})"
            raise MerchantLookupError(message, merchant) from error
        if found is None or isinstance(found, MerchantKeys):
            return found
        message = f"`find` gave {type(found).__name__} for the merchant {merchant}; it gives a MerchantKeys, or None"
        raise MerchantLookupError(message, merchant)

    def unknown(self, signed: SignatureHeaders, candidates: Iterable[MerchantKeys]) -> UnknownSerialError:
        """The error where none of the candidates has the key."""
        known = sorted({key_id for candidate in candidates for key_id in candidate.keyring.key_ids()})
        return unknown_serial(signed, known[:5], SUBJECT)
