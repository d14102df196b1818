"""Several merchants behind one URL: none of them silences another, and strangers ask their database for nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.notify.conftest import PAYMENT, PAYMENT_V2, Sender
from tests.turning import turning
from wxpay_dsl import MerchantKeys, Notifications
from wxpay_dsl.notify import MerchantLookupError, NotificationDecryptionError, UnknownMerchantError
from wxpay_dsl.notify.merchants import NotificationMerchants
from wxpay_dsl.sandbox.keys.identity import make_platform_public_key
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.crypto.shangmi import Sm2PublicKey
from wxpay_dsl.wechat.errors import BadSignatureError, UnknownSerialError
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys


def with_a_bogus_key(sender: Sender, mchid: str = "1900000666") -> MerchantKeys:
    """Another merchant, who has some other key under the id of the sender's."""
    certs = {sender.pair.id: make_platform_public_key().private_key.public_key()}
    return MerchantKeys.of(mchid, platform_keys=certs, apiv3_key="m" * 32)


class Downloading:
    """A keyring that has no key at hand until it is asked."""

    def __init__(self, *keys: PlatformKey) -> None:
        self.keys = PlatformKeys(keys)
        self.asked: list[str] = []

    async def find(self, serial: str) -> PlatformKey | None:
        self.asked.append(serial)
        return self.keys.get(serial)

    async def preferred(self) -> PlatformKey:
        raise NotImplementedError

    def key_ids(self) -> list[str]:
        return []


@pytest.mark.parametrize("first", [True, False], ids=["bogus first", "bogus last"])
async def test_a_bogus_key_under_anothers_id_silences_nobody(first: bool, sender: Sender) -> None:
    merchants = [with_a_bogus_key(sender), with_a_bogus_key(sender, "1900000667")]
    merchants.insert(2 * first, sender.merchant_keys)
    wire = sender.event()
    notification = await Notifications(*merchants).parse(wire.headers, wire.body)
    assert (notification.merchant, notification.resource) == (sender.merchant.mchid, PAYMENT)


async def test_nor_does_it_where_the_others_key_is_still_to_be_downloaded(sender: Sender) -> None:
    keyring = Downloading(PlatformKey(sender.pair.id, sender.pair.private_key.public_key()))
    mine = MerchantKeys(sender.merchant.mchid, keyring, sender.merchant.apiv3_key)
    wire = sender.event()
    notification = await Notifications(with_a_bogus_key(sender), mine).parse(wire.headers, wire.body)
    assert notification.merchant == sender.merchant.mchid
    assert keyring.asked == [sender.pair.id]


async def test_one_who_has_the_same_key_at_hand_does_not_keep_it_from_the_other(sender: Sender) -> None:
    """The platform's certificates are the same for all; whose notification it is the APIv3 key tells."""
    key = PlatformKey(sender.pair.id, sender.pair.private_key.public_key())
    mine = MerchantKeys(sender.merchant.mchid, Downloading(key), sender.merchant.apiv3_key)
    other = MerchantKeys.of("1900000666", platform_keys={key.id: key.rsa}, apiv3_key="m" * 32)
    wire = sender.event()
    assert (await Notifications(other, mine).parse(wire.headers, wire.body)).merchant == sender.merchant.mchid


async def test_one_who_cannot_get_the_key_does_not_keep_it_from_the_next(sender: Sender) -> None:
    key = PlatformKey(sender.pair.id, sender.pair.private_key.public_key())
    without = MerchantKeys("1900000666", Downloading(), b"m" * 32)
    mine = MerchantKeys(sender.merchant.mchid, Downloading(key), sender.merchant.apiv3_key)
    wire = sender.event()
    assert (await Notifications(without, mine).parse(wire.headers, wire.body)).merchant == sender.merchant.mchid


async def test_a_key_that_many_have_is_verified_once(sender: Sender) -> None:
    key = PlatformKey(sender.pair.id, sender.pair.private_key.public_key())
    bogus = with_a_bogus_key(sender)
    many = [MerchantKeys(str(number), Keys(key), b"m" * 32) for number in range(3)]
    found = await NotificationMerchants.platform_keys(key.id, [many[0], bogus, many[1], many[2]])
    assert [believing for _, believing in found] == [tuple(many), (bogus,)]


async def test_where_one_believes_it_the_others_download_nothing(sender: Sender) -> None:
    keyring = Downloading()
    other = MerchantKeys("1900000666", keyring, b"m" * 32)
    wire = sender.event()
    for merchants in ((sender.merchant_keys, other), (other, sender.merchant_keys)):
        assert (await Notifications(*merchants).parse(wire.headers, wire.body)).merchant == sender.merchant.mchid
    assert keyring.asked == []


