"""Signing in a thread, and on a token (SoftHSM, Debian's softhsm2), against the sandbox."""

from __future__ import annotations

import ast
import asyncio
import os
import pickle
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.requirements import require
from tests.turning import turning
from wxpay_dsl import ConfigurationError, Signer, SignerError, Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.crypto.ciphers import DecryptionError, oaep_encrypt, pkcs1_encrypt
from wxpay_dsl.wechat.crypto.decryptor import Decryptor, LocalDecryptor
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.signers.hsm import Pkcs11Signer
from wxpay_dsl.wechat.signers.threaded import ThreadedSigner
from wxpay_dsl.wechat.v3 import signing as signing_v3

PRESIGN = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO",
    "plan_id": "12535",
    "user_id": "20190011",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "648219"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def key(sandbox: Sandbox) -> RSAPrivateKey:
    return load_private_key(sandbox.credentials["private_key"])


def client(sandbox: Sandbox, signer: Any) -> Wechatpay:
    return Wechatpay(**{**sandbox.credentials, "private_key": signer})


async def test_a_thread_signs_and_decrypts(sandbox: Sandbox, key: RSAPrivateKey) -> None:
    signer = ThreadedSigner(key)
    assert isinstance(signer, Signer)
    assert isinstance(signer, Decryptor)
    async with client(sandbox, signer) as wxpay:
        response = await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
        assert response.data["presign_token"]
        assert wxpay.settings.decryptor is signer
    plaintext = await signer.decrypt(b64decode(oaep_encrypt("张三", key.public_key())))
    assert plaintext.decode() == "张三"
    with pytest.raises(DecryptionError):
        await signer.decrypt(bytes(256))
    signer.close()
    with pytest.raises(RuntimeError):
        await signer.sign(b"")


async def test_a_thread_s_signer_takes_a_key_in_any_form_and_keeps_it_to_itself(key: RSAPrivateKey) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signer = ThreadedSigner(pem)
    assert signing_v3.verify(b"x", await signer.sign(b"x"), key.public_key())
    assert "PRIVATE" not in repr(signer)
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    signer.close()


async def test_signatures_in_the_thread_leave_the_loop_alone(
    key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = ThreadedSigner(key)
    sign, turns = signing_v3.sign, list[bool]()
    async with turning() as has_turned:

        def long(message: bytes, key: RSAPrivateKey) -> str:
            turns.append(has_turned())
            return sign(message, key)

        monkeypatch.setattr(signing_v3, "sign", long)
        signatures = await asyncio.gather(*(signer.sign(b"message") for _ in range(20)))
    signer.close()
    assert turns == [True] * 20
    assert all(signing_v3.verify(b"message", signature, key.public_key()) for signature in signatures)


async def test_the_wrong_platform_key_is_found_out_with_a_threaded_signer_too(
    sandbox: Sandbox, key: RSAPrivateKey
) -> None:
    credentials = {
        **sandbox.credentials,
        "private_key": ThreadedSigner(key),
        "platform_keys": {"PUB_KEY_ID_1": key.public_key()},
    }
    with pytest.raises(ConfigurationError, match="the merchant's own public key"):
        Wechatpay(**credentials)


async def test_a_local_key_decrypts_both_paddings(key: RSAPrivateKey) -> None:
    decryptor = LocalDecryptor(key)
    assert await decryptor.decrypt(b64decode(pkcs1_encrypt("a", key.public_key())), "pkcs1") == b"a"
    assert await decryptor.decrypt(b64decode(oaep_encrypt("a", key.public_key()))) == b"a"
    with pytest.raises(TypeError):
        pickle.dumps(decryptor)


async def test_a_signer_of_one_s_own_is_awaited(sandbox: Sandbox, key: RSAPrivateKey) -> None:
    """Like a KMS: a call over the network that can fail."""

    class Remote:
        scheme = "WECHATPAY2-SHA256-RSA2048"
        works = True

        async def sign(self, message: bytes) -> str:
            await asyncio.sleep(0.01)
            if not self.works:
                raise SignerError("KMS: throttled")
            return signing_v3.sign(message, key)

    remote = Remote()
    async with client(sandbox, remote) as wxpay:
        assert (await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)).status == 200
        assert wxpay.settings.decryptor is None
        remote.works = False
        with pytest.raises(SignerError, match="KMS: throttled; nothing was sent"):
            await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)


# A PKCS#11 module is loaded once a process, and keeps the folder of its tokens from then.


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    return folder


def softhsm(*arguments: str) -> None:
    subprocess.run([require("softhsm2-util"), *arguments, "--pin", PIN], check=True, capture_output=True)


