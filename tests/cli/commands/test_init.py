"""``wxpay init``: makes a profile from the merchant platform's files, by prompts or by options."""

from __future__ import annotations

import codecs
import io
import os
import pty
import select
import signal
import stat
import sys
import time
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.shell import Serve, Wxpay, environment
from wxpay_dsl.sandbox.keys import home
from wxpay_dsl.sandbox.keys.identity import make_platform_certificate, throwaway_merchant
from wxpay_dsl.sandbox.keys.identity import throwaway_public_key as platform

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

APIV3 = "0123456789abcdef0123456789ABCDEF"
NAMES = ("apiclient_cert.p12", "apiclient_cert.pem", "apiclient_key.pem")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a merchant's downloads."""
    folder = tmp_path / "downloads"
    home.write(folder, throwaway_merchant(), platform(), make_platform_certificate(), "http://127.0.0.1:1")
    return folder


def packed(source: Path, names: Sequence[str] = NAMES, folder: str = "") -> Path:
    """A zip as the merchant platform makes it."""
    file = source / "1900000109_20260101_cert.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(source / name, f"{folder}{name}")
        archive.writestr("证书使用说明.txt", "…")
    return file


def terminal(folder: Path, answers: Sequence[tuple[str, str]], *arguments: str, env: dict[str, str]) -> tuple[int, str]:
    """Runs ``wxpay init`` on a terminal and types each answer at its prompt; returns exit code and screen."""
    process, descriptor = pty.fork()
    if process == 0:
        os.chdir(folder)
        command = [sys.executable, "-m", "wxpay_dsl.cli", "init", *arguments]
        os.execve(sys.executable, command, {**environment(env), "TERM": "dumb", "COLUMNS": "400"})  # noqa: S606 (our own)
    screen, waiting = "", list(answers)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end in the middle of a character
    deadline = time.monotonic() + 200
    try:
        while time.monotonic() < deadline:
            if waiting and waiting[0][0] in screen.rpartition("\0")[2]:
                _, answer = waiting.pop(0)
                screen += "\0"
                os.write(descriptor, f"{answer}\n".encode())
            ready, _, _ = select.select([descriptor], [], [], 0.2)
            try:
                data = os.read(descriptor, 65536) if ready else b""
            except OSError:  # the other end is closed
                break
            screen += decoder.decode(data)
        else:
            os.kill(process, signal.SIGKILL)
    finally:
        _, status = os.waitpid(process, 0)
        os.close(descriptor)
    assert waiting == [], screen
    return os.waitstatus_to_exitcode(status), screen.replace("\0", "")


def test_everything_is_asked_at_a_terminal(serve: Serve, tmp_path: Path, source: Path) -> None:
    with serve("--home", "home"):
        served = tomllib.loads((tmp_path / "home" / "wxpay.toml").read_text())
        key_id = next(name for name in served["platform_keys"] if name.startswith("PUB_KEY_ID"))
        code, screen = terminal(
            tmp_path,
            [
                ("a folder:", "nowhere.zip"),
                ("a folder:", str(packed(tmp_path / "home"))),
                ("in certificate mode", ""),
                ("Its id", "PUB_KEY"),
                ("Its id", key_id),
                ("APIv3密钥), 32 characters; empty for none (not shown): ", "too short"),
                ("APIv3密钥), 32 characters; empty for none (not shown): ", served["apiv3_key"]),
                ("APIv2密钥), 32 characters; empty for none (not shown): ", served["apiv2_key"]),
            ],
            "shop/wxpay.toml",
            *("--base-url", served["base_url"]),
            env={},
        )
    assert code == 0, screen
    for said in (
        "nowhere.zip",
        "begins with PUB_KEY_ID_",
        "it is 32 characters",
        "response is signed by",
        "✓ platform key",
    ):
        assert said in screen
    assert served["apiv3_key"] not in screen
    made = tomllib.loads((tmp_path / "shop" / "wxpay.toml").read_text())
    assert made == {
        **{name: served[name] for name in ("mchid", "serial", "apiv3_key", "apiv2_key", "base_url")},
        "private_key": "apiclient_key.pem",
        "certificate": "apiclient_cert.pem",
        "platform_keys": {key_id: "pub_key.pem"},
    }


