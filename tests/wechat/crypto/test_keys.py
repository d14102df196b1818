"""Keys and certificates load from every supported form; errors say what is wrong with anything else."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tests.requirements import require
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.crypto.certificates import certificate_serial, load_certificate, load_pkcs12, public_key_matches
from wxpay_dsl.wechat.crypto.keys import load_private_key, load_public_key

M: dict[str, str] = yaml.safe_load((Path(__file__).parents[2] / "cases/keys.yaml").read_text("utf-8"))
KEY = load_pem_private_key(M["pkcs8"].encode(), None)
OTHER = load_pem_private_key(M["other_pkcs8"].encode(), None)
PKCS12 = base64.b64decode(M["p12"])


def bare(pem: str) -> str:
    return "".join(line for line in pem.splitlines() if "-----" not in line)


def der(pem: str) -> bytes:
    return base64.b64decode(bare(pem))


#: The forms in which one PEM text is passed to a program.
FORMS: dict[str, Any] = {
    "text": lambda pem: pem,
    "bytes": str.encode,
    "CRLF": lambda pem: pem.replace("\n", "\r\n"),
    "indented": lambda pem: pem.replace("\n", "\n    "),
    "a byte order mark": lambda pem: b"\xef\xbb\xbf" + pem.encode(),
    "spelled-out line feeds": lambda pem: pem.replace("\n", "\\n"),
    "all on one line": lambda pem: pem.replace("\n", " "),
    "after other text": lambda pem: "Bag Attributes\n    friendlyName: x\n" + pem,
    "DER": der,
    "base64 without the PEM lines": bare,
    "base64 in lines": lambda pem: "\n".join(pem.splitlines()[1:-1]) + "\n",
    "base64 in bytes": lambda pem: bare(pem).encode(),
}


def titles(value: Any) -> str:
    """Names a case by what its error says, not by a whole key."""
    return value if isinstance(value, str) and len(value) < 40 else "-"


def same(key: Any, other: Any) -> bool:
    return bool(key.private_numbers() == other.private_numbers())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "密钥 dir" / "apiclient_key.pem"
    path.parent.mkdir()
    path.write_text(M["pkcs8"])
    return path


class TestPrivateKey:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("kind", ["pkcs8", "pkcs1"])
    def test_loads_from(self, kind: str, form: str) -> None:
        assert same(load_private_key(FORMS[form](M[kind])), KEY)

    @pytest.mark.parametrize("kind", ["pkcs8_encrypted", "pkcs1_encrypted"])
    @pytest.mark.parametrize("form", ["text", "bytes", "CRLF", "indented", "spelled-out line feeds"])
    def test_loads_encrypted_from(self, kind: str, form: str) -> None:
        assert same(load_private_key(FORMS[form](M[kind]), M["password"]), KEY)

    @pytest.mark.parametrize("form", ["DER", "base64 without the PEM lines"])
    def test_loads_encrypted_pkcs8_from(self, form: str) -> None:
        assert same(load_private_key(FORMS[form](M["pkcs8_encrypted"]), M["password"].encode()), KEY)

    def test_loads_from_a_path_a_text_path_and_a_url(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert same(load_private_key(file), KEY)
        assert same(load_private_key(str(file)), KEY)
        assert same(load_private_key(file.as_uri()), KEY)
        assert same(load_private_key(file.as_uri().replace("file:///", "file://localhost/")), KEY)
        monkeypatch.chdir(file.parent)
        assert same(load_private_key("apiclient_key.pem"), KEY)
        monkeypatch.setenv("HOME", str(file.parent))
        assert same(load_private_key("~/apiclient_key.pem"), KEY)

    def test_loads_from_a_file_of_der(self, tmp_path: Path) -> None:
        (tmp_path / "key.der").write_bytes(der(M["pkcs8"]))
        assert same(load_private_key(tmp_path / "key.der"), KEY)

    def test_takes_the_key_out_of_a_file_that_has_the_certificate_too(self) -> None:
        assert same(load_private_key(M["certificate"] + M["pkcs8"]), KEY)

    def test_gives_a_loaded_key_back(self) -> None:
        assert load_private_key(KEY) is KEY

    def test_an_empty_password_is_none(self) -> None:
        assert same(load_private_key(M["pkcs8"], ""), KEY)

    @pytest.mark.parametrize(
        ("thing", "password", "says"),
        [
            (M["certificate"], None, "this is a certificate.*apiclient_key.pem"),
            (der(M["certificate"]), None, "this is a certificate"),
            (bare(M["certificate"]), None, "this is a certificate"),
            (M["spki"], None, "this is a public key"),
            (der(M["spki"]), None, "this is a public key"),
            (M["pkcs1_public"], None, "this is a public key"),
            (PKCS12, None, "PKCS#12.*give it as `p12`"),
            (M["pkcs8_encrypted"], None, r"load_private_key\(key, password\).*openssl pkey"),
            (M["pkcs8"].replace("PRIVATE KEY", "EC PRIVATE KEY"), None, "an elliptic-curve key"),
            (M["pkcs8"].replace("PRIVATE KEY", "CERTIFICATE REQUEST"), None, "a certificate request"),
            (M["pkcs8"].replace("PRIVATE KEY", "A" * 50_000), None, "no matching END line"),
            (b"PK\x03\x04" + bytes(40), None, "this is a zip: unpack it"),
            (b"<html>404</html>", None, "this is HTML"),
            (b'{"key": 1}', None, "this is JSON"),
            (M["pkcs8"].encode("utf-16"), None, "UTF-16: save it as UTF-8"),
            (b"ssh-rsa AAAA", None, "an SSH key"),
            (base64.b64encode(b"-----BEGIN nothing"), None, "neither PEM|no matching END"),
            (M["pkcs8_encrypted"], None, "encrypted: give its password"),
            (M["pkcs1_encrypted"], None, "encrypted: give its password"),
            (der(M["pkcs8_encrypted"]), None, "encrypted: give its password"),
            (M["pkcs8_encrypted"], "wrong", "wrong password"),
            (M["pkcs1_encrypted"], "wrong", "wrong password"),
            (M["pkcs8"], "superfluous", "leave out the password"),
            (M["short_pkcs8"], None, "1024 bits"),
            (M["ec_pkcs8"], None, "EC.*RSA"),
            (M["pkcs8"][:700], None, "no matching END line"),
            ("-----BEGIN PRIVATE KEY-----", None, "no matching END line"),
            (M["pkcs8"].replace("/", "!"), None, "damaged base64"),
            (der(M["pkcs8"])[:-1], None, "damaged"),
            ("", None, "empty"),
            (b"", None, "empty"),
            (b"\x00\x01", None, "neither PEM, DER nor base64"),
            (b"x" * 200_000, None, "bytes, too large for a key"),
            (None, None, "NoneType"),
            (42, None, "int"),
            ("file://keys/apiclient_key.pem", None, "three slashes"),
        ],
        ids=titles,
    )
    def test_says_what_is_wrong(self, thing: Any, password: str | None, says: str) -> None:
        with pytest.raises(ConfigurationError, match=says):
            load_private_key(thing, password)

    def test_names_the_file_that_is_missing_or_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"no such file: .*missing.pem"):
            load_private_key(tmp_path / "missing.pem")
        with pytest.raises(ConfigurationError, match=r"no such file: .*missing.pem"):
            load_private_key(f"file://{tmp_path}/missing.pem")
        with pytest.raises(ConfigurationError, match=r"cannot read .*: Is a directory"):
            load_private_key(tmp_path)

    def test_does_not_read_an_endless_file(self) -> None:
        with pytest.raises(ConfigurationError, match="bytes, too large for a key"):
            load_private_key("/dev/zero")

    @pytest.mark.parametrize(
        "secret",
        ["Jx8zYw5QmV3nRt7kLp2sHd9fGb4cXa6e", bare(M["pkcs8"])[:64], bare(M["pkcs8"])[:900] + "\n!"],
        ids=["an API key", "a line of a key", "half a key"],
    )
    def test_shows_nothing_that_may_be_a_secret_in_the_wrong_place(self, secret: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            load_private_key(secret)
        assert secret[:20] not in str(caught.value)
        assert str(len(secret)) in str(caught.value)

    def test_finds_out_numbers_that_do_not_belong_together(self) -> None:
        numbers = KEY.private_numbers()
        good = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
        for name, value in [("d", good["d"] + 2), ("dmp1", good["dmp1"] + 2), ("iqmp", good["iqmp"] + 1)]:
            changed = RSAPrivateNumbers(**{**good, name: value}, public_numbers=numbers.public_numbers)
            key = changed.private_key(unsafe_skip_rsa_key_validation=True)
            with pytest.raises(ConfigurationError, match="its numbers are inconsistent"):
                load_private_key(key)

    def test_is_quick_enough_to_load_thousands_of_merchants(self) -> None:
        # 40 µs each; the full validation that is skipped would take a minute for these.
        begun = time.thread_time()
        for _ in range(2000):
            load_private_key(M["pkcs8"])
        assert time.thread_time() - begun < 10


class TestPublicKey:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("kind", ["spki", "pkcs1_public", "certificate"])
    def test_loads_from(self, kind: str, form: str) -> None:
        assert load_public_key(FORMS[form](M[kind])).public_numbers() == KEY.public_key().public_numbers()

    def test_gives_a_loaded_key_back_and_takes_a_loaded_certificate(self) -> None:
        assert load_public_key(KEY.public_key()) == KEY.public_key()
        assert load_public_key(load_certificate(M["certificate"])) == KEY.public_key()

    def test_loads_from_a_path(self, tmp_path: Path) -> None:
        (tmp_path / "pub_key.pem").write_text(M["spki"])
        assert load_public_key(tmp_path / "pub_key.pem") == KEY.public_key()

    @pytest.mark.parametrize(
        ("thing", "says"),
        [
            (M["pkcs8"], "this is a private key.*pub_key.pem"),
            (M["pkcs1"], "this is a private key"),
            (M["pkcs8_encrypted"], "this is a private key"),
            (der(M["pkcs8"]), "this is a private key"),
            (KEY, "RSAPrivateKey"),
            (M["ec_certificate"], "EC.*RSA"),
            (M["spki"].replace("MII", "AAA"), "damaged"),
            (M["certificate"].replace("MII", "AAA"), "not a public key"),
            ("pub_key.pem", "no such file: pub_key.pem"),
        ],
        ids=titles,
    )
    def test_says_what_is_wrong(self, thing: Any, says: str) -> None:
        with pytest.raises(ConfigurationError, match=says):
            load_public_key(thing)

    def test_refuses_a_short_key(self) -> None:
        short = load_pem_private_key(M["short_pkcs8"].encode(), None).public_key()
        with pytest.raises(ConfigurationError, match="1024 bits"):
            load_public_key(short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


class TestCertificate:
    @pytest.mark.parametrize("form", FORMS)
    def test_loads_from(self, form: str) -> None:
        assert certificate_serial(load_certificate(FORMS[form](M["certificate"]))) == M["serial"]

    def test_the_serial_keeps_its_leading_zero_as_openssl_shows_it(self) -> None:
        shown = subprocess.run(
            [require("openssl"), "x509", "-noout", "-serial"],
            input=M["certificate"].encode(),
            capture_output=True,
            check=True,
        ).stdout
        certificate = load_certificate(M["certificate"])
        assert shown.decode().strip() == f"serial={certificate_serial(certificate)}"
        assert certificate_serial(certificate).startswith("0")
        assert len(certificate_serial(certificate)) == 40

    @pytest.mark.parametrize(
        ("thing", "says"),
        [
            (M["pkcs8"], "PEM of PRIVATE KEY"),
            (M["spki"], "PEM of PUBLIC KEY"),
            (der(M["pkcs8"]), "not a certificate"),
            (M["certificate"].replace("MII", "AAA"), "damaged"),
            (3, "int"),
        ],
        ids=titles,
    )
    def test_says_what_is_wrong(self, thing: Any, says: str) -> None:
        with pytest.raises(ConfigurationError, match=says):
            load_certificate(thing)

    def test_tells_whether_a_key_is_its_own(self) -> None:
        certificate = load_certificate(M["certificate"])
        assert public_key_matches(load_private_key(KEY), certificate)
        assert not public_key_matches(load_private_key(OTHER), certificate)
        assert public_key_matches(load_private_key(OTHER), load_public_key(load_private_key(OTHER).public_key()))


class TestPkcs12:
    @pytest.mark.parametrize("kind", ["p12", "p12_legacy"])
    def test_gives_key_and_certificate(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "apiclient_cert.p12"
        path.write_bytes(base64.b64decode(M[kind]))
        for thing in (path, str(path), path.as_uri(), path.read_bytes(), "".join(M[kind].split())):
            content = load_pkcs12(thing, M["p12_password"])
            assert same(content.private_key, KEY)
            assert certificate_serial(content.certificate) == M["serial"]

    def test_its_repr_has_no_key(self) -> None:
        assert "private_key" not in repr(load_pkcs12(PKCS12, M["p12_password"]))

    @pytest.mark.parametrize(
        ("thing", "password", "says"),
        [
            (PKCS12, "wrong", "wrong password .*商户号"),
            (PKCS12[:-20], M["p12_password"], "or damaged"),
            (der(M["pkcs8"]), M["p12_password"], "DER of something else, not a PKCS#12 container"),
            (der(M["certificate"]), M["p12_password"], "DER of something else"),
            (base64.b64decode(M["p12_without_key"]), M["p12_password"], "holds no"),
            (M["certificate"], M["p12_password"], "PEM of CERTIFICATE"),
        ],
        ids=titles,
    )
    def test_says_what_is_wrong(self, thing: Any, password: str, says: str) -> None:
        with pytest.raises(ConfigurationError, match=says):
            load_pkcs12(thing, password)

    def test_says_how_to_convert_an_old_container_where_openssl_cannot_read_it(self, tmp_path: Path) -> None:
        (tmp_path / "old.p12").write_bytes(base64.b64decode(M["p12_legacy"]))
        program = (
            "from wxpay_dsl.wechat.crypto.certificates import load_pkcs12\n"
            f"load_pkcs12('old.p12', {M['p12_password']!r})"
        )
        without_legacy = {
            **os.environ,
            "CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1",
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "PYTHONIOENCODING": "utf-8",
        }
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=without_legacy, capture_output=True, check=False
        )
        assert b"openssl pkcs12 -legacy -in" in done.stderr


@pytest.mark.parametrize("password", [None, "correct horse"])
def test_reads_what_cryptography_writes(password: str | None) -> None:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    for encoding in (Encoding.PEM, Encoding.DER):
        for layout in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            if password and encoding is Encoding.DER and layout is PrivateFormat.TraditionalOpenSSL:
                continue  # there is no such format
            written = KEY.private_bytes(encoding, layout, encryption)
            assert same(load_private_key(written, password), KEY)
    assert load_pem_public_key(M["spki"].encode()) == load_public_key(M["spki"])
