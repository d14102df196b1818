"""``wxpay explain``: finds the mistake that makes a signature fail."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.cli.shell import Ran, Wxpay
from wxpay_dsl.sandbox.keys import home
from wxpay_dsl.sandbox.keys.identity import (
    make_merchant,
    make_platform_certificate,
    throwaway_merchant,
    throwaway_public_key,
)
from wxpay_dsl.wechat.v3 import authorization

CASES: Final = Path(__file__).parents[2] / "cases" / "explain.yaml"
NONCE: Final = "593BEC0C930BF1AFEB40B4A08C8FB242"
BODY: Final = '{"description":"图书/1","amount":{"total":1}}'.encode()
URL: Final = "https://api.mch.weixin.qq.com/v3/pay/transactions/native"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sandbox's home, with this process's keys."""
    certificate = make_platform_certificate()
    home.write(tmp_path, throwaway_merchant(), throwaway_public_key(), certificate, "http://127.0.0.1:1")
    return tmp_path


def signature(message: bytes, key: RSAPrivateKey | None = None, digest: Any = SHA256, padding: Any = None) -> str:
    from base64 import b64encode

    return b64encode((key or throwaway_merchant().private_key).sign(message, padding or PKCS1v15(), digest())).decode()


def header(signed: str, **changes: Any) -> str:
    merchant = throwaway_merchant()
    values = {"mchid": merchant.mchid, "serial": merchant.serial, "timestamp": int(time.time()), "nonce": NONCE}
    return authorization.build(signature=signed, **{**values, **changes})


def explained(
    wxpay: Wxpay, folder: Path, given: str, *arguments: str, method: str = "POST", url: str = URL, body: bytes = BODY
) -> Ran:
    (folder / "authorization").write_text(given + "\n", "utf-8")
    (folder / "body").write_bytes(body)
    chosen = arguments or ("--certificate", "apiclient_cert.pem")
    request = ("--authorization", "@authorization", "--method", method, "--url", url, "--body", "@body")
    return wxpay("explain", *request, *chosen)


def message(*lines: str, body: bytes = BODY) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode() + body + b"\n"


@pytest.mark.parametrize("whose", [("--certificate", "apiclient_cert.pem"), ("--profile", "wxpay.toml")])
def test_a_right_signature_verifies(whose: tuple[str, ...], wxpay: Wxpay, folder: Path) -> None:
    now = str(int(time.time()))
    made = header(signature(message("POST", "/v3/pay/transactions/native", now, NONCE)), timestamp=now)
    ran = explained(wxpay, folder, made, *whose)
    assert ran.code == 0, ran.out
    assert "for this key and exactly this message" in ran.out


def cases() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = yaml.safe_load(CASES.read_text("utf-8"))
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["mistake"])
def test_which_line_was_signed_otherwise(case: Mapping[str, Any], wxpay: Wxpay, folder: Path) -> None:
    """``sent`` is the request, ``signed`` the signed message; ``{t}`` is its timestamp, ``{n}`` its nonce."""
    now = int(time.time())
    signed = case["signed"].replace("{t}", str(now)).replace("{t+2}", str(now + 2)).replace("{ms}", str(now * 1000))
    signed = signed.replace("{n}", NONCE).encode(case.get("charset", "utf-8"))
    sent = case["sent"]
    ran = explained(
        wxpay,
        folder,
        header(signature(signed), timestamp=now),
        method=sent["method"],
        url=sent["url"],
        body=sent.get("body", "").encode(),
    )
    assert ran.code == 6
    assert case["said"] in ran.out


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"key": make_merchant().private_key}, "made with another private key"),
        ({"digest": SHA1}, "SHA-1 instead of SHA-256"),
        ({"digest": MD5}, "MD5 instead of SHA-256"),
        ({"padding": PSS(MGF1(SHA256()), 32)}, "PSS padding"),
    ],
    ids=["another key", "SHA-1", "MD5", "PSS"],
)
def test_how_it_was_signed(made: Mapping[str, Any], said: str, wxpay: Wxpay, folder: Path) -> None:
    now = str(int(time.time()))
    text = message("POST", "/v3/pay/transactions/native", now, NONCE)
    ran = explained(wxpay, folder, header(signature(text, **made), timestamp=now))
    assert ran.code == 6
    assert said in ran.out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"serial": throwaway_public_key().id}, "public key id"),
        ({"serial": "ABCDEF0123"}, "the certificate's is"),
        ({"mchid": "1900000110"}, "key and certificate belong to 1900000109"),
        ({"nonce": "n" * 40}, "at most 32"),
    ],
)
def test_what_the_header_says_of_the_merchant(
    changes: Mapping[str, str], said: str, wxpay: Wxpay, folder: Path
) -> None:
    now = str(int(time.time()))
    nonce = changes.get("nonce", NONCE)
    text = message("POST", "/v3/pay/transactions/native", now, nonce)
    ran = explained(wxpay, folder, header(signature(text), timestamp=now, **changes))
    assert ran.code == 6
    assert said in ran.out


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda made: made.replace('"', ""), "a shell removes quotes"),
        (lambda made: made.replace("nonce_str", "nonce"), "unknown part nonce"),
        (lambda made: made.replace("SHA256-RSA2048", "RSA"), "the scheme is"),
        (lambda made: made.replace(made[-60:], '"'), "truncated"),
        (lambda made: made[: made.index("signature=")] + f'signature="{quote("a+b/" * 10, safe="")}"', "encoded"),
        (lambda made: made[: made.index("signature=")] + 'signature="aaa_-aaa"', "URL-safe base64"),
    ],
)
def test_the_headers_form(spoil: Any, said: str, wxpay: Wxpay, folder: Path) -> None:
    now = str(int(time.time()))
    made = header(signature(message("POST", "/v3/pay/transactions/native", now, NONCE)), timestamp=now)
    ran = explained(wxpay, folder, spoil(made))
    assert ran.code == 6
    assert said in ran.out