def test_all_of_it_can_be_given(wxpay: Wxpay, tmp_path: Path, source: Path) -> None:
    arguments = ("--public-key", str(source / "pub_key.pem"), "--public-key-id", platform().id, "--no-check")
    ran = wxpay("init", "--from", str(packed(source, folder="cert/")), *arguments, env={"WXPAY_APIV3_KEY": APIV3})
    assert (ran.code, ran.out) == (0, ""), ran.err
    made = tomllib.loads((tmp_path / "wxpay.toml").read_text())
    assert made["mchid"] == throwaway_merchant().mchid
    assert made["serial"] == throwaway_merchant().serial
    assert made["apiv3_key"] == APIV3
    for name in ("wxpay.toml", "apiclient_key.pem", "apiclient_cert.pem", "pub_key.pem"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert f"written: {name}" in ran.err
    assert (tmp_path / "apiclient_key.pem").read_bytes() == (source / "apiclient_key.pem").read_bytes()


@pytest.mark.parametrize("form", ["p12", "zip of p12", "folder", "pem"])
def test_each_form_of_a_certificate(form: str, wxpay: Wxpay, tmp_path: Path, source: Path) -> None:
    given = {
        "p12": lambda: source / "apiclient_cert.p12",
        "zip of p12": lambda: packed(source, NAMES[:1]),
        "folder": lambda: source,
        "pem": lambda: source / "apiclient_cert.pem",
    }[form]()
    mchid = ("--mchid", throwaway_merchant().mchid) if "p12" in form else ()
    ran = wxpay("init", "--from", str(given), "--no-check", *mchid, env={"WXPAY_APIV3_KEY": APIV3})
    # pub_key.pem is in the same folder, but its id cannot be prompted for.
    assert ran.code == 2
    assert "--public-key-id" in ran.err
    (source / "pub_key.pem").unlink()
    ran = wxpay("init", "--from", str(given), "--no-check", *mchid, env={"WXPAY_APIV3_KEY": APIV3})
    assert ran.code == 0, ran.err
    assert tomllib.loads((tmp_path / "wxpay.toml").read_text())["serial"] == throwaway_merchant().serial


def test_a_container_with_another_password_is_opened_with_it(tmp_path: Path, source: Path) -> None:
    (source / "pub_key.pem").unlink()
    code, screen = terminal(
        tmp_path,
        [
            ("Merchant id", "1900000110"),
            ("Password of the container: ", throwaway_merchant().mchid),
            ("in certificate mode", ""),
            ("APIv2密钥), 32 characters; empty for none (not shown): ", ""),
        ],
        *("--from", str(source / "apiclient_cert.p12"), "--no-check"),
        env={"WXPAY_APIV3_KEY": APIV3},
    )
    assert code == 0, screen
    assert tomllib.loads((tmp_path / "wxpay.toml").read_text())["mchid"] == throwaway_merchant().mchid


def test_a_certificate_is_no_public_key(wxpay: Wxpay, source: Path) -> None:
    key = ("--public-key", str(source / "apiclient_cert.pem"), "--public-key-id", "PUB_KEY_ID_1")
    ran = wxpay("init", "--from", str(source), "--no-check", *key, env={"WXPAY_APIV3_KEY": APIV3})
    assert ran.code == 3
    assert "this is a certificate" in ran.err


class TestNothingIsOverwrittenUnasked:
    def arguments(self, source: Path) -> tuple[str, ...]:
        (source / "pub_key.pem").unlink(missing_ok=True)
        return ("--from", str(packed(source)), "--no-check")

    def test_by_a_script(self, wxpay: Wxpay, tmp_path: Path, source: Path) -> None:
        (tmp_path / "wxpay.toml").write_text("mine = true")
        ran = wxpay("init", *self.arguments(source), env={"WXPAY_APIV3_KEY": APIV3})
        assert ran.code == 2
        assert "already exists" in ran.err
        assert (tmp_path / "wxpay.toml").read_text() == "mine = true"
        assert not (tmp_path / "apiclient_key.pem").exists()

    @pytest.mark.parametrize("answer", ["n", "y"])
    def test_at_a_terminal(self, answer: str, tmp_path: Path, source: Path) -> None:
        (tmp_path / "apiclient_key.pem").write_text("mine")
        code, screen = terminal(
            tmp_path,
            [
                ("in certificate mode", ""),
                ("APIv2密钥), 32 characters; empty for none (not shown): ", ""),
                ("Overwrite apiclient_key.pem?", answer),
            ],
            *self.arguments(source),
            env={"WXPAY_APIV3_KEY": APIV3},
        )
        assert code == (130 if answer == "n" else 0), screen
        assert ((tmp_path / "apiclient_key.pem").read_text() == "mine") == (answer == "n")
        assert (tmp_path / "wxpay.toml").exists() == (answer == "y")

    def test_what_is_the_same_is_not_asked_for(self, wxpay: Wxpay, tmp_path: Path, source: Path) -> None:
        (source / "apiclient_key.pem").chmod(0o644)
        (source / "wxpay.toml").unlink()
        (source / "pub_key.pem").unlink()
        ran = wxpay("init", "downloads/wxpay.toml", "--from", "downloads", "--no-check", env={"WXPAY_APIV3_KEY": APIV3})
        assert ran.code == 0, ran.err
        assert stat.S_IMODE((source / "apiclient_key.pem").stat().st_mode) == 0o600


def test_doctor_runs_at_the_end(wxpay: Wxpay, source: Path) -> None:
    (source / "pub_key.pem").unlink()
    given = ("--from", str(packed(source)), "--base-url", "http://127.0.0.1:1")
    ran = wxpay("init", *given, env={"WXPAY_APIV3_KEY": APIV3})
    assert ran.code == 1
    assert "cannot be reached" in ran.out


def _zip(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_zip(("a.txt", b"")), "has none of them"),
        (_zip(("apiclient_key.pem", b"0" * 50_000_000), ("apiclient_cert.pem", b"")), "more than 131072 bytes"),
        (_zip(*((f"{number}/x", b"") for number in range(100))), "more than 64 files"),
        (_zip(("a/apiclient_key.pem", b"1"), ("b/apiclient_key.pem", b"2")), "two different apiclient_key.pem"),
        (_zip(("apiclient_key.pem", b"1"), ("apiclient_cert.pem", b"2")), "private key"),
        (_zip(("a.txt", os.urandom(2_000_000))), "larger than"),
        (_zip(("apiclient_cert.p12", b"0000"))[:-30], "apiclient_cert.p12"),
        (b"PK\x03\x04", "PKCS#12"),
        (b"", "empty"),
    ],
    ids=["foreign", "bomb", "many", "twice", "no key", "large", "cut off", "header alone", "empty"],
)
def test_a_zip_that_is_not_the_platforms(data: bytes, said: str, wxpay: Wxpay, tmp_path: Path) -> None:
    (tmp_path / "some.zip").write_bytes(data)
    ran = wxpay("init", "--from", "some.zip", "--mchid", "1900000109", "--no-check", env={"WXPAY_APIV3_KEY": APIV3})
    assert ran.code == 3
    assert said in ran.err
    assert list(tmp_path.iterdir()) == [tmp_path / "some.zip"]


