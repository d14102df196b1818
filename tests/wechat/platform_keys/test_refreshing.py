"""Platform certificates are downloaded when needed, on schedule, on an unknown serial: seldom, and one at a time."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.wechat.platform_server import APIV3_KEY, PUB_KEY_ID, Cert, cert, keys, sealed
from wxpay_dsl.core.errors import ConfigurationError, SdkError, ServiceError
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.platform_keys.certificates import PlatformCertificatesError, decrypt_certificates
from wxpay_dsl.wechat.platform_keys.keyring import Preference, StaticKeyring
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys
from wxpay_dsl.wechat.platform_keys.refresh_policy import RefreshPolicy
from wxpay_dsl.wechat.platform_keys.refreshing import Downloaded, RefreshingKeyring
from wxpay_dsl.wechat.platform_keys.store import FileKeyStore, KeyStoreError, StoredCertificates

DAY = timedelta(days=1)
FIRST, SECOND, THIRD = cert(1), cert(2), cert(3)
PUBLIC_KEY = PlatformKey(PUB_KEY_ID, keys()[1].public_key())
POLICY = RefreshPolicy(interval=43200, minimum_interval=300)


@define
class World:
    """A platform that returns ``certs``, or fails, and clocks that a test sets."""

    certs: list[Cert] = field(factory=lambda: [FIRST])
    error: SdkError | None = None
    monotonic: float = 1000.0
    wall: datetime = field(factory=lambda: datetime.now(UTC).replace(microsecond=0))
    downloads: int = 0
    #: The number of stored responses that were decrypted.
    opened: int = 0
    awaited: list[bool] = field(factory=list)
    #: Cleared: downloads wait.
    gate: asyncio.Event = field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        self.gate.set()

    async def download(self, known: PlatformKeys, awaited: bool) -> Downloaded:
        self.downloads += 1
        self.awaited.append(awaited)
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return Downloaded(tuple(one.key for one in self.certs), sealed(self.certs))

    def keyring(self, *configured: PlatformKey, policy: RefreshPolicy = POLICY, **options: Any) -> RefreshingKeyring:
        return RefreshingKeyring(
            PlatformKeys(configured),
            self.download,
            policy=policy,
            now=lambda: self.wall,
            monotonic=lambda: self.monotonic,
            decrypt_certificates=self.open,
            **options,
        )

    def open(self, answer: bytes) -> tuple[PlatformKey, ...]:
        self.opened += 1
        return decrypt_certificates(answer, APIV3_KEY)

    def pass_(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += timedelta(seconds=seconds)


async def settle() -> None:
    """Lets what runs in the background end."""
    for _ in range(20):
        await asyncio.sleep(0)


class TestNeed:
    async def test_the_first_call_waits_for_the_first_download(self) -> None:
        world = World()
        keyring = world.keyring()
        assert (await keyring.preferred()).id == FIRST.id
        assert (world.downloads, world.awaited) == (1, [True])

    async def test_however_many_calls_wait_there_is_one_download(self) -> None:
        world = World()
        keyring = world.keyring()
        world.gate.clear()
        waiting = [asyncio.ensure_future(keyring.preferred()) for _ in range(200)]
        await settle()
        assert world.downloads == 1
        world.gate.set()
        assert {key.id for key in await asyncio.gather(*waiting)} == {FIRST.id}
        assert world.downloads == 1

    async def test_a_call_that_is_cancelled_leaves_the_download_to_the_others(self) -> None:
        world = World()
        keyring = world.keyring()
        world.gate.clear()
        first, second = asyncio.ensure_future(keyring.preferred()), asyncio.ensure_future(keyring.preferred())
        await settle()
        first.cancel()
        await settle()
        world.gate.set()
        assert (await second).id == FIRST.id
        with pytest.raises(asyncio.CancelledError):
            await first
        assert world.downloads == 1

    async def test_what_the_download_raised_is_raised_by_each_call_as_its_own(self) -> None:
        world = World(error=PlatformCertificatesError("damaged"))
        keyring = world.keyring()
        results = await asyncio.gather(*(keyring.preferred() for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in results] == ["platform certificates (平台证书): damaged"] * 3
        assert len({id(error) for error in results}) == 3

    async def test_without_any_key_it_is_tried_again_soon_and_ever_more_seldom(self) -> None:
        world = World(error=PlatformCertificatesError("down"))
        keyring = world.keyring()
        for _ in range(600):
            with pytest.raises(PlatformCertificatesError):
                await keyring.preferred()
            world.pass_(1)
        assert 8 <= world.downloads <= 10
        world.error = None
        world.pass_(300)
        assert (await keyring.preferred()).id == FIRST.id

    async def test_a_refusal_asks_whether_the_merchant_is_in_public_key_mode(self) -> None:
        world = World(error=ServiceError("GET /v3/certificates", 404, "RESOURCE_NOT_EXISTS", "无可用的平台证书"))
        with pytest.raises(ServiceError, match="PUB_KEY_ID_"):
            await world.keyring().preferred()

    async def test_certificates_that_are_not_valid_do_not_help(self) -> None:
        world = World(certs=[cert(9, 1 * DAY, 2 * DAY)])
        with pytest.raises(ConfigurationError, match="no platform key is valid"):
            await world.keyring().preferred()


class TestSchedule:
    async def test_what_is_due_is_downloaded_in_the_background(self) -> None:
        world = World()
        keyring = world.keyring()
        await keyring.preferred()
        world.certs = [FIRST, SECOND]
        world.pass_(43200)
        world.gate.clear()
        # No call waits for it, and the old set stays in use until the new one is complete.
        assert (await asyncio.wait_for(keyring.preferred(), 60)).id == FIRST.id
        await settle()
        assert world.downloads == 2
        assert (await keyring.find(FIRST.id)) is not None
        world.gate.set()
        await settle()
        assert (await keyring.find(SECOND.id)) is not None
        assert world.downloads == 2
        assert world.awaited == [True, False]

    async def test_nothing_is_downloaded_before_it_is_due(self) -> None:
        world = World()
        keyring = world.keyring()
        for _ in range(100):
            await keyring.preferred()
            await keyring.find(FIRST.id)
            world.pass_(400)
        assert world.downloads == 1

    async def test_a_failed_download_leaves_the_keys_in_force_and_comes_again_ever_more_seldom(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        world = World()
        keyring = world.keyring()
        await keyring.preferred()
        world.error = PlatformCertificatesError("down")
        with caplog.at_level(logging.INFO):
            for _ in range(200):
                world.pass_(600)
                assert (await keyring.preferred()).id == FIRST.id
                await settle()
        assert 8 <= world.downloads - 1 <= 12
        assert "the loaded keys stay in use" in caplog.text

    async def test_configured_certificates_are_kept_current_too(self) -> None:
        world = World(certs=[SECOND])
        keyring = world.keyring(FIRST.key)
        assert (await keyring.preferred()).id == FIRST.id
        await settle()
        assert keyring.keys.get(SECOND.id) is not None
        assert keyring.keys.get(FIRST.id) is not None

    async def test_what_the_service_no_longer_gives_is_no_longer_believed(self) -> None:
        world = World(certs=[FIRST, SECOND])
        keyring = world.keyring()
        await keyring.preferred()
        world.certs = [SECOND]
        await keyring.refresh()
        assert keyring.keys.get(FIRST.id) is None


class TestUnknownSerial:
    async def test_it_is_looked_for_once(self) -> None:
        world = World(certs=[FIRST, SECOND])
        keyring = world.keyring(FIRST.key, policy=RefreshPolicy(interval=None))
        found = await asyncio.gather(*(keyring.find(SECOND.id) for _ in range(100)))
        assert {key.id for key in found if key is not None} == {SECOND.id}
        assert world.downloads == 1

    async def test_forged_serials_do_not_become_a_download_storm(self) -> None:
        world = World()
        keyring = world.keyring(FIRST.key, policy=RefreshPolicy(interval=None, minimum_interval=300))
        for number in range(1000):
            assert await keyring.find(f"{number:040X}") is None
            world.pass_(0.25)
        assert world.downloads == 1
        world.pass_(300)
        await keyring.find("F" * 40)
        assert world.downloads == 2

    @pytest.mark.parametrize("serial", ["PUB_KEY_ID_0000", "", "not a serial", "GG" * 20, "../../x", "5" * 500])
    async def test_what_cannot_name_a_certificate_is_not_looked_for(self, serial: str) -> None:
        world = World()
        assert await world.keyring(FIRST.key, policy=RefreshPolicy(interval=None)).find(serial) is None
        assert world.downloads == 0

    async def test_a_failed_download_is_no_error_of_the_call(self) -> None:
        world = World(error=PlatformCertificatesError("down"))
        assert await world.keyring(FIRST.key).find(SECOND.id) is None

    async def test_the_case_of_a_serial_does_not_matter_and_its_zeros_do(self) -> None:
        keyring = World().keyring(FIRST.key, policy=RefreshPolicy(interval=None))
        assert FIRST.id.startswith("0")
        assert await keyring.find(FIRST.id.lower()) is not None
        assert await keyring.find(FIRST.id.lstrip("0")) is None


class TestExpiry:
    async def test_a_certificate_that_has_ended_verifies_nothing_and_says_so(self) -> None:
        world = World()
        keyring = world.keyring(FIRST.key, policy=RefreshPolicy(interval=None))
        assert await keyring.find(FIRST.id) is not None
        world.certs = [SECOND]
        world.pass_(101 * 86400)
        assert await keyring.find(FIRST.id) is None
        assert any(entry.startswith(FIRST.id) and "ended" in entry for entry in keyring.key_ids())

    async def test_when_the_last_key_ends_the_next_call_waits_for_new_ones(self) -> None:
        world = World()
        keyring = world.keyring(FIRST.key, policy=RefreshPolicy(interval=None))
        world.certs = [cert(7, -DAY, 1000 * DAY)]
        world.pass_(101 * 86400)
        assert (await keyring.preferred()).id == cert(7).id

    async def test_the_newest_valid_one_encrypts_from_the_moment_it_begins(self) -> None:
        world = World()
        newer = cert(8, 5 * DAY, 500 * DAY)
        keyring = world.keyring(FIRST.key, newer.key, policy=RefreshPolicy(interval=None))
        assert (await keyring.preferred()).id == FIRST.id
        world.pass_(5 * 86400 + 60)
        assert (await keyring.preferred()).id == newer.id

    async def test_configured_keys_end_like_any_other(self) -> None:
        now = datetime.now(UTC)
        keyring = StaticKeyring(PlatformKeys([FIRST.key, PUBLIC_KEY]), now=lambda: now + 200 * DAY)
        assert await keyring.find(FIRST.id) is None
        assert await keyring.find(PUB_KEY_ID) is PUBLIC_KEY
        assert keyring.key_ids()[0].startswith(f"{FIRST.id} (ended ")


class TestMigration:
    async def test_in_public_key_mode_nothing_is_downloaded(self) -> None:
        world = World(error=ServiceError("GET /v3/certificates", 500, "SYSTEM_ERROR"))
        keyring = world.keyring(PUBLIC_KEY, policy=RefreshPolicy(interval=None))
        for _ in range(100):
            assert (await keyring.preferred()).id == PUB_KEY_ID
            world.pass_(86400)
        assert world.downloads == 0

    async def test_a_certificate_that_still_signs_is_found_beside_the_public_key(self) -> None:
        world = World()
        keyring = world.keyring(PUBLIC_KEY, policy=RefreshPolicy(interval=None))
        assert await keyring.find(FIRST.id) is not None
        assert (await keyring.preferred()).id == PUB_KEY_ID

    async def test_certificates_that_cannot_be_had_do_not_disturb_the_public_key(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        world = World(error=ServiceError("GET /v3/certificates", 500, "SYSTEM_ERROR"))
        keyring = world.keyring(PUBLIC_KEY)
        with caplog.at_level(logging.INFO):
            assert (await keyring.preferred()).id == PUB_KEY_ID
            await settle()
            assert (await keyring.preferred()).id == PUB_KEY_ID
        assert [record.levelno for record in caplog.records] == [logging.INFO]

    @pytest.mark.parametrize(("ratio", "least", "most"), [(0.0, 0, 0), (0.3, 200, 400), (1.0, 1000, 1000)])
    async def test_a_share_of_the_calls_asks_for_the_public_key(self, ratio: float, least: int, most: int) -> None:
        keyring = StaticKeyring(PlatformKeys([FIRST.key, PUBLIC_KEY]), Preference(ratio))
        asked = [(await keyring.preferred()).id for _ in range(1000)]
        assert least <= asked.count(PUB_KEY_ID) <= most
        assert set(asked) <= {PUB_KEY_ID, FIRST.id}

    @pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
    async def test_where_there_is_one_kind_only_it_is_taken(self, ratio: float) -> None:
        for key in (FIRST.key, PUBLIC_KEY):
            keyring = StaticKeyring(PlatformKeys([key]), Preference(ratio))
            assert (await keyring.preferred()) is key


class TestStore:
    async def test_the_next_start_downloads_nothing(self, tmp_path: Path) -> None:
        world = World()
        store = FileKeyStore(tmp_path)
        await world.keyring(store=store, name="m").preferred()
        again = world.keyring(store=store, name="m")
        assert (await again.preferred()).id == FIRST.id
        assert world.downloads == 1

    async def test_the_schedule_goes_on_where_it_was(self, tmp_path: Path) -> None:
        world = World()
        store = FileKeyStore(tmp_path)
        await world.keyring(store=store, name="m").preferred()
        world.pass_(43000)
        again = world.keyring(store=store, name="m")
        for seconds, downloads in ((0, 1), (0, 1), (199, 1), (1, 2), (0, 2)):
            world.pass_(seconds)
            await again.preferred()
            await background()
            assert world.downloads == downloads

    @pytest.mark.parametrize(("age", "downloads"), [(0, 1), (43199, 1), (43200, 2)])
    async def test_until_what_age_it_is_fresh(self, age: float, downloads: int, tmp_path: Path) -> None:
        world = World()
        store = FileKeyStore(tmp_path)
        await world.keyring(store=store, name="m").preferred()
        world.pass_(age)
        await world.keyring(store=store, name="m").preferred()
        assert world.downloads == downloads

    @pytest.mark.parametrize("age", [0, 0.5, 100])
    async def test_what_was_taken_is_not_taken_again(self, age: float, tmp_path: Path) -> None:
        world = World()
        store = FileKeyStore(tmp_path)
        await world.keyring(store=store, name="m").preferred()
        world.pass_(age)
        again = world.keyring(store=store, name="m")
        await again.preferred()
        assert (world.opened, world.downloads) == (1, 1)
        world.pass_(300)
        assert await again.find(SECOND.id) is None
        assert (world.opened, world.downloads) == (1, 2)

    async def test_what_is_too_old_serves_while_new_ones_come(self, tmp_path: Path) -> None:
        world = World()
        store = FileKeyStore(tmp_path)
        await world.keyring(store=store, name="m").preferred()
        world.pass_(2 * 86400)
        world.certs = [SECOND]
        again = world.keyring(store=store, name="m")
        await again.preferred()
        await background()
        assert again.keys.get(SECOND.id) is not None
        assert world.downloads == 2

    async def test_another_process_takes_what_the_first_has_downloaded(self, tmp_path: Path) -> None:
        world = World()
        store = FileKeyStore(tmp_path)
        first, second = (world.keyring(store=store, name="m") for _ in range(2))
        await first.preferred()
        await second.preferred()
        world.certs = [FIRST, SECOND]
        world.pass_(400)
        assert await first.find(SECOND.id) is not None
        assert await second.find(SECOND.id) is not None
        assert world.downloads == 2

    @pytest.mark.parametrize(
        "entry",
        [
            b"",
            b"{",
            b"[]",
            b'{"fetched_at": 1}',
            b"\xff\xfe",
            StoredCertificates(b"{}", 1.0).dumps(),
            StoredCertificates(sealed([SECOND], "another APIv3 key of 32 bytes!!!"), 4e9).dumps(),
            StoredCertificates(sealed([SECOND]).replace(b"0A", b"0B"), 4e9).dumps(),
        ],
        ids=range(8),  # the last are encrypted, so never the same
    )
    async def test_an_entry_that_somebody_changed_is_not_believed(
        self, entry: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        world = World()
        store = FileKeyStore(tmp_path)
        await store.save("m", entry)
        keyring = world.keyring(store=store, name="m")
        assert (await keyring.preferred()).id == FIRST.id
        assert "are not used" in caplog.text
        assert await keyring.find(SECOND.id) is None

    @pytest.mark.parametrize("ahead", [1, 1e6])
    async def test_an_entry_from_the_future_serves_and_is_replaced(self, ahead: float, tmp_path: Path) -> None:
        world = World(certs=[SECOND])
        store = FileKeyStore(tmp_path)
        await store.save("m", StoredCertificates(sealed([FIRST]), world.wall.timestamp() + ahead).dumps())
        keyring = world.keyring(store=store, name="m")
        await keyring.preferred()
        await background()
        assert keyring.keys.get(SECOND.id) is not None
        assert world.downloads == 1

    @pytest.mark.parametrize("ahead", [1, 1e6])
    async def test_an_entry_from_the_future_keeps_out_none_of_the_present(self, ahead: float, tmp_path: Path) -> None:
        world = World(error=PlatformCertificatesError("down"))
        store = FileKeyStore(tmp_path)
        await store.save("m", StoredCertificates(sealed([FIRST]), world.wall.timestamp() + ahead).dumps())
        keyring = world.keyring(store=store, name="m")
        assert (await keyring.preferred()).id == FIRST.id
        await store.save("m", StoredCertificates(sealed([FIRST, SECOND]), world.wall.timestamp()).dumps())
        world.monotonic += 300
        assert await keyring.find(SECOND.id) is not None

    async def test_a_store_that_is_down_disturbs_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        class Down:
            async def load(self, name: str) -> bytes | None:
                raise KeyStoreError("Redis: down")

            async def save(self, name: str, data: bytes) -> None:
                raise KeyStoreError("Redis: down")

        world = World()
        assert (await world.keyring(store=Down(), name="m").preferred()).id == FIRST.id
        assert caplog.text.count("Redis: down") == 2


async def background() -> None:
    """Lets what runs in the background, where it reads and writes files in threads, end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, pending = await asyncio.wait(others, timeout=60)
        assert not pending