def put_on(token: str, key: RSAPrivateKey, label: str, key_id: str, folder: Path) -> None:
    file = folder / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    softhsm("--import", str(file), "--token", token, "--label", label, "--id", key_id)


@pytest.fixture(scope="session")
def hsm_key() -> RSAPrivateKey:
    from wxpay_dsl.sandbox.keys.identity import make_merchant

    return load_private_key(make_merchant("1900000109").private_key)


@pytest.fixture(scope="session")
def token(tokens: Path, hsm_key: RSAPrivateKey) -> str:
    """A token with the merchant's key twice under one label, and once under another."""
    softhsm("--init-token", "--free", "--label", "merchant", "--so-pin", "12345678")
    for label, key_id in (("apiclient", "01"), ("double", "02"), ("double", "03")):
        put_on("merchant", hsm_key, label, key_id, tokens)
    return "merchant"


def signer(**changed: Any) -> Pkcs11Signer:
    return Pkcs11Signer(**{"module": MODULE, "token": "merchant", "pin": PIN, "label": "apiclient", **changed})


async def test_a_token_signs_calls_and_decrypts(token: str, hsm_key: RSAPrivateKey, sandbox: Sandbox) -> None:
    hsm = signer(token=token)
    public = hsm_key.public_key()
    assert signing_v3.verify(b"message", await hsm.sign(b"message"), public)
    assert (await hsm.decrypt(b64decode(oaep_encrypt("张三", public)))).decode() == "张三"
    assert await hsm.decrypt(b64decode(pkcs1_encrypt("Zhang", public)), "pkcs1") == b"Zhang"
    with pytest.raises(DecryptionError, match="encrypted for another key"):
        await hsm.decrypt(bytes(255) + b"\x01")
    await hsm.close()


async def test_a_call_is_signed_by_the_token(token: str, hsm_key: RSAPrivateKey, tmp_path: Path) -> None:
    """The sandbox knows the merchant by the certificate of the key that is on the token."""
    async with Sandbox() as sandbox:
        put_on(token, load_private_key(sandbox.credentials["private_key"]), "own", "09", tmp_path)
        hsm = signer(label=None, id=bytes([9]), pin=lambda: PIN)
        async with client(sandbox, hsm) as wxpay:
            responses = await asyncio.gather(*(wxpay.v3.eduPapay.contracts.presign.post(PRESIGN) for _ in range(5)))
        assert all(response.data["presign_token"] for response in responses)
        await hsm.close()


async def test_the_guide_s_example_works(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "guide" / "signers.md").read_text("utf-8")
    (text,) = [block for block in page.split("```python\n") if "Pkcs11Signer(" in block]
    async with Sandbox() as sandbox:
        put_on(token, load_private_key(sandbox.credentials["private_key"]), "guide", "0a", tmp_path)
        sandbox.write_home(tmp_path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HSM_PIN", PIN)
        code = text.partition("```")[0].replace('label="apiclient"', 'label="guide"')
        names: dict[str, Any] = {}
        program = compile(code, "signers.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        await eval(program, names)  # noqa: S307 (running it is the point)
        assert names["response"].status == 200
        await names["signer"].close()


async def test_a_lost_session_is_opened_again(token: str, hsm_key: RSAPrivateKey) -> None:
    hsm = signer(token=token)
    await hsm.sign(b"message")
    hsm._session.close()
    assert signing_v3.verify(b"message", await hsm.sign(b"message"), hsm_key.public_key())
    await hsm.close()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"token": "nobody"}, "no token has the label 'nobody'"),
        ({"label": "nobody"}, "no private key on the token .* matches .*nobody"),
        ({"label": "double"}, "give the `id` of one"),
        ({"module": "/nowhere.so"}, "/nowhere.so cannot be loaded"),
    ],
    ids=["token", "key", "two keys", "module"],
)
async def test_what_is_not_there_is_said(token: str, changed: dict[str, Any], message: str) -> None:
    hsm = signer(**changed)
    with pytest.raises(ConfigurationError, match=message):
        await hsm.sign(b"message")
    await hsm.close()


async def test_a_wrong_pin_is_tried_once(token: str) -> None:
    asked = []

    def pin() -> str:
        asked.append(1)
        return "000000"

    hsm = signer(pin=pin)
    for _ in range(3):
        with pytest.raises(ConfigurationError, match="not tried again"):
            await hsm.sign(b"message")
    assert len(asked) == 1
    assert PIN not in repr(signer(token=token))
    with pytest.raises(TypeError):
        pickle.dumps(hsm)
    await hsm.close()


def test_a_key_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="`label`, or its `id`"):
        signer(label=None)


async def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    hsm = signer()
    with pytest.raises(ConfigurationError, match=r"pip install 'wxpay-dsl\[pkcs11\]'"):
        await hsm.sign(b"message")
