"""``wxpay certs``: downloads the platform certificates, shows them, saves them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.cli.shell import Wxpay
from tests.wechat.platform_server import APIV3_KEY, MCHID, PUB_KEY_ID, SERIAL, Platform, cert, keys, serving
from wxpay_dsl.wechat.crypto.certificates import certificate_serial, load_certificate

FIRST, SECOND = cert(1), cert(2)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    """A service in certificate mode during a rotation: two certificates are valid."""
    async with serving(Platform(certs=[FIRST, SECOND], signing=FIRST)) as platform:
        yield platform


def profile(folder: Path, platform: Platform, *extra: str) -> str:
    """Writes a profile of a merchant of the service; returns its path."""
    pem = keys()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "apiclient_key.pem").write_bytes(pem)
    lines = [
        f'mchid = "{MCHID}"',
        f'serial = "{SERIAL}"',
        'private_key = "apiclient_key.pem"',
        f'base_url = "{platform.url}"',
        *extra,
    ]
    path = folder / "wxpay.toml"
    path.write_text("\n".join(lines))
    for file in (path, folder / "apiclient_key.pem"):
        file.chmod(0o600)
    return str(path)


async def run(wxpay: Wxpay, *arguments: str) -> tuple[int, str, str]:
    """Runs the command in a thread, so that this process can serve."""
    import asyncio

    ran = await asyncio.to_thread(wxpay, *arguments)
    return ran.code, ran.out, ran.err


async def test_it_shows_each_certificate_and_how_long_it_will_do(
    wxpay: Wxpay, platform: Platform, tmp_path: Path
) -> None:
    file = profile(tmp_path, platform, f'apiv3_key = "{APIV3_KEY}"')
    code, out, err = await run(wxpay, "certs", "--profile", file)
    assert (code, err) == (0, "")
    for one in (FIRST, SECOND):
        assert re.search(rf"^{one.id} .*\b99\b", out, re.MULTILINE)


async def test_json_is_for_scripts(wxpay: Wxpay, platform: Platform, tmp_path: Path) -> None:
    file = profile(tmp_path, platform, f'apiv3_key = "{APIV3_KEY}"')
    code, out, _ = await run(wxpay, "certs", "--json", "--profile", file)
    shown = json.loads(out)
    assert code == 0
    assert [(entry["id"], entry["kind"], entry["valid"]) for entry in shown] == [
        (FIRST.id, "certificate", True),
        (SECOND.id, "certificate", True),
    ]


async def test_they_are_saved_by_their_serials(wxpay: Wxpay, platform: Platform, tmp_path: Path) -> None:
    file = profile(tmp_path, platform, f'apiv3_key = "{APIV3_KEY}"')
    code, _, err = await run(wxpay, "certs", "--profile", file, "--out", "certs/new")
    assert code == 0
    for one in (FIRST, SECOND):
        path = tmp_path / "certs/new" / f"{one.id}.pem"
        assert certificate_serial(load_certificate(path)) == one.id
        assert path.name in err


async def test_in_public_key_mode_the_public_key_is_shown(wxpay: Wxpay, platform: Platform, tmp_path: Path) -> None:
    platform.refuse = (404, '{"code": "RESOURCE_NOT_EXISTS", "message": "无可用的平台证书"}'.encode())
    pem = keys()[1].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "pub_key.pem").write_bytes(pem)
    lines = (f'apiv3_key = "{APIV3_KEY}"', "[platform_keys]", f'"{PUB_KEY_ID}" = "pub_key.pem"')
    code, out, err = await run(wxpay, "certs", "--profile", profile(tmp_path, platform, *lines))
    assert code == 0
    assert PUB_KEY_ID in out
    assert "无可用的平台证书" in err


async def test_without_the_apiv3_key_it_says_what_is_missing(wxpay: Wxpay, platform: Platform, tmp_path: Path) -> None:
    pem = keys()[1].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "pub_key.pem").write_bytes(pem)
    file = profile(tmp_path, platform, "[platform_keys]", f'"{PUB_KEY_ID}" = "pub_key.pem"')
    code, out, err = await run(wxpay, "certs", "--profile", file)
    assert (code, out) == (3, "")
    assert "WXPAY_APIV3_KEY" in err


async def test_a_wrong_apiv3_key_is_said(wxpay: Wxpay, platform: Platform, tmp_path: Path) -> None:
    file = profile(tmp_path, platform, f'apiv3_key = "{APIV3_KEY[::-1]}"')
    code, out, err = await run(wxpay, "certs", "--profile", file)
    assert code != 0
    assert out == ""
    assert "APIv3密钥" in err
