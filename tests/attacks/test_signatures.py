"""Degenerate signatures, such as 0 and 1, that a careless verifier would accept are refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wechat.platform_server import keys
from wxpay_dsl.wechat.crypto import shangmi
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v3 import signing as signing_v3

MESSAGE = b"1795471373\nN\n{}\n"
PRIVATE = keys()[1]
PUBLIC = PRIVATE.public_key()
MODULUS = PUBLIC.public_numbers().n
SIZE = 256
#: The order of SM2's curve, and its prime (GB/T 32918.5).
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
PRIME = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF


def text(number: int, size: int = SIZE) -> str:
    return base64.b64encode(number.to_bytes(size, "big")).decode()


def encoded(*numbers: int) -> bytes:
    """A sequence of integers in DER, negative ones too."""
    found = b""
    for number in numbers:
        data = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
        found += b"\x02" + bytes([len(data)]) + data
    return b"\x30" + bytes([len(found)]) + found


def true() -> int:
    return int.from_bytes(base64.b64decode(signing_v3.sign(MESSAGE, PRIVATE)), "big")


class TestRsa:
    def test_the_true_one_is(self) -> None:
        assert signing_v3.verify(MESSAGE, text(true()), PUBLIC)

    @pytest.mark.parametrize("number", [0, 1, 2, MODULUS - 1, MODULUS, MODULUS + 1, 2 ** (8 * SIZE) - 1], ids=range(7))
    def test_numbers_that_are_their_own_power(self, number: int) -> None:
        assert not signing_v3.verify(MESSAGE, text(number), PUBLIC)

    @pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1, 0, 1, 2 * SIZE])
    def test_one_of_another_length(self, size: int) -> None:
        whole = true().to_bytes(SIZE, "big")
        for cut in (whole[:size], b"\0" * (size - SIZE) + whole, whole + b"\0" * (size - SIZE)):
            if len(cut) != SIZE:
                assert not signing_v3.verify(MESSAGE, base64.b64encode(cut).decode(), PUBLIC)

    def test_the_true_one_and_the_modulus(self) -> None:
        """The same number to whoever does not look whether it is below the modulus."""
        if true() + MODULUS < 2 ** (8 * SIZE):
            assert not signing_v3.verify(MESSAGE, text(true() + MODULUS), PUBLIC)
        assert not signing_v3.verify(MESSAGE, text(true() + MODULUS, SIZE + 1), PUBLIC)
        assert not signing_v3.verify(MESSAGE, text(MODULUS - true()), PUBLIC)

    def test_a_hash_with_something_behind_it(self) -> None:
        """PKCS#1 v1.5 read leniently lets a small exponent's root through: the padding is all of it, or none."""
        from hashlib import sha256

        digest = bytes.fromhex("3031300d060960864801650304020105000420") + sha256(MESSAGE).digest()
        for block in (
            b"\0\x01" + b"\xff" * 8 + b"\0" + digest + b"\0" * (SIZE - 11 - len(digest)),
            b"\0\x01" + b"\xff" * (SIZE - 4 - len(digest)) + b"\0" + digest + b"\0",
            b"\0\x02" + b"\xff" * (SIZE - 3 - len(digest)) + b"\0" + digest,
        ):
            numbers = PRIVATE.private_numbers()
            forged = pow(int.from_bytes(block, "big"), numbers.d, MODULUS)
            assert not signing_v3.verify(MESSAGE, text(forged), PUBLIC)

    def test_another_hash_or_padding_is_another_algorithm(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512

        for padding, algorithm in (
            (PKCS1v15(), SHA1()),  # noqa: S303 (it must not verify)
            (PKCS1v15(), SHA512()),
            (PSS(MGF1(SHA256()), 32), SHA256()),
        ):
            signature = base64.b64encode(PRIVATE.sign(MESSAGE, padding, algorithm)).decode()
            assert not signing_v3.verify(MESSAGE, signature, PUBLIC)

    @pytest.mark.parametrize(
        "change", ["{}\n", "\n{}", " {}", "{}{}", "{}=", "{}====", "-{}", "{}\0", "{}\u200b"], ids=ascii
    )
    def test_base64_in_another_writing(self, change: str) -> None:
        assert not signing_v3.verify(MESSAGE, change.replace("{}", text(true())), PUBLIC)


class TestSm2:
    @pytest.fixture(scope="class")
    @staticmethod
    def key() -> shangmi.Sm2PublicKey:
        import gmalg

        _, point = gmalg.SM2().generate_keypair()
        return shangmi.Sm2PublicKey(point)

    @pytest.mark.parametrize(
        "s", [0, 1, -1, ORDER, ORDER - 1, ORDER + 1, 2 * ORDER, PRIME, 2**256, -ORDER], ids=range(10)
    )
    @pytest.mark.parametrize("r", [0, 1, -1, ORDER, ORDER - 1, 2 * ORDER, PRIME, 2**256], ids=range(8))
    def test_numbers_at_the_edges_are_none(self, r: int, s: int, key: shangmi.Sm2PublicKey) -> None:
        signature = base64.b64encode(encoded(r, s)).decode()
        assert not key.verify(MESSAGE, signature)

    def test_the_true_one_plus_the_order_is_another(self) -> None:
        import gmalg
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        secret, point = gmalg.SM2().generate_keypair()
        public = shangmi.Sm2PublicKey(point)
        signature = shangmi.Sm2PrivateKey(secret, public).sign(MESSAGE)
        assert public.verify(MESSAGE, signature)
        r, s = decode_dss_signature(base64.b64decode(signature))
        for forged in ((r + ORDER, s), (r, s + ORDER), (r, ORDER - s), (ORDER - r, s), (s, r), (-r, s), (r, -s)):
            assert not public.verify(MESSAGE, base64.b64encode(encoded(*forged)).decode())


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.text(max_size=70))
def test_no_text_is_an_apiv2_signature_of_everything(sign: str) -> None:
    assert not signing_v2.verify({"a": "1", "sign": sign}, "1" * 32)


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
def test_an_apiv2_signature_is_of_these_fields_in_this_writing(sign_type: str) -> None:
    fields = {"a": "1", "b": "2"}
    sign = signing_v2.sign(fields, "k" * 32, sign_type)
    assert signing_v2.verify({**fields, "sign": sign}, "k" * 32)
    for forged in (sign.lower(), f"{sign} ", f" {sign}", sign[:-1], sign + "0", sign + sign, sign[:31] + "\uff10"):
        assert not signing_v2.verify({**fields, "sign": forged}, "k" * 32)
    for others in ({"a": "1"}, {**fields, "c": "3"}, {"a": "1 ", "b": "2"}, {"A": "1", "b": "2"}, {"a": "2", "b": "1"}):
        assert not signing_v2.verify({**others, "sign": sign}, "k" * 32)
