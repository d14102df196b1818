"""Finds the merchant whose keys open a notification: by the id in the URL or the body, or by the platform key."""

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

#: Looks up the keys of a merchant id (商户号), for instance in a database; None if it is not served. May be async.
ResolveMerchant = Callable[[str], MerchantKeys | Awaitable[MerchantKeys | None] | None]

#: A possible merchant id. An APIv2 notification names its merchant before anything is verified: no other text is passed
#: to :data:`ResolveMerchant`.
_MERCHANT: Final = re.compile(r"[0-9A-Za-z_-]{1,32}\Z")


class Client(Protocol):
    """A client such as :class:`~wxpay_dsl.Wechatpay`, which has its merchant's keys and keeps them current."""

    @property
    def tree(self) -> Tree:
        """The specs of the client."""

    @property
    def merchant_keys(self) -> MerchantKeys:
        """The keys of its merchant. Raises ConfigurationError if a client from the environment finds no credentials."""


class NotificationMerchants:
    """The merchants whose notifications are received."""

    def __init__(self, given: Iterable[MerchantKeys | Client], resolve_merchant: ResolveMerchant | None) -> None:
        """Raises ConfigurationError if there are neither merchants nor a resolver, or if a merchant is given twice."""
        self._given = tuple(given)
        self._resolve_merchant = resolve_merchant
        self._by_mchid: dict[str, MerchantKeys] | None = None
        if not self._given and resolve_merchant is None:
            raise ConfigurationError(
                "no merchant is given: pass a client, `Notifications(wxpay)`, keys, "
                "`Notifications(MerchantKeys.of(mchid, platform_keys=…, apiv3_key=…))`, or `resolve_merchant=`, which "
                "looks up a merchant"
            )
        if all(isinstance(merchant, MerchantKeys) for merchant in self._given):
            _ = self.by_mchid  # errors are raised now, not at the first notification

    @property
    def by_mchid(self) -> dict[str, MerchantKeys]:
        """``{merchant id: keys}`` of the given merchants. A client from the environment loads its credentials here."""
        if self._by_mchid is None:
            merchants: dict[str, MerchantKeys] = {}
            for given in self._given:
                merchant_keys = given if isinstance(given, MerchantKeys) else given.merchant_keys
                if merchant_keys.mchid in merchants:
                    raise ConfigurationError(f"the merchant {merchant_keys.mchid} is given twice")
                merchants[merchant_keys.mchid] = merchant_keys
            self._by_mchid = merchants
        return self._by_mchid

    async def of(self, merchant: str) -> MerchantKeys:
        """The keys of a merchant id. Raises UnknownMerchantError; MerchantLookupError if ``resolve_merchant`` fails."""
        keys = self.by_mchid.get(merchant)
        if keys is None and self._resolve_merchant is not None and _MERCHANT.match(merchant):
            keys = await self._look_up(self._resolve_merchant, merchant)
        if keys is None:
            message = f"the merchant {merchant[:40]!r} is not served here" if merchant else "it names no merchant"
            raise UnknownMerchantError(message, merchant[:40])
        return keys

    async def candidates(self, serial: str, merchant: str) -> tuple[tuple[MerchantKeys, ...], ...]:
        """The merchants that may have the platform key ``serial``, in groups: those to try first, then the others.

        ``merchant``, if not empty, is the only candidate. Raises UnknownMerchantError, MerchantLookupError.
        """
        if merchant:
            return ((await self.of(merchant),),)
        merchants = tuple(self.by_mchid.values())
        if not merchants:
            message = "an APIv3 notification names its merchant only encrypted: put it into the URL, …/{merchant}"
            raise UnknownMerchantError(message)
        if len(merchants) == 1:
            return (merchants,)
        # Those that have the key come first, so that the others do not download keys for a serial that is not theirs.
        serials = {serial, serial.upper()}
        with_key = tuple(keys for keys in merchants if not serials.isdisjoint(keys.keyring.key_ids()))
        first = {keys.mchid for keys in with_key}
        others = tuple(keys for keys in merchants if keys.mchid not in first)
        return tuple(group for group in (with_key, others) if group)

    @staticmethod
    async def platform_keys(
        serial: str, candidates: Iterable[MerchantKeys]
    ) -> list[tuple[PlatformKey, tuple[MerchantKeys, ...]]]:
        """Each platform key that the candidates have under this id, with the merchants that have it.

        Usually one. If merchants have different keys under the id, a key verifies notifications only of the merchants
        that have it. A keyring may download the key, within its own rate limit.
        """
        keys: list[tuple[PlatformKey, tuple[MerchantKeys, ...]]] = []
        for candidate in candidates:
            key = await candidate.keyring.find(serial)
            if key is None:
                continue
            for number, (other, merchants) in enumerate(keys):
                if other.public_key == key.public_key:
                    keys[number] = other, (*merchants, candidate)
                    break
            else:
                keys.append((key, (candidate,)))
        return keys

    @staticmethod
    async def _look_up(resolve_merchant: ResolveMerchant, merchant: str) -> MerchantKeys | None:
        try:
            looked_up = resolve_merchant(merchant)
            keys: object = await looked_up if isawaitable(looked_up) else looked_up
        except Exception as error:
            message = f"`resolve_merchant` failed for the merchant {merchant} ({type(error).__name__})"
            raise MerchantLookupError(message, merchant) from error
        if keys is None or isinstance(keys, MerchantKeys):
            return keys
        message = f"`resolve_merchant` returned {type(keys).__name__} for {merchant}, not MerchantKeys or None"
        raise MerchantLookupError(message, merchant)

    def unknown(self, signed: SignatureHeaders, candidates: Iterable[MerchantKeys]) -> UnknownSerialError:
        """The error if none of the candidates has the key."""
        key_ids = sorted({key_id for candidate in candidates for key_id in candidate.keyring.key_ids()})
        return unknown_serial(signed, key_ids[:5], SUBJECT)