def test_of_an_upload_the_part_meta_is_signed(wxpay: Wxpay, folder: Path) -> None:
    meta = b'{"filename":"a.png","sha256":"00"}'
    form = (
        b'--b\r\nContent-Disposition: form-data; name="meta"\r\nContent-Type: application/json\r\n\r\n' + meta + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n\x00\xff\r\n--b--\r\n'
    )
    now = str(int(time.time()))
    url = URL.replace("pay/transactions/native", "merchant/media/upload")
    lines = ("POST", "/v3/merchant/media/upload", now, NONCE)
    right = explained(wxpay, folder, header(signature(message(*lines, body=meta)), timestamp=now), url=url, body=form)
    assert right.code == 0, right.out
    wrong = explained(wxpay, folder, header(signature(message(*lines, body=form)), timestamp=now), url=url, body=form)
    assert wrong.code == 6
    assert "the part meta alone" in wrong.out


def test_what_the_service_saw(wxpay: Wxpay, folder: Path) -> None:
    now = str(int(time.time()))
    text = message("POST", "/v3/pay/transactions/native", now, NONCE)
    seen = message("POST", "/pay/transactions/native", now, NONCE, body=b'{"descr')
    information = {"truncated_sign_message": seen.decode(), "sign_message_length": len(text) - 3}
    (folder / "response").write_text(json.dumps({"code": "SIGN_ERROR", "detail": {"sign_information": information}}))
    made = header(signature(text), timestamp=now)
    ran = explained(wxpay, folder, made, "--profile", "wxpay.toml", "--response", "@response", "--json")
    assert ran.code == 6
    told = json.loads(ran.out)
    assert not told["good"]
    assert [step["good"] for step in told["checks"] if step["title"] == "signature"] == [True]
    assert "line 2 of the signed message" in told["checks"][-1]["text"]


def test_no_secret_is_needed_and_none_is_shown(wxpay: Wxpay, folder: Path) -> None:
    pem = throwaway_merchant().private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(pem)
    now = str(int(time.time()))
    made = header(signature(message("POST", "/v3/pay/transactions/native", now, NONCE)), timestamp=now)
    ran = explained(wxpay, folder, made, "--public-key", "public.pem")
    assert ran.code == 0, ran.out
    assert made.partition('signature="')[2][:40] not in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which key made the signature"),
        (("--certificate", "nowhere.pem"), "no such file"),
        (("--certificate", "apiclient_cert.pem", "--body", "@nowhere"), "--body @nowhere"),
        (("--certificate", "apiclient_key.pem"), "not of a certificate"),
        (("--certificate", "apiclient_cert.pem", "--response", "[]"), "--response"),
    ],
)
def test_what_cannot_be_read(arguments: tuple[str, ...], said: str, wxpay: Wxpay, folder: Path) -> None:
    request = ("--authorization", "x", "--method", "GET", "--url", "/v3/certificates")
    ran = wxpay("explain", *request, *arguments)
    assert ran.code in (2, 3)
    assert said in ran.err
