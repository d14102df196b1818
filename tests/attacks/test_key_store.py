"""Write access to the store of platform certificates can delay them, but not add a forged one."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wechat.platform_server import APIV3_KEY, MCHID, Platform, cert, newer_key, sealed, serving, wechatpay
from wxpay_dsl import Wechatpay
from wxpay_dsl.wechat.errors import VerificationError
from wxpay_dsl.wechat.platform_keys.store import FileKeyStore, KeyStoreError, StoredCertificates

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")

TRUE = cert(1)
#: Of the thief's own key, under a serial of his own and under the true one.
FORGED, DOUBLE = cert(2, key=newer_key()), cert(1, key=newer_key())


async def call(wxpay: Wechatpay) -> None:
    await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


def entry(folder: Path) -> Path:
    (found,) = folder.glob("*.json")
    return found


async def filled(folder: Path) -> Path:
    """The file, after a client has kept in it what it downloaded."""
    platform = Platform(certs=[TRUE], signing=TRUE)
    async with serving(platform), wechatpay(platform, certificate_store=folder) as wxpay:
        await call(wxpay)
    return entry(folder)


def _of_a_notification() -> bytes:
    """What the service encrypts for a merchant under the same key, with a stranger's text in it."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from wxpay_dsl.wechat.crypto.ciphers import aead_encrypt

    pem = FORGED.certificate.public_bytes(Encoding.PEM).decode()
    plaintext = json.dumps({"out_trade_no": "A-1", "attach": pem})
    inner = {"algorithm": "AEAD_AES_256_GCM", "nonce": "61f9c719728a", "associated_data": "transaction"}
    inner["ciphertext"] = aead_encrypt(plaintext, APIV3_KEY, "61f9c719728a", "transaction")
    return json.dumps({"data": [{"serial_no": FORGED.id, "encrypt_certificate": inner}]}).encode()


POISONS: dict[str, Callable[[bytes], bytes]] = {
    "another key": lambda kept: stored(sealed([FORGED], "x" * 32)),
    "the true serial, another key": lambda kept: stored(sealed([DOUBLE], "x" * 32)),
    "not encrypted": lambda kept: stored(_plain()),
    "a plain certificate beside": lambda kept: stored(_beside(kept)),
    "a notification": lambda kept: stored(_of_a_notification()),
    "one byte": lambda kept: kept.replace(b'ciphertext\\": \\"', b'ciphertext\\": \\"A', 1),
    "another serial's name": lambda kept: kept.replace(TRUE.id.encode(), FORGED.id.encode()),
    "another algorithm": lambda kept: kept.replace(b"AEAD_AES_256_GCM", b"NONE"),
    "cut": lambda kept: kept[: len(kept) // 2],
    "empty": lambda kept: b"",
    "a list": lambda kept: b"[]",
    "nested": lambda kept: b"[" * 100_000,
    "two answers": lambda kept: kept + kept,
    "zeros": lambda kept: b"\0" * 2_000_000,
    "a pickle": lambda kept: b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
}


def stored(answer: bytes) -> bytes:
    return StoredCertificates(answer, time.time()).dumps()


def _plain() -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = FORGED.certificate.public_bytes(Encoding.PEM).decode()
    return json.dumps({"data": [{"serial_no": FORGED.id, "encrypt_certificate": pem, "certificate": pem}]}).encode()


def _beside(kept: bytes) -> bytes:
    answer = json.loads(json.loads(kept)["response"])
    answer["data"].append(json.loads(_plain())["data"][0])
    return json.dumps(answer).encode()


@pytest.mark.parametrize("poison", POISONS)
async def test_an_entry_that_somebody_wrote_is_not_believed(poison: str, tmp_path: Path) -> None:
    file = await filled(tmp_path)
    changed = POISONS[poison](file.read_bytes())
    assert changed != file.read_bytes()
    file.write_bytes(changed)
    for evil in (FORGED, DOUBLE):
        platform = Platform(certs=[TRUE], signing=TRUE)
        async with serving(platform), wechatpay(platform, certificate_store=tmp_path) as wxpay:
            await call(wxpay)
            assert platform.downloads == 1, "what was kept is of no use: it is downloaded"

            async def forged(request: Any, body: bytes, evil: Any = evil, platform: Platform = platform) -> Any:
                return platform.signed(b'{"trade_state":"SUCCESS"}', evil)

            platform.answer = forged
            with pytest.raises(VerificationError):
                await call(wxpay)
        file.write_bytes(changed)


async def test_another_merchants_entry_is_not_this_ones(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    other = "x" * 32
    platform = Platform(certs=[TRUE], signing=TRUE, apiv3_key=other)
    async with serving(platform), wechatpay(platform, certificate_store=tmp_path, apiv3_key=other) as wxpay:
        await call(wxpay)
        assert platform.downloads == 1
    assert APIV3_KEY.encode() not in file.read_bytes()


async def test_what_is_kept_is_for_its_owner_and_holds_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "store"
    before = os.umask(0)
    try:
        file = await filled(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert b"BEGIN" not in file.read_bytes()
    assert list(folder.iterdir()) == [file], "nothing is left beside it"


async def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    file = await filled(tmp_path / "store")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    file.unlink()
    file.symlink_to(victim)
    await filled(tmp_path / "store")
    assert victim.read_text() == "mine"
    assert not file.is_symlink()


@pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "/proc/self/environ", "loop", "missing", "."])
async def test_a_link_to_something_else_is_damaged_and_no_more(
    target: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = await filled(tmp_path / "store")
    file.unlink()
    file.symlink_to(file if target == "loop" else target)
    platform = Platform(certs=[TRUE], signing=TRUE)
    async with (
        asyncio.timeout(60),
        serving(platform),
        wechatpay(platform, certificate_store=tmp_path / "store") as wxpay,
    ):
        await call(wxpay)
    assert "root:" not in caplog.text
    assert "PATH=" not in caplog.text


async def test_a_pipe_in_its_place_holds_up_nobody(tmp_path: Path) -> None:
    file = await filled(tmp_path)
    file.unlink()
    os.mkfifo(file)
    platform = Platform(certs=[TRUE], signing=TRUE)
    async with asyncio.timeout(60), serving(platform), wechatpay(platform, certificate_store=tmp_path) as wxpay:
        await call(wxpay)
        assert platform.downloads == 1


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "a.json", "ａ", "a" * 65, "a\n", " "])
async def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    store = FileKeyStore(tmp_path / "store")
    with pytest.raises(KeyStoreError):
        await store.load(name)
    with pytest.raises(KeyStoreError):
        await store.save(name, b"x")
    assert not (tmp_path / "store").exists()


async def test_an_old_answer_gives_back_no_certificate_that_has_ended(tmp_path: Path) -> None:
    """It is the service's own, so it is believed as far as its certificates are valid."""
    from datetime import timedelta

    ended = cert(7, start=timedelta(days=-30), end=timedelta(days=-1), key=newer_key())
    file = await filled(tmp_path)
    file.write_bytes(stored(sealed([ended])))
    platform = Platform(certs=[TRUE], signing=TRUE)
    async with serving(platform), wechatpay(platform, certificate_store=tmp_path) as wxpay:
        await call(wxpay)

        async def stale(request: Any, body: bytes) -> Any:
            return platform.signed(b"{}", ended)

        platform.answer = stale
        with pytest.raises(VerificationError):
            await call(wxpay)
