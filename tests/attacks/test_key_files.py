"""Secret files that other users can read cause a warning when the client is created, and still work."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox import Sandbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    async with Sandbox(home=tmp_path / "home"):
        return tmp_path / "home"


async def test_what_the_sandbox_writes_is_for_its_owner_alone(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    await Wechatpay(profile=home / "wxpay.toml").close()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("name", "mode", "who"),
    [
        ("apiclient_key.pem", 0o644, "everybody"),
        ("apiclient_key.pem", 0o640, "its group"),
        ("wxpay.toml", 0o604, "everybody"),
    ],
)
async def test_a_file_that_others_can_read_is_named(
    name: str, mode: int, who: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / name).chmod(mode)
    await Wechatpay(profile=home / "wxpay.toml").close()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{home / name}, which holds" in record.message
    assert f"can be read by {who} on this machine (mode {mode:04o}): chmod 600" in record.message


@pytest.mark.parametrize("form", ["path", "url", "p12"])
async def test_however_it_is_named(form: str, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = home / ("apiclient_cert.p12" if form == "p12" else "apiclient_key.pem")
    file.chmod(0o644)
    key = {"path": file, "url": file.as_uri(), "p12": None}[form]
    p12 = file if form == "p12" else None
    serial = None if p12 else "0A" * 20
    wxpay = Wechatpay(mchid="1900000109", serial=serial, private_key=key, p12=p12, apiv3_key="0" * 32)
    await wxpay.close()
    assert [str(file) in record.message for record in caplog.records] == [True]


async def test_a_key_that_is_no_file_and_a_public_profile_are_not(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = (home / "apiclient_key.pem").read_text()
    for key in (text, text.encode()):
        await Wechatpay(mchid="1900000109", serial="0A" * 20, private_key=key, apiv3_key="0" * 32).close()
    profile = home / "public.toml"
    profile.write_text('mchid = "1900000109"\nserial = "0A0A0A0A"\nprivate_key = "apiclient_key.pem"\n')
    profile.chmod(0o644)
    await Wechatpay(profile=profile, apiv3_key="0" * 32).close()
    assert caplog.records == []


def test_the_command_line_shows_it(home: Path) -> None:
    (home / "apiclient_key.pem").chmod(0o644)
    command = [sys.executable, "-m", "wxpay_dsl.cli", "call", "v3.certificates.get", "--timeout", "1", "--profile"]
    done = subprocess.run([*command, home / "wxpay.toml"], capture_output=True, text=True, timeout=250, check=False)
    assert f"{home / 'apiclient_key.pem'}, which holds the merchant's private key" in done.stderr
    assert done.stdout == ""
