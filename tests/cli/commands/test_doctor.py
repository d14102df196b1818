"""``wxpay doctor``: each check reports what is wrong and how to fix it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cli.shell import Ran, Serve, Wxpay
from wxpay_dsl.diagnosis.doctor import examine
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.keys import home
from wxpay_dsl.sandbox.keys.identity import make_merchant, make_platform_certificate, throwaway_merchant
from wxpay_dsl.sandbox.keys.identity import throwaway_public_key as platform

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

Steps = list[dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home whose service cannot be reached: settings are checked nevertheless."""
    home.write(tmp_path, throwaway_merchant(), platform(), make_platform_certificate(), "http://127.0.0.1:1")
    return tmp_path


def told(ran: Ran, title: str = "", *, good: bool | str | None = "any") -> str:
    """The texts and fixes of the checks with this title and outcome."""
    steps: Steps = json.loads(ran.out)["checks"]
    chosen = [step for step in steps if title in step["title"] and good in ("any", step["good"])]
    return "\n".join(f"{step['text']} → {step['mend']}" for step in chosen)


def test_of_a_sound_profile_everything_is_right(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("doctor", "--profile", str(profile))
    assert (ran.code, ran.err) == (0, "")
    assert "✗" not in ran.out
    for found in ("belong together", "mode         both", "decrypts the certificates", "agrees with the service"):
        assert found in ran.out
    assert ran.out.count("signature is valid") == 2
    assert throwaway_merchant().apiv3_key not in ran.out


def forget_public_key(profile: Path) -> None:
    """Removes the public key from a profile, and the brand, which has no certificate."""
    lines = profile.read_text().splitlines()
    profile.write_text("\n".join(line for line in lines if "PUB_KEY_ID" not in line and "brand_" not in line))


@pytest.mark.parametrize(
    ("mode", "said"),
    [("public-key", "404 RESOURCE_NOT_EXISTS"), ("certificate", "certificates for this merchant")],
)
def test_which_mode_the_merchant_is_in(mode: str, said: str, wxpay: Wxpay, serve: Serve, tmp_path: Path) -> None:
    with serve("--home", "home", "--mode", mode):
        if mode == "certificate":
            forget_public_key(tmp_path / "home" / "wxpay.toml")
        ran = wxpay("doctor", "--json", "--profile", "home/wxpay.toml")
        assert ran.code == 0, ran.out
        assert said in told(ran, "mode", good=True)
        assert "signature is valid" in told(ran, "platform key", good=True)


def test_certificates_alone_do_not_help_in_public_key_mode(wxpay: Wxpay, serve: Serve, tmp_path: Path) -> None:
    with serve("--home", "home", "--mode", "public-key"):
        file = tmp_path / "home" / "wxpay.toml"
        forget_public_key(file)
        ran = wxpay("doctor", "--json", "--profile", str(file))
    assert ran.code == 1
    assert "pub_key.pem and its id" in told(ran, "mode", good=False)
    assert "which is not configured" in told(ran, "platform key", good=False)


def _stranger(folder: Path, name: str) -> None:
    """Replaces the merchant's key or certificate by that of another merchant."""
    other = make_merchant()
    if name.endswith("key.pem"):
        content = other.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    else:
        content = other.certificate.public_bytes(Encoding.PEM)
    (folder / name).write_bytes(content)


def _below_platform_keys(line: str) -> Callable[[Path], None]:
    """Adds a line at the end of the profile, in its table of platform keys."""

    def change(folder: Path) -> None:
        file = folder / "wxpay.toml"
        file.write_text(f"{file.read_text()}\n{line}\n")

    return change


def _line(name: str, value: str | float | None) -> Callable[[Path], None]:
    """Changes or removes a line of the profile."""

    def change(folder: Path) -> None:
        file = folder / "wxpay.toml"
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{name} =")]
        file.write_text("\n".join([*([f"{name} = {json.dumps(value)}"] if value is not None else []), *kept]))

    return change


def _number_as_password(folder: Path) -> None:
    _line("p12", "apiclient_cert.p12")(folder)
    _line("p12_password", 7)(folder)


def _lost_zeros(folder: Path) -> None:
    _line("serial", throwaway_merchant().serial[1:])(folder)


@pytest.mark.parametrize(
    ("spoil", "title", "said"),
    [
        (lambda folder: _stranger(folder, "apiclient_key.pem"), "pair", "does not match the certificate"),
        (lambda folder: _stranger(folder, "apiclient_cert.pem"), "serial", "the certificate's is"),
        (_line("serial", platform().id), "serial", "public key id"),
        (_line("mchid", "1900000110"), "certificate", "belongs to merchant 1900000109"),
        (_line("mchid", "mch"), "merchant", "digits only"),
        (_line("private_key", "nowhere.pem"), "private key", "no such file"),
        (_line("private_key", "pub_key.pem"), "private key", "public key"),
        (_line("certificate", "apiclient_key.pem"), "certificate", "not of a certificate"),
        (_line("apiv3_key", "short"), "APIv3 key", "5 bytes; it must be 32"),
        (_line("apiv3_key", " " + "x" * 32), "APIv3 key", "blanks around it"),
        (_line("apiv2_key", "short"), "APIv2 key", "5 bytes; it must be 32"),
        (_line("apiv3_key", 7), "APIv3 key", "`apiv3_key` (APIv3密钥) is text of 32 characters"),
        (_number_as_password, "p12", "`p12_password` is text, in quotes in a profile"),
        (_line("serial", "hunter2 " * 5000), "serial", "8 to 40 hexadecimal digits, not a text of 40000 characters"),
        (_line("mchid", "１９００００１０９"), "merchant", "digits only"),
        (_below_platform_keys("timeout = 5"), "profile", "`timeout` is below [platform_keys]"),
        (_below_platform_keys("pub_key = 'pub_key.pem'"), "platform key", "'pub_key': an id is PUB_KEY_ID_…"),
        (_line("mchidd", "1"), "profile", "did you mean 'mchid'"),
        (lambda folder: (folder / "wxpay.toml").write_text("= 1"), "profile", "not TOML"),
        (
            lambda folder: (folder / "pub_key.pem").write_bytes((folder / "apiclient_cert.pem").read_bytes()),
            "platform key",
            "this is a certificate",
        ),
    ],
    ids=[
        *("another's key", "another's certificate", "public key id as serial", "another's mchid", "no mchid", "no key"),
        *("public key as private", "key as certificate", "short APIv3 key", "blank in APIv3 key", "short APIv2 key"),
        *(
            "a number as APIv3 key",
            "a number as password",
            "a text as serial",
            "other digits",
            "below platform_keys",
            "no id",
        ),
        *("unknown setting", "no TOML", "certificate as public key"),
    ],
)
def test_what_is_wrong_with_the_settings(
    spoil: Callable[[Path], None], title: str, said: str, wxpay: Wxpay, folder: Path
) -> None:
    spoil(folder)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert ran.code == 1
    assert said in told(ran, title, good=False)


def test_all_errors_are_reported_at_once(wxpay: Wxpay, folder: Path) -> None:
    _stranger(folder, "apiclient_key.pem")
    _line("apiv3_key", "short")(folder)
    _line("serial", "00")(folder)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    steps: Steps = json.loads(ran.out)["checks"]
    assert {step["title"] for step in steps if step["good"] is False} == {"pair", "APIv3 key", "serial"}
    assert all(step["mend"] for step in steps if step["good"] is False)


def test_a_certificate_beside_the_key_is_looked_at(wxpay: Wxpay, folder: Path) -> None:
    _line("certificate", None)(folder)
    _stranger(folder, "apiclient_cert.pem")
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert "does not match the certificate" in told(ran, "pair", good=False)


def test_files_that_others_can_read_are_told(wxpay: Wxpay, folder: Path) -> None:
    (folder / "apiclient_key.pem").chmod(0o644)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert "chmod 600" in told(ran, "files")


def test_a_service_that_is_not_there(wxpay: Wxpay, folder: Path) -> None:
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert ran.code == 1
    assert "127.0.0.1:1 cannot be reached" in told(ran, "TCP", good=False)


def test_a_name_that_is_not_known(wxpay: Wxpay, folder: Path) -> None:
    _line("base_url", "https://wxpay.invalid")(folder)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert ran.code == 1
    assert "wxpay.invalid cannot be resolved" in told(ran, "DNS", good=False)


def test_the_service_refuses_another_merchants_signature(wxpay: Wxpay, profile: Path, folder: Path) -> None:
    url = next(line for line in profile.read_text().splitlines() if line.startswith("base_url"))
    _line("base_url", json.loads(url.partition(" = ")[2]))(folder)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert ran.code == 1
    assert "SIGN_ERROR" in told(ran, "signature", good=False)


@pytest.mark.parametrize(
    ("change", "title", "said"),
    [
        ({"WXPAY_APIV3_KEY": "x" * 32}, "APIv3 key", "cannot be decrypted"),
        ({"WXPAY_PLATFORM_KEYS": f"{{id}}={platform().id}.pem"}, "platform key", "is another one"),
        ({"WXPAY_PLATFORM_KEYS": f"PUB_KEY_ID_1={platform().id}.pem"}, "platform key", "PUB_KEY_ID_1 was requested"),
    ],
    ids=["another APIv3 key", "another public key", "another public key id"],
)
def test_what_only_the_service_can_tell(
    change: Mapping[str, str], title: str, said: str, wxpay: Wxpay, profile: Path, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    key = platform().private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / f"{platform().id}.pem").write_bytes(key)
    its_id = next(line.split(" = ")[0] for line in profile.read_text().splitlines() if line.startswith("PUB_KEY_ID"))
    env = {name: value.replace("{id}", its_id) for name, value in change.items()}
    ran = wxpay("doctor", "--json", "--profile", str(profile), env=env)
    assert said in told(ran, title)
    assert ran.code == (0 if "was requested" in said else 1)


class Stranger(ThreadingHTTPServer):
    """A server that is not WeChat Pay, with a fixed Date."""

    body: bytes = b"<html>nginx</html>"
    status = 404
    date = "Mon, 01 Jan 2024 00:00:00 GMT"

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return outer.date

            def log_message(self, *args: Any) -> None:
                """Keeps the output of the tests free of logs."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_clock_is_held_against_the_services(wxpay: Wxpay, folder: Path, stranger: Stranger) -> None:
    stranger.body = b'{"code":"RESOURCE_NOT_EXISTS","message":"none"}'
    _line("base_url", stranger.url)(folder)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert ran.code == 1
    assert "ahead of the service's" in told(ran, "clock", good=False)
    assert "NTP" in told(ran, "clock", good=False)
    assert "not checked, as this response is not signed" in told(ran, "platform key", good=None)


def test_something_else_than_the_service_answers(wxpay: Wxpay, folder: Path, stranger: Stranger) -> None:
    _line("base_url", stranger.url)(folder)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert ran.code == 1
    assert "the response may not be from WeChat Pay" in told(ran, "service", good=False)


LIST = {"serial_no": "5F00", "encrypt_certificate": {"algorithm": "AEAD_AES_256_GCM", "nonce": "n" * 12}}


@pytest.mark.parametrize(
    ("status", "body", "title", "good", "said"),
    [
        (200, b"<html>Please log in</html>", "service", False, "without certificates: .*<html>Please log in"),
        (200, b"", "service", False, "without certificates"),
        (200, b"\xff\x00\x1b[31m", "service", False, "without certificates"),
        (200, b'{"message":"ok"}', "service", False, "without certificates"),
        (200, json.dumps({"data": [LIST]}).encode(), "certificates", False, "cannot be read: .* lacks serial_no or"),
        (401, b"<html>Proxy says no</html>", "service", False, "401.*the response may not be from WeChat Pay"),
        (401, b'{"code":"SIGN_ERROR","message":"no"}', "signature", False, "refuses it, SIGN_ERROR: no"),
        (403, b'{"code":"NO_AUTH","message":"this address is not allowed"}', "service", False, "NO_AUTH: this address"),
        (429, b'{"code":"FREQUENCY_LIMITED","message":"slow"}', "service", None, "FREQUENCY_LIMITED: .*does not show"),
        (503, b'{"code":"SERVICE_BUSY","message":"later"}', "service", None, "SERVICE_BUSY: later.*does not show"),
        (500, b'{"code":"SYSTEM_ERROR","message":"none"}', "mode", True, "no platform certificates .*500 SYSTEM_ERROR"),
    ],
)
def test_doctor_repeats_what_was_answered_and_blames_no_key(
    status: int,
    body: bytes,
    title: str,
    good: bool | None,
    said: str,
    wxpay: Wxpay,
    folder: Path,
    stranger: Stranger,
) -> None:
    stranger.status, stranger.body = status, body
    _line("base_url", stranger.url)(folder)
    _line("retries", 0)(folder)
    ran = wxpay("doctor", "--json", "--profile", "wxpay.toml")
    assert re.search(said, told(ran, title, good=good))
    assert "set it anew" not in ran.out
    assert "APIv3密钥) invalidates the old one" not in ran.out
    assert len(ran.out) < 6000
    if status != 500:
        assert "the service accepts it" not in told(ran, "signature", good=True) or title == "certificates"


def test_another_apiv3_key_is_to_be_compared_before_it_is_replaced(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("doctor", "--json", "--profile", str(profile), env={"WXPAY_APIV3_KEY": "x" * 32})
    mend = told(ran, "APIv3 key", good=False).partition(" → ")[2]
    assert mend.startswith("compare it with the one that other programs use")
    assert "invalidates the old one for all programs" in mend


async def test_tls_is_verified(tmp_path: Path) -> None:
    async with Sandbox(tls=True, home=tmp_path) as sandbox:
        file = tmp_path / "wxpay.toml"
        lines = [line for line in file.read_text().splitlines() if not line.startswith("ca =")]
        file.write_text("\n".join(lines))
        untrusted = [step async for step in examine({}, file)]
        (tmp_path / "ca.pem").write_text(sandbox.credentials["ca"])
        trusted = [step async for step in examine({"WXPAY_CA": str(tmp_path / "ca.pem")}, file)]
    assert untrusted[-1].title == "TLS"
    assert untrusted[-1].good is False
    assert "`ca`" in untrusted[-1].mend
    assert all(step.good for step in trusted), trusted


def test_of_apiv2_alone_no_certificate_is_missed(wxpay: Wxpay, folder: Path) -> None:
    (folder / "v2.toml").write_text(f'mchid = "1900000109"\napiv2_key = "{"x" * 32}"\nbackup_url = "none"\n')
    ran = wxpay("doctor", "--json", "--profile", "v2.toml", env={"WXPAY_PROXY": "http://127.0.0.1:1"})
    assert ran.code == 0, ran.out
    assert "only APIv2" in told(ran, "private key")


def test_of_apiv2_alone_with_a_pair_for_mutual_tls_nothing_is_missed(wxpay: Wxpay, folder: Path) -> None:
    pair = 'private_key = "apiclient_key.pem"\ncertificate = "apiclient_cert.pem"\n'
    (folder / "v2.toml").write_text(f'mchid = "1900000109"\napiv2_key = "{"x" * 32}"\n{pair}')
    ran = wxpay("doctor", "--json", "--profile", "v2.toml", env={"WXPAY_PROXY": "http://127.0.0.1:1"})
    assert ran.code == 0, ran.out
    assert "match" in told(ran, "pair", good=True)
    assert "only APIv2 is configured" in told(ran, "service")
