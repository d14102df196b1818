"""Keys as configured: found by their serial while they are valid, and the right one preferred."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from tests.wechat.platform_server import DAY, PUB_KEY_ID, Cert, cert, keys
from wxpay_dsl import ConfigurationError
from wxpay_dsl.wechat.crypto.platform_key import Keyring, platform_key
from wxpay_dsl.wechat.platform_keys.keyring import Preference, StaticKeyring, describe_keys
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys

PUBLIC = platform_key(PUB_KEY_ID, keys()[1].public_key())


def ring(*certs: Cert, public: bool = False, later: timedelta = timedelta(), ratio: float = 1.0) -> StaticKeyring:
    """A keyring whose clock is ahead by this much."""
    kept = PlatformKeys([*([PUBLIC] if public else []), *(one.key for one in certs)])
    return StaticKeyring(kept, Preference(ratio), now=lambda: datetime.now(UTC) + later)


async def test_a_key_is_found_by_its_serial() -> None:
    one = cert(1)
    keyring: Keyring = ring(one, public=True)
    assert await keyring.find(PUB_KEY_ID) is not None
    for serial in (one.id, one.id.lower()):
        found = await keyring.find(serial)
        assert found is not None
        assert found.id == one.id
    for serial in ("", "0", one.id.lstrip("0"), PUB_KEY_ID[:-1], "x" * 1000):
        assert await keyring.find(serial) is None


async def test_a_certificate_verifies_nothing_before_it_begins_or_after_it_ends() -> None:
    one = cert(1, start=DAY, end=3 * DAY)
    assert await ring(one).find(one.id) is None
    assert await ring(one, later=2 * DAY).find(one.id) is not None
    assert await ring(one, later=4 * DAY).find(one.id) is None


async def test_the_public_key_is_preferred_and_has_no_end() -> None:
    assert (await ring(cert(1), public=True, later=10_000 * DAY).preferred()).id == PUB_KEY_ID


async def test_of_certificates_the_newest_valid_one() -> None:
    old, new = cert(1, start=-5 * DAY, end=2 * DAY), cert(2, start=DAY, end=9 * DAY)
    assert (await ring(old, new).preferred()).id == old.id
    assert (await ring(old, new, later=DAY + DAY / 2).preferred()).id == new.id
    assert (await ring(old, new, later=5 * DAY).preferred()).id == new.id


async def test_a_choice_is_looked_at_again_when_a_certificate_begins_or_ends() -> None:
    old, new = cert(1, start=-5 * DAY, end=2 * DAY), cert(2, start=DAY, end=9 * DAY)
    now = [datetime.now(UTC)]
    keyring = StaticKeyring(PlatformKeys([old.key, new.key]), now=lambda: now[0])
    assert (await keyring.preferred()).id == old.id
    now[0] += DAY + DAY / 2
    assert (await keyring.preferred()).id == new.id
    now[0] += 20 * DAY
    with pytest.raises(ConfigurationError):
        await keyring.preferred()


async def test_no_key_at_all_says_what_to_give() -> None:
    with pytest.raises(ConfigurationError, match=r"微信支付公钥|平台证书"):
        await ring().preferred()


async def test_while_both_modes_are_on_a_share_asks_for_the_public_key() -> None:
    one = cert(1)
    assert (await ring(one, public=True, ratio=0.0).preferred()).id == one.id
    draws = iter([0.2, 0.4, 0.6, 0.8])
    keyring = StaticKeyring(PlatformKeys([PUBLIC, one.key]), Preference(0.5, random=lambda: next(draws)))
    assert [(await keyring.preferred()).id for _ in range(4)] == [PUB_KEY_ID, PUB_KEY_ID, one.id, one.id]


def test_an_error_shows_which_keys_there_are_and_why_one_does_not_count() -> None:
    ended, coming = cert(1, start=-9 * DAY, end=-DAY), cert(2, start=DAY, end=2 * DAY)
    shown = describe_keys(PlatformKeys([PUBLIC, ended.key, coming.key]), datetime.now(UTC))
    assert shown[0] == PUB_KEY_ID
    assert f"{ended.id} (ended 20" in shown[1]
    assert f"{coming.id} (begins 20" in shown[2]


async def test_at_the_ratio_itself_a_certificate_is_asked_for() -> None:
    """``ratio`` is the share of the public key: with 0.25, random numbers below 0.25 choose it."""
    one = cert(1)
    kept = PlatformKeys([PUBLIC, one.key])
    for chance, expected in ((0.0, PUB_KEY_ID), (0.2499, PUB_KEY_ID), (0.25, one.id), (0.9, one.id)):
        preference = Preference(0.25, random=lambda chance=chance: chance)
        assert preference.choose(kept, datetime.now(UTC)).id == expected


async def test_a_choice_is_made_anew_for_other_keys_and_when_a_certificate_has_ended() -> None:
    now = datetime.now(UTC)
    one, other = cert(1, start=-DAY, end=DAY), cert(2, start=-2 * DAY, end=9 * DAY)
    preference = Preference()
    assert preference.choose(PlatformKeys([one.key]), now).id == one.id
    both = PlatformKeys([one.key, other.key])
    end = one.key.not_after
    assert end is not None
    assert preference.choose(both, now).id == one.id
    assert preference.choose(both, end).id == one.id
    assert preference.choose(both, end + timedelta(seconds=1)).id == other.id
    assert Preference().choose(both, end).id == one.id
    late = Preference()
    assert late.choose(both, end).id == one.id
    assert late.choose(both, end + timedelta(seconds=1)).id == other.id
    assert preference.choose(PlatformKeys([PUBLIC]), end).id == PUB_KEY_ID


def test_a_preference_shows_its_share() -> None:
    assert repr(Preference(0.5)) == "Preference(ratio=0.5)"


def test_a_key_that_counts_is_described_by_its_id_alone() -> None:
    one = cert(1)
    assert describe_keys(PlatformKeys([PUBLIC, one.key]), datetime.now(UTC)) == [PUB_KEY_ID, one.id]


@pytest.mark.parametrize(("name", "good", "bad"), [("not_before", -DAY, DAY), ("not_after", DAY, -DAY)])
async def test_a_key_with_one_limit_is_held_to_it(name: str, good: timedelta, bad: timedelta) -> None:
    for limit, found in ((good, True), (bad, False)):
        limits: dict[str, Any] = {name: datetime.now(UTC) + limit}
        key = evolve(PUBLIC, id="0A", **limits)
        assert (await StaticKeyring(PlatformKeys([key])).find("0A") is not None) is found
