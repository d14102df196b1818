"""Certificate stores: private, written atomically, in a file or in Redis."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.redis_server import running_redis
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.platform_keys.store import (
    FileKeyStore,
    KeyStore,
    KeyStoreError,
    RedisKeyStore,
    StoredCertificates,
    key_store,
)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The Redis of ``WXPAY_TEST_REDIS``, or one of our own for as long as the tests run."""
    with running_redis() as url:
        yield url


@pytest.fixture(params=["file", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    """Each kind of store, empty."""
    if request.param == "file":
        return FileKeyStore(tmp_path / "made" / "when needed")
    monkeypatch.setattr("wxpay_dsl.wechat.platform_keys.store._REDIS_TIMEOUT", 60.0)  # on however busy a machine
    return RedisKeyStore(request.getfixturevalue("redis_url"), f"wxpay-test:{uuid4().hex}:")


async def test_what_is_saved_is_loaded_by_its_name(store: KeyStore) -> None:
    assert await store.load("one") is None
    await store.save("one", b"\x00first\xff")
    await store.save("two", b"second")
    await store.save("one", b"third")
    assert (await store.load("one"), await store.load("two"), await store.load("three")) == (b"third", b"second", None)


def test_a_store_serves_one_event_loop_after_the_other(store: KeyStore) -> None:
    asyncio.run(store.save("one", b"data"))
    assert asyncio.run(store.load("one")) == b"data"


async def test_many_at_once_leave_one_of_them_whole(store: KeyStore) -> None:
    entries = [bytes([number]) * 100_000 for number in range(20)]
    await asyncio.gather(*(store.save("one", entry) for entry in entries))
    assert await store.load("one") in entries


class TestFile:
    async def test_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        folder = tmp_path / "store"
        before = os.umask(0)
        try:
            await FileKeyStore(folder).save("one", b"data")
        finally:
            os.umask(before)
        assert stat.S_IMODE((folder / "one.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    async def test_a_file_that_everybody_could_read_is_replaced_by_one_that_they_cannot(self, tmp_path: Path) -> None:
        path = tmp_path / "one.json"
        path.write_bytes(b"old")
        path.chmod(0o666)
        await FileKeyStore(tmp_path).save("one", b"new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_write_that_fails_leaves_the_old_file_and_no_other(self, tmp_path: Path) -> None:
        # A folder in the entry's place cannot be replaced by a file.
        (tmp_path / "one.json").mkdir()
        (tmp_path / "one.json" / "inside").touch()
        with pytest.raises(KeyStoreError, match=r"one\.json cannot be written"):
            asyncio.run(FileKeyStore(tmp_path).save("one", b"data"))
        assert [path.name for path in tmp_path.iterdir()] == ["one.json"]

    @pytest.mark.parametrize("name", ["../one", "", "a/b", "a.b", "a\x00b", "a" * 65])
    async def test_a_name_cannot_leave_the_folder(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(KeyStoreError):
            await FileKeyStore(tmp_path).save(name, b"data")
        with pytest.raises(KeyStoreError):
            await FileKeyStore(tmp_path).load(name)

    async def test_a_file_that_holds_something_else_is_not_read_whole(self, tmp_path: Path) -> None:
        (tmp_path / "one.json").write_bytes(b"x" * 2_000_000)
        with pytest.raises(KeyStoreError, match="larger than"):
            await FileKeyStore(tmp_path).load("one")

    async def test_what_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "one.json").mkdir()
        with pytest.raises(KeyStoreError, match="cannot be read"):
            await FileKeyStore(tmp_path).load("one")


class TestRedis:
    async def test_nobody_there_is_an_error_soon(self) -> None:
        began = time.monotonic()
        with pytest.raises(KeyStoreError, match="Redis"):
            await RedisKeyStore("redis://127.0.0.1:1/0").load("one")
        assert time.monotonic() - began < 60

    def test_a_password_is_in_no_repr(self) -> None:
        assert "hunter2" not in repr(RedisKeyStore("redis://:hunter2@127.0.0.1/0"))


class TestSetting:
    def test_a_folder(self, tmp_path: Path) -> None:
        assert (
            key_store(tmp_path) == key_store(str(tmp_path)) == key_store(f"file://{tmp_path}") == FileKeyStore(tmp_path)
        )

    def test_the_home_folder(self) -> None:
        assert key_store("~/.cache/wxpay") == FileKeyStore(Path.home() / ".cache/wxpay")

    @pytest.mark.parametrize("url", ["redis://127.0.0.1/0", "rediss://127.0.0.1", "unix:///run/redis.sock"])
    def test_a_redis(self, url: str) -> None:
        assert key_store(url) == RedisKeyStore(url)

    def test_a_store_of_ones_own(self, tmp_path: Path) -> None:
        own = FileKeyStore(tmp_path)
        assert key_store(own) is own

    @pytest.mark.parametrize("thing", ["s3://bucket/x", "redis://127.0.0.1:port/0", 7])
    def test_anything_else_is_refused(self, thing: object) -> None:
        with pytest.raises(ConfigurationError, match="certificate_store"):
            key_store(thing)  # type: ignore[arg-type]  # what a profile may hold


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 4e9))
def test_an_entry_survives_as_it_was(answer: str, fetched_at: float) -> None:
    entry = StoredCertificates(answer.encode(), fetched_at)
    assert StoredCertificates.loads(entry.dumps()) == entry


@given(st.binary())
def test_any_bytes_are_an_entry_or_an_error(data: bytes) -> None:
    with suppress(KeyStoreError):
        assert isinstance(StoredCertificates.loads(data).response, bytes)


async def test_a_megabyte_is_read_and_no_more(tmp_path: Path) -> None:
    store = FileKeyStore(tmp_path)
    largest = b"x" * (1024 * 1024)
    await store.save("one", largest)
    assert await store.load("one") == largest
    await store.save("one", largest + b"x")
    with pytest.raises(KeyStoreError, match="larger than 1048576 bytes"):
        await store.load("one")


def test_an_error_is_its_sentence_and_an_entry_does_not_show_what_it_holds() -> None:
    assert str(KeyStoreError("it is gone")) == "it is gone"
    assert "secret" not in repr(StoredCertificates(b"apiv2_key", 1.0))


def test_a_url_of_another_kind_is_named_by_its_scheme() -> None:
    with pytest.raises(ConfigurationError, match=r"not memcached://…"):
        key_store("memcached://127.0.0.1:1/path")