def test_names_in_a_zip_lead_nowhere(wxpay: Wxpay, tmp_path: Path, source: Path) -> None:
    members = [(f"../../{name}", (source / name).read_bytes()) for name in NAMES]
    work = tmp_path / "a" / "b"
    work.mkdir(parents=True)
    (work / "cert.zip").write_bytes(_zip(*members, ("__MACOSX/apiclient_key.pem", b"\0")))
    given = ("a/b/wxpay.toml", "--from", "a/b/cert.zip", "--no-check")
    ran = wxpay("init", *given, env={"WXPAY_APIV3_KEY": APIV3})
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in work.iterdir()) == [
        *("apiclient_cert.pem", "apiclient_key.pem", "cert.zip", "wxpay.toml")
    ]
    assert not (tmp_path / "apiclient_key.pem").exists()


@pytest.mark.parametrize(
    ("arguments", "env", "code", "said"),
    [
        ((), {}, 2, "--from"),
        (("--from", "downloads", "--mchid", "1900000110"), {"WXPAY_APIV3_KEY": APIV3}, 3, "is that of merchant"),
        (("--from", "downloads", "--mchid", "me"), {"WXPAY_APIV3_KEY": APIV3}, 3, "digits only"),
        (("--from", "downloads"), {"WXPAY_APIV3_KEY": "short"}, 3, "it is 32 characters, not 5"),
        (("--from", "downloads"), {}, 2, "WXPAY_APIV3_KEY"),
        (("--from", "downloads", "--public-key-id", "PUB_KEY_ID_1"), {"WXPAY_APIV3_KEY": APIV3}, 2, "--public-key"),
        (("--from", "nowhere"), {}, 3, "nowhere"),
        (("--from", "downloads/apiclient_cert.p12"), {"WXPAY_APIV3_KEY": APIV3}, 2, "--mchid"),
    ],
)
def test_what_cannot_be(
    arguments: tuple[str, ...], env: dict[str, str], code: int, said: str, wxpay: Wxpay, source: Path, tmp_path: Path
) -> None:
    (source / "pub_key.pem").unlink()
    ran = wxpay("init", *arguments, "--no-check", env=env)
    assert ran.code == code, ran.err
    assert said in ran.err
    assert not (tmp_path / "wxpay.toml").exists()
