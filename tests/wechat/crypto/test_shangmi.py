"""ShangMi (国密): OpenSSL's vectors, OpenSSL itself if it is installed, and a whole client."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import require
from wxpay_dsl import BadSignatureError, ConfigurationError, MerchantKeys, Notifications, Wechatpay
from wxpay_dsl.sandbox.keys.identity import make_platform_public_key
from wxpay_dsl.wechat.crypto import shangmi
from wxpay_dsl.wechat.crypto.certificates import load_certificate
from wxpay_dsl.wechat.crypto.ciphers import DecryptionError
from wxpay_dsl.wechat.crypto.platform_key import platform_key
from wxpay_dsl.wechat.signers.sm2 import Sm2Signer
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "shangmi.yaml").read_text("utf-8"))
PLATFORM, MERCHANT = CASES["platform"], CASES["merchant"]
SERIAL = "01AB23CD45EF67890123456789ABCDEF01234567"
APIV3_KEY = CASES["aead"]["apiv3_key"]
MERCHANT_SERIAL = "3775B6A45ACD588826D15E583A95F5DD00000000"


@pytest.mark.parametrize("case", CASES["signatures"], ids=["request", "empty", "answer"])
def test_what_openssl_signed_verifies(case: dict[str, str]) -> None:
    key = shangmi.load_public_key(PLATFORM["public"])
    message, signature = case["message"].encode(), case["signature"]
    assert signing_v3.verify(message, signature, key)
    assert not signing_v3.verify(message + b"x", signature, key)
    assert not signing_v3.verify(message, signature, shangmi.load_private_key(MERCHANT["pkcs8"]).public_key)


def test_what_is_signed_here_verifies_with_openssl(tmp_path: Path) -> None:
    message = "POST\n/v3/微信\n1\nn\n{}\n".encode()
    key = shangmi.load_private_key(PLATFORM["pkcs8"])
    for name, data in (("m", message), ("s", b64decode(key.sign(message))), ("pub.pem", key.public_key.pem())):
        (tmp_path / name).write_bytes(data)
    command = [
        require("openssl with SM2"),
        "dgst",
        "-sm3",
        "-verify",
        "pub.pem",
        "-sigopt",
        "distid:1234567812345678",
        "-signature",
        "s",
        "m",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verified OK" in done.stdout


@pytest.mark.parametrize("form", ["pkcs8", "sec1", "der", "file"])
def test_private_keys_come_in_any_form(form: str, tmp_path: Path) -> None:
    der = b64decode("".join(PLATFORM["pkcs8"].splitlines()[1:-1]))
    (tmp_path / "key.pem").write_text(PLATFORM["pkcs8"])
    secret = shangmi.load_private_key(der).secret
    # What `openssl ecparam -genkey` of OpenSSL 1.1 writes: the number, the curve, the point.
    sec1 = bytes.fromhex("30770201010420") + secret + bytes.fromhex("a00a06082a811ccf5501822da14403420004") + der[-64:]
    text = f"-----BEGIN EC PRIVATE KEY-----\n{b64encode(sec1).decode()}\n-----END EC PRIVATE KEY-----\n"
    forms = {**PLATFORM, "der": der, "file": tmp_path / "key.pem", "sec1": text}
    key = shangmi.load_private_key(forms[form])
    assert (
        key.public_key
        == shangmi.load_public_key(PLATFORM["certificate"])
        == shangmi.load_public_key(PLATFORM["public"])
    )
    assert shangmi.is_sm2(forms[form])


def test_a_certificate_knows_its_key_and_its_serial() -> None:
    key = platform_key(SERIAL, PLATFORM["certificate"])
    assert key.public_key == shangmi.load_public_key(PLATFORM["public"])
    assert key.id == SERIAL
    assert shangmi.public_key_of(load_certificate(PLATFORM["certificate"])) == key.public_key
    with pytest.raises(ConfigurationError, match=r"SM2 \(国密\) key: fields are encrypted with RSA keys only"):
        _ = key.rsa


@pytest.mark.parametrize(
    ("load", "thing", "message"),
    [
        (shangmi.load_private_key, PLATFORM["encrypted"], "it is encrypted: openssl pkcs8"),
        (shangmi.load_private_key, PLATFORM["public"], "not an SM2 key"),
        (shangmi.load_public_key, PLATFORM["pkcs8"], "not an SM2 key"),
        (shangmi.load_private_key, "/nowhere.pem", "nowhere.pem"),
    ],
    ids=["encrypted", "public for private", "private for public", "no file"],
)
def test_what_is_no_key_is_said(load: Any, thing: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(thing)


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    der = bytearray(b64decode("".join(PLATFORM["public"].splitlines()[1:-1])))
    der[-1] ^= 1
    with pytest.raises(ConfigurationError, match="not a point of the curve"):
        shangmi.load_public_key(bytes(der))


@given(st.binary(max_size=120))
def test_whatever_is_no_signature_is_false(data: bytes) -> None:
    key = shangmi.Sm2PublicKey(shangmi.load_public_key(PLATFORM["public"]).point)
    assert not key.verify(b"message", b64encode(data).decode())


@given(st.binary(max_size=400))
def test_damaged_documents_end_in_an_error(data: bytes) -> None:
    curve = bytes.fromhex("06082a811ccf5501822d")
    for damaged in (b"\x30" + data + curve, b"\x30\x82\x01\x00" + data + curve + data):
        with pytest.raises(ConfigurationError):
            shangmi.load_private_key(damaged)
        with pytest.raises(ConfigurationError):
            shangmi.load_public_key(damaged)


def test_a_private_key_stays_out_of_sight() -> None:
    key = shangmi.load_private_key(PLATFORM["pkcs8"])
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)
    for thing in (key, Sm2Signer(key)):
        with pytest.raises(TypeError):
            pickle.dumps(thing)


def test_sm4_gcm_as_openssl_and_rfc_8998_have_it() -> None:
    case = CASES["aead"]
    sealed = b64decode(shangmi.aead_encrypt(case["plaintext"], APIV3_KEY, case["nonce"], ""))
    assert sealed[:-16] == b64decode(case["ciphertext"])
    rfc = {name: bytes.fromhex(value) for name, value in CASES["rfc8998"].items()}
    made = Cipher(SM4(rfc["key"]), GCM(rfc["nonce"])).encryptor()
    made.authenticate_additional_data(rfc["associated_data"])
    assert made.update(rfc["plaintext"]) + made.finalize() == rfc["ciphertext"]
    assert made.tag == rfc["tag"]


@given(st.binary(max_size=200), st.text("0123456789abcdef", min_size=12, max_size=12), st.binary(max_size=20))
def test_sm4_gcm_opens_what_it_sealed_and_nothing_else(data: bytes, nonce: str, associated: bytes) -> None:
    sealed = shangmi.aead_encrypt(data, APIV3_KEY, nonce, associated)
    assert shangmi.aead_decrypt(sealed, APIV3_KEY, nonce, associated) == data
    for changed in (sealed[:-8] + "AAAAAAA=", "", "…", sealed[:8]):
        with pytest.raises(DecryptionError):
            shangmi.aead_decrypt(changed, APIV3_KEY, nonce, associated)


class Service:
    """WeChat Pay in ShangMi: it checks SM2 signatures, gives certificates under SM4, and signs with SM2."""

    def __init__(self) -> None:
        self.key = shangmi.load_private_key(PLATFORM["pkcs8"])
        self.merchant = shangmi.load_private_key(MERCHANT["pkcs8"]).public_key
        self.seen: list[str] = []
        self.honest = True
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(request.raw_path)
        told = authorization.parse(request.headers["Authorization"])
        body = await request.read()
        message = signing_v3.request_message(request.method, request.raw_path, told.timestamp, told.nonce, body)
        if told.scheme != "WECHATPAY2-SM2-WITH-SM3" or not self.merchant.verify(message, told.signature):
            return web.json_response({"code": "SIGN_ERROR", "message": "错误的签名"}, status=401)
        data: Any = {"presign_token": "token"}
        if request.path == "/v3/certificates":
            sealed = shangmi.aead_encrypt(PLATFORM["certificate"], APIV3_KEY, "fdasflkja484", "certificate")
            entry = {"algorithm": "AEAD_SM4_GCM", "nonce": "fdasflkja484", "associated_data": "certificate"}
            data = {"data": [{"serial_no": SERIAL, "encrypt_certificate": {**entry, "ciphertext": sealed}}]}
        answer = json.dumps(data).encode()
        return web.Response(body=answer, content_type="application/json", headers=self.signed(answer))

    def signed(self, body: bytes) -> dict[str, str]:
        now = int(time.time())
        message = signing_v3.response_message(now, "nonce", body if self.honest else body + b" ")
        return {
            "Wechatpay-Timestamp": str(now),
            "Wechatpay-Nonce": "nonce",
            "Wechatpay-Signature": self.key.sign(message),
            "Wechatpay-Serial": SERIAL,
            "Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3",
        }


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


PRESIGN = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO",
    "plan_id": "12535",
    "user_id": "20190011",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}


@pytest.mark.parametrize("configured", [True, False], ids=["configured", "downloaded"])
async def test_a_client_speaks_shangmi_by_its_key(configured: bool, service: Service, tmp_path: Path) -> None:
    (tmp_path / "sm2_key.pem").write_text(MERCHANT["pkcs8"])
    settings: dict[str, Any] = {
        "mchid": "1900000109",
        "serial": MERCHANT_SERIAL,
        "private_key": tmp_path / "sm2_key.pem",
        "base_url": service.url,
        "apiv3_key": APIV3_KEY,
    }
    if configured:
        settings["platform_keys"] = {SERIAL: PLATFORM["certificate"]}
        del settings["apiv3_key"]
    async with Wechatpay(**settings) as wxpay:
        response = await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
        assert response.data == {"presign_token": "token"}
        assert ("/v3/certificates?algorithm_type=SM2" in service.seen) == (not configured)
        service.honest = False
        with pytest.raises(BadSignatureError):
            await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)


async def test_sensitive_fields_want_an_rsa_key(service: Service) -> None:
    settings = {"mchid": "1900000109", "serial": MERCHANT_SERIAL, "base_url": service.url}
    settings |= {"private_key": MERCHANT["pkcs8"], "platform_keys": {SERIAL: PLATFORM["certificate"]}}
    async with Wechatpay(**settings) as wxpay:
        with pytest.raises(ConfigurationError, match="encrypted with RSA keys only"):
            await wxpay.v3.profitsharing.receivers.add.post(
                appid="wx8888888888888888", type="MERCHANT_ID", account="1", name="某某", relation_type="STORE"
            )
    assert service.seen == []


async def test_a_notification_comes_in_shangmi() -> None:
    service = Service()
    resource = {
        "algorithm": "AEAD_SM4_GCM",
        "nonce": "fdasflkja484",
        "associated_data": "transaction",
        "original_type": "transaction",
        "ciphertext": shangmi.aead_encrypt('{"out_trade_no":"1"}', APIV3_KEY, "fdasflkja484", "transaction"),
    }
    body = json.dumps(
        {
            "id": "1",
            "event_type": "TRANSACTION.SUCCESS",
            "create_time": "2026-03-18T00:00:00+08:00",
            "resource": resource,
        }
    ).encode()
    merchant_keys = MerchantKeys.of("1900000109", platform_keys={SERIAL: PLATFORM["certificate"]}, apiv3_key=APIV3_KEY)
    notification = await Notifications(merchant_keys).parse(service.signed(body), body)
    assert notification.resource == {"out_trade_no": "1"}


def test_rsa_and_sm2_keys_live_in_one_keyring() -> None:
    rsa = make_platform_public_key()
    key = platform_key(rsa.id, rsa.private_key.public_key())
    assert key.fingerprint != platform_key(SERIAL, PLATFORM["certificate"]).fingerprint
    assert platform_key("PUB_KEY_ID_2", PLATFORM["public"]).public_key == shangmi.load_public_key(PLATFORM["public"])


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    shangmi._sm2.cache_clear()
    monkeypatch.setitem(sys.modules, "gmalg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'wxpay-dsl\[sm\]'"):
        shangmi.load_private_key(PLATFORM["pkcs8"])
    monkeypatch.undo()
    shangmi._sm2.cache_clear()