async def test_the_owner_of_a_bogus_key_speaks_for_himself_alone(sender: Sender) -> None:
    """He has its private key too, and the wrong APIv3 key: he opens nothing of another's, and signs nothing for him."""
    pair = make_platform_public_key()
    given = MerchantKeys.of(
        "1900000666", platform_keys={sender.pair.id: pair.private_key.public_key()}, apiv3_key="m" * 32
    )
    wire = Sender(sender.merchant, Platform("public-key", pair, ()), pair).event()
    headers = {**wire.headers, "Wechatpay-Serial": sender.pair.id}
    with pytest.raises(NotificationDecryptionError):
        await Notifications(given, sender.merchant_keys).parse(headers, wire.body)
    with pytest.raises(BadSignatureError):
        await Notifications(given, sender.merchant_keys).parse(headers, wire.body, sender.merchant.mchid)


async def test_what_no_key_made_says_so(sender: Sender) -> None:
    wire = sender.event()
    both = Notifications(with_a_bogus_key(sender), sender.merchant_keys)
    with pytest.raises(BadSignatureError, match=sender.pair.id):
        await both.parse(wire.headers, wire.body + b" ")
    with pytest.raises(UnknownSerialError, match=sender.pair.id):
        await both.parse({**wire.headers, "Wechatpay-Serial": "PUB_KEY_ID_2"}, wire.body)


@pytest.mark.parametrize(
    "named", ["1" * 33, "1" * 900_000, "1900000109' OR 1=1", "商户", "19000\n00109", "a b", "../x"]
)
async def test_only_what_can_be_a_merchant_id_is_looked_up(named: str, sender: Sender) -> None:
    asked: list[str] = []
    notifications = Notifications(resolve_merchant=asked.append)
    wire, wire_v2 = sender.event(), sender.xml({**PAYMENT_V2, "mch_id": named})
    with pytest.raises(UnknownMerchantError) as caught:
        await notifications.parse(wire.headers, wire.body, named)
    assert len(str(caught.value)) < 200
    with pytest.raises(UnknownMerchantError):
        await notifications.parse(wire_v2.headers, wire_v2.body)
    assert asked == []


@pytest.mark.parametrize("mchid", ["1", "1900000109", "9" * 32])
async def test_and_that_is_looked_up(mchid: str, sender: Sender) -> None:
    asked: list[str] = []
    wire = sender.xml({**PAYMENT_V2, "mch_id": mchid})
    with pytest.raises(UnknownMerchantError):
        await Notifications(resolve_merchant=asked.append).parse(wire.headers, wire.body)
    assert asked == [mchid]


def broken(merchant: str) -> MerchantKeys | None:
    raise ConnectionError("the database is gone")


async def broken_later(merchant: str) -> MerchantKeys | None:
    raise ConnectionError("the database is gone")


@pytest.mark.parametrize(
    "find", [broken, broken_later, lambda merchant: "key"], ids=["sync", "async", "no merchant_keys"]
)
async def test_a_lookup_that_fails_is_no_exception_of_handle(
    find: Any, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    notifications = Notifications(resolve_merchant=find, store="memory")
    for wire, merchant in ((sender.event(), sender.merchant.mchid), (sender.xml(PAYMENT_V2), "")):
        with pytest.raises(MerchantLookupError, match="1900000109") as caught:
            await notifications.parse(wire.headers, wire.body, merchant)
        assert caught.value.merchant == "1900000109"
        caplog.clear()
        answer = await notifications.handle(wire.headers, wire.body, merchant)
        assert answer.status == 503
        assert b"database" not in answer.body
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert ("the database is gone" in caplog.text) is (find in (broken, broken_later)), record


async def test_a_forgery_under_an_sm2_key_does_not_hold_up_the_event_loop(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = PlatformKey("PUB_KEY_ID_SM2", Sm2PublicKey(b"\x04" + bytes(64)))
    notifications = Notifications(MerchantKeys("1900000109", Keys(key), b"k" * 32))
    wire = sender.event()
    turned: list[bool] = []
    async with turning() as has_turned:

        def verify(self: Sm2PublicKey, message: bytes, signature: str) -> bool:
            turned.append(has_turned())
            return False

        monkeypatch.setattr(Sm2PublicKey, "verify", verify)
        with pytest.raises(BadSignatureError):
            await notifications.parse({**wire.headers, "Wechatpay-Serial": "PUB_KEY_ID_SM2"}, wire.body)
    assert turned == [True]
    await notifications.close()


class Keys(Downloading):
    """A keyring with these keys at hand."""

    def key_ids(self) -> list[str]:
        return [key.id for key in self.keys]