class TestLifetime:
    async def test_closing_ends_the_download_and_lets_those_who_wait_go(self) -> None:
        world = World()
        keyring = world.keyring()
        world.gate.clear()
        waiting = asyncio.ensure_future(keyring.preferred())
        await settle()
        await keyring.close()
        others = asyncio.all_tasks() - {asyncio.current_task(), waiting}
        assert not others
        with pytest.raises(ConfigurationError):
            await waiting

    async def test_closing_what_never_downloaded_or_has_done_so_is_nothing(self) -> None:
        keyring = World().keyring()
        await keyring.close()
        await keyring.preferred()
        await keyring.close()
        assert (await keyring.preferred()).id == FIRST.id

    async def test_it_shows_which_keys_it_has_and_no_answer(self) -> None:
        world = World()
        keyring = world.keyring()
        assert repr(keyring) == "<RefreshingKeyring empty>"
        await keyring.preferred()
        assert repr(keyring) == f"<RefreshingKeyring {FIRST.id}>"
        assert "ciphertext" not in repr(await world.download(PlatformKeys(()), False))

    async def test_refresh_takes_nothing_from_the_store(self, tmp_path: Path) -> None:
        world, store = World(), FileKeyStore(tmp_path)
        first, second = (world.keyring(store=store, name="m") for _ in range(2))
        await first.preferred()
        await second.preferred()
        world.pass_(400)
        await first.refresh()
        world.certs = [FIRST, SECOND]
        assert {key.id for key in await second.refresh()} == {FIRST.id, SECOND.id}

    async def test_refresh_downloads_whatever_the_schedule_says(self) -> None:
        world = World()
        keyring = world.keyring()
        await keyring.preferred()
        world.certs = [FIRST, SECOND]
        assert {key.id for key in await keyring.refresh()} == {FIRST.id, SECOND.id}
        world.error = PlatformCertificatesError("down")
        with pytest.raises(PlatformCertificatesError):
            await keyring.refresh()
        assert {key.id for key in keyring.keys} == {FIRST.id, SECOND.id}

    def test_one_event_loop_after_the_other(self) -> None:
        world = World()
        keyring = world.keyring()
        assert asyncio.run(keyring.preferred()).id == FIRST.id
        world.certs = [FIRST, SECOND]
        world.pass_(400)
        found = asyncio.run(keyring.find(SECOND.id))
        assert found is not None

    def test_a_loop_that_ends_in_mid_download_does_not_block_the_next(self) -> None:
        world = World()
        keyring = world.keyring()

        async def leave() -> None:
            world.gate = asyncio.Event()
            waiting = asyncio.ensure_future(keyring.preferred())
            await settle()
            waiting.cancel()

        asyncio.run(leave())
        assert world.downloads == 1
        world.gate = asyncio.Event()
        world.gate.set()
        world.pass_(10)
        assert asyncio.run(keyring.preferred()).id == FIRST.id

    def test_two_loops_at_once_share_one_download(self) -> None:
        world = World()
        started, go = threading.Event(), threading.Event()
        inner = world.download

        async def download(known: PlatformKeys, awaited: bool) -> Downloaded:
            started.set()
            await asyncio.to_thread(go.wait, 60)
            return await inner(known, awaited)

        keyring = RefreshingKeyring(PlatformKeys(), download)
        found: list[PlatformKey] = []

        def run() -> None:
            found.append(asyncio.run(keyring.preferred()))

        threads = [threading.Thread(target=run) for _ in range(2)]
        threads[0].start()
        assert started.wait(60)
        threads[1].start()
        go.set()
        for thread in threads:
            thread.join(60)
        assert [key.id for key in found] == [FIRST.id, FIRST.id]
        assert world.downloads == 1


