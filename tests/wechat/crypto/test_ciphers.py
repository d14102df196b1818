"""Ciphers: published vectors and openssl's, round trips, and one error for every failed decryption."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.requirements import require
from wxpay_dsl.core.errors import ConfigurationError, SdkError
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.crypto.ciphers import (
    DecryptionError,
    EncryptionError,
    aead_decrypt,
    aead_encrypt,
    ecb_decrypt,
    ecb_encrypt,
    oaep_decrypt,
    oaep_encrypt,
    pkcs1_decrypt,
    pkcs1_encrypt,
)
from wxpay_dsl.wechat.crypto.keys import load_private_key, load_public_key

CASES = Path(__file__).parents[2] / "cases"
V: dict[str, Any] = yaml.safe_load((CASES / "ciphers.yaml").read_text("utf-8"))
M: dict[str, str] = yaml.safe_load((CASES / "keys.yaml").read_text("utf-8"))
KEY = load_private_key(M["pkcs8"])
PUBLIC = load_public_key(M["spki"])
OTHER = load_private_key(M["other_pkcs8"])
APIV3_KEY = "0123456789abcdef0123456789ABCDEF"
NONCE = "fdasfjihihih"

text = st.text(st.characters(blacklist_categories=["Cs"]))


class TestAead:
    @pytest.mark.parametrize("case", V["gcm"], ids=lambda case: case["title"])
    def test_agrees_with_the_published_vectors(self, case: dict[str, str]) -> None:
        key, nonce, data, plaintext = (
            bytes.fromhex(case[name]) for name in ("key", "nonce", "associated_data", "plaintext")
        )
        sealed = base64.b64encode(bytes.fromhex(case["ciphertext"] + case["tag"])).decode()
        assert aead_encrypt(plaintext, key, nonce, data) == sealed
        assert aead_decrypt(sealed, key, nonce, data) == plaintext

    @given(text, text)
    def test_what_is_encrypted_decrypts(self, plaintext: str, associated_data: str) -> None:
        sealed = aead_encrypt(plaintext, APIV3_KEY, NONCE, associated_data)
        assert len(base64.b64decode(sealed)) == len(plaintext.encode()) + 16
        assert aead_decrypt(sealed, APIV3_KEY, NONCE, associated_data) == plaintext.encode()

    def test_no_associated_data_is_empty_associated_data(self) -> None:
        assert aead_decrypt(aead_encrypt("x", APIV3_KEY, NONCE, None), APIV3_KEY, NONCE, "") == b"x"

    @given(st.binary(min_size=1, max_size=60), st.data())
    def test_one_changed_bit_does_not_decrypt(self, plaintext: bytes, data: st.DataObject) -> None:
        sealed = bytearray(base64.b64decode(aead_encrypt(plaintext, APIV3_KEY, NONCE, "transaction")))
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(DecryptionError):
            aead_decrypt(base64.b64encode(sealed).decode(), APIV3_KEY, NONCE, "transaction")

    @pytest.mark.parametrize(
        ("ciphertext", "key", "nonce", "associated_data"),
        [
            ("", APIV3_KEY, NONCE, "a"),
            ("AAAA", APIV3_KEY, NONCE, "a"),
            ("not base64", APIV3_KEY, NONCE, "a"),
            ("密文", APIV3_KEY, NONCE, "a"),
            (aead_encrypt("x", APIV3_KEY, NONCE, "a"), APIV3_KEY.swapcase(), NONCE, "a"),
            (aead_encrypt("x", APIV3_KEY, NONCE, "a"), APIV3_KEY, NONCE[::-1], "a"),
            (aead_encrypt("x", APIV3_KEY, NONCE, "a"), APIV3_KEY, "", "a"),
            (aead_encrypt("x", APIV3_KEY, NONCE, "a"), APIV3_KEY, NONCE, "b"),
            (aead_encrypt("x", APIV3_KEY, NONCE, "a"), APIV3_KEY, NONCE, None),
        ],
    )
    def test_what_does_not_decrypt_is_one_kind_of_error(
        self, ciphertext: str, key: str, nonce: str, associated_data: str | None
    ) -> None:
        with pytest.raises(DecryptionError) as caught:
            aead_decrypt(ciphertext, key, nonce, associated_data)
        assert key not in str(caught.value)
        assert isinstance(caught.value, SdkError)

    @pytest.mark.parametrize("key", ["", "short", "k" * 31, "k" * 33, "密" * 32])
    def test_a_key_of_another_length_is_a_matter_of_configuration(self, key: str) -> None:
        with pytest.raises(ConfigurationError, match=rf"{len(key.encode())} bytes; it must be 32"):
            aead_encrypt("x", key, NONCE, "")
        with pytest.raises(ConfigurationError, match="it must be 32"):
            aead_decrypt("AAAA", key, NONCE, "")

    def test_a_nonce_must_be_of_a_possible_length(self) -> None:
        with pytest.raises(EncryptionError, match="12"):
            aead_encrypt("x", APIV3_KEY, "", "")


class TestSensitiveFields:
    @pytest.mark.parametrize("case", V["oaep"], ids=lambda case: case["plaintext"][:20])
    def test_oaep_decrypts_what_openssl_encrypted(self, case: dict[str, str]) -> None:
        assert oaep_decrypt(case["ciphertext"], KEY) == case["plaintext"]

    @pytest.mark.parametrize("case", V["pkcs1"], ids=lambda case: case["plaintext"][:20])
    def test_pkcs1_decrypts_what_openssl_encrypted(self, case: dict[str, str]) -> None:
        assert pkcs1_decrypt(case["ciphertext"], KEY) == case["plaintext"]

    @pytest.mark.parametrize(
        ("padding", "encrypt"), [("oaep", oaep_encrypt), ("pkcs1", pkcs1_encrypt)], ids=["oaep", "pkcs1"]
    )
    def test_openssl_decrypts_what_is_encrypted_here(self, padding: str, encrypt: Any, tmp_path: Path) -> None:
        (tmp_path / "key.pem").write_text(M["pkcs8"])
        done = subprocess.run(
            [require("openssl"), "pkeyutl", "-decrypt", "-inkey", "key.pem", "-pkeyopt", f"rsa_padding_mode:{padding}"],
            cwd=tmp_path,
            input=base64.b64decode(encrypt("张三", PUBLIC)),
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode() == "张三"

    @settings(max_examples=30)  # 1 ms of RSA each
    @given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=53))
    def test_what_is_encrypted_decrypts(self, plaintext: str) -> None:
        assert oaep_decrypt(oaep_encrypt(plaintext, PUBLIC), KEY) == plaintext
        assert pkcs1_decrypt(pkcs1_encrypt(plaintext, PUBLIC), KEY) == plaintext

    def test_the_same_text_is_never_encrypted_to_the_same_bytes(self) -> None:
        assert oaep_encrypt("x", PUBLIC) != oaep_encrypt("x", PUBLIC)

    @pytest.mark.parametrize(("encrypt", "limit"), [(oaep_encrypt, 214), (pkcs1_encrypt, 245)])
    def test_a_text_too_long_for_the_key_is_refused_with_the_limit_in_bytes(self, encrypt: Any, limit: int) -> None:
        assert encrypt("x" * limit, PUBLIC)
        with pytest.raises(EncryptionError, match=rf"{limit + 1} bytes.*takes {limit}"):
            encrypt("x" * (limit + 1), PUBLIC)
        with pytest.raises(EncryptionError, match=rf"{(limit // 3 + 1) * 3} bytes"):
            encrypt("张" * (limit // 3 + 1), PUBLIC)

    @pytest.mark.parametrize(
        "ciphertext",
        ["", "AAAA", "not base64", "密文", "A" * 342 + "==", oaep_encrypt("x", OTHER.public_key())],
        ids=["nothing", "short", "no base64", "no ASCII", "zeros", "for another key"],  # the last is random
    )
    def test_what_does_not_decrypt_is_one_error_whatever_the_cause(self, ciphertext: str) -> None:
        with pytest.raises(DecryptionError) as caught:
            oaep_decrypt(ciphertext, KEY)
        assert str(caught.value) == (
            "RSA-OAEP: cannot be decrypted: encrypted for another key, or a damaged ciphertext"
        )
        assert caught.value.__cause__ is None

    def test_bytes_that_are_no_text_do_not_decrypt(self) -> None:
        raw = PUBLIC.encrypt(b"\xff\xfe", ciphers._OAEP)
        with pytest.raises(DecryptionError):
            oaep_decrypt(base64.b64encode(raw).decode(), KEY)


@pytest.mark.parametrize(
    "encrypt",
    [
        lambda text: aead_encrypt(text, APIV3_KEY, NONCE, ""),
        lambda text: oaep_encrypt(text, PUBLIC),
        lambda text: pkcs1_encrypt(text, PUBLIC),
        lambda text: ecb_encrypt(text, "key"),
    ],
    ids=["aead", "oaep", "pkcs1", "ecb"],
)
def test_a_text_that_has_no_utf8_is_refused_without_showing_it(encrypt: Any) -> None:
    with pytest.raises(EncryptionError, match="lone surrogate") as caught:
        encrypt("6214830000000000\ud800")
    assert caught.value.__cause__ is None
    assert "6214" not in str(caught.value)


class TestEcb:
    @pytest.mark.parametrize("case", V["ecb"]["texts"], ids=lambda case: case["plaintext"][:20])
    def test_agrees_with_openssl(self, case: dict[str, str]) -> None:
        assert ecb_encrypt(case["plaintext"], V["ecb"]["key"]) == case["ciphertext"]
        assert ecb_decrypt(case["ciphertext"], V["ecb"]["key"]) == case["plaintext"].encode()

    @given(st.binary(max_size=80), text)
    def test_what_is_encrypted_decrypts_and_is_always_padded(self, plaintext: bytes, key: str) -> None:
        sealed = ecb_encrypt(plaintext, key)
        assert ecb_decrypt(sealed, key) == plaintext
        assert len(base64.b64decode(sealed)) == (len(plaintext) // 16 + 1) * 16

    @pytest.mark.parametrize("ciphertext", ["", "AAAA", "not base64", "密文", "A" * 22 + "=="])
    def test_what_does_not_decrypt_is_one_kind_of_error(self, ciphertext: str) -> None:
        with pytest.raises(DecryptionError):
            ecb_decrypt(ciphertext, V["ecb"]["key"])


@pytest.mark.parametrize("noise", ["\n", " ", "=", "!", "中"])
def test_base64_is_read_strictly(noise: str) -> None:
    """A ciphertext has one encoding in base64; any other is rejected."""
    key, nonce = "0123456789abcdef0123456789ABCDEF", "0123456789ab"
    decryptions: list[tuple[str, Any]] = [
        (aead_encrypt("x", key, nonce, ""), lambda sealed: aead_decrypt(sealed, key, nonce, "")),
        (oaep_encrypt("x", PUBLIC), lambda sealed: oaep_decrypt(sealed, KEY)),
        (ecb_encrypt("x", key), lambda sealed: ecb_decrypt(sealed, key)),
    ]
    for sealed, decrypt in decryptions:
        assert decrypt(sealed)
        for changed in (noise + sealed, sealed[:8] + noise + sealed[8:], sealed + noise):
            with pytest.raises(DecryptionError):
                decrypt(changed)


def test_the_limit_of_a_text_is_a_whole_number_of_bytes() -> None:
    with pytest.raises(EncryptionError, match=r"a key of 2048 bits takes 214$"):
        oaep_encrypt("x" * 215, PUBLIC)


def test_errors_are_their_sentence() -> None:
    assert [str(DecryptionError("not this key")), str(EncryptionError("too long"))] == ["not this key", "too long"]