class TestUrgency:
    """Downloads that calls wait for are retried; others are repeated on schedule."""

    async def test_a_call_that_needs_a_key_or_cannot_verify_waits(self) -> None:
        world = World()
        keyring = world.keyring()
        await keyring.preferred()
        world.certs = [FIRST, SECOND]
        world.pass_(301)
        assert await keyring.find(SECOND.id) is not None
        await keyring.refresh()
        assert world.awaited == [True, True, True]

    async def test_nobody_waits_for_the_schedule(self) -> None:
        world = World()
        keyring = world.keyring()
        await keyring.preferred()
        world.pass_(43200)
        await keyring.preferred()
        await settle()
        assert world.awaited == [True, False]

    @pytest.mark.parametrize(("status", "asks"), [(404, True), (500, True), (501, False), (403, False)])
    async def test_which_refusals_may_mean_public_key_mode(self, status: int, asks: bool) -> None:
        world = World(error=ServiceError("GET /v3/certificates", status, "X", "y"))
        with pytest.raises(ServiceError) as caught:
            await world.keyring().preferred()
        assert ("public-key mode" in caught.value.hint) is asks


async def test_it_is_closed_from_another_loop_too() -> None:
    """Like a server that stops in another thread than the one that started a download."""
    world = World()
    world.gate.clear()
    keyring = world.keyring()
    waiting = asyncio.ensure_future(keyring.preferred())
    await settle()
    await asyncio.to_thread(lambda: asyncio.run(keyring.close()))
    with pytest.raises(ConfigurationError):
        await waiting
    assert world.downloads == 1
    world.gate.set()
    assert (await keyring.preferred()).id == FIRST.id
