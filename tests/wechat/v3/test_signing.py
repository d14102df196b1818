"""APIv3 signatures: the exact signed bytes, openssl's signatures over them, and what must be rejected."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import require
from wxpay_dsl.wechat.crypto.keys import load_private_key, load_public_key
from wxpay_dsl.wechat.v3.signing import PROBE_PREFIX, request_message, response_message, sign, verify

CASES = Path(__file__).parents[2] / "cases"
V: dict[str, list[dict[str, Any]]] = yaml.safe_load((CASES / "signing_v3.yaml").read_text("utf-8"))
M: dict[str, str] = yaml.safe_load((CASES / "keys.yaml").read_text("utf-8"))
KEY = load_private_key(M["pkcs8"])
PUBLIC = load_public_key(M["certificate"])
OTHER = load_private_key(M["other_pkcs8"])

lines = st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=40)


def titled(case: dict[str, Any]) -> str:
    return str(case["title"])


@pytest.mark.parametrize("case", V["requests"], ids=titled)
def test_a_request_is_signed_over_its_five_lines_as_openssl_signs(case: dict[str, Any]) -> None:
    body = case["body"].encode()
    message = request_message(case["method"], case["target"], case["timestamp"], case["nonce"], body)
    assert message == case["message"].encode()
    assert message == request_message(
        case["method"], case["target"], str(case["timestamp"]), case["nonce"], case["body"]
    )
    assert sign(message, KEY) == sign(case["message"], KEY) == case["signature"]
    assert verify(message, case["signature"], PUBLIC)


@pytest.mark.parametrize("case", V["responses"], ids=titled)
def test_an_answer_is_verified_over_its_three_lines(case: dict[str, Any]) -> None:
    message = response_message(case["timestamp"], case["nonce"], case["body"].encode())
    assert message == case["message"].encode()
    assert verify(message, case["signature"], PUBLIC)
    assert verify(case["message"], case["signature"], PUBLIC)


@pytest.mark.parametrize("case", V["refused"], ids=titled)
def test_a_signature_is_refused_without_an_exception(case: dict[str, Any]) -> None:
    last = V["responses"][-1]
    assert verify(last["message"], last["signature"], PUBLIC)
    assert verify(last["message"], case["signature"], PUBLIC) is False


def test_a_signature_without_end_is_refused_before_it_is_decoded() -> None:
    assert verify(b"", "A" * 100_000_000, PUBLIC) is False


def test_a_probe_fails_even_where_its_signature_would_be_right() -> None:
    class Credulous:
        """A key that accepts any signature, since no valid one with the prefix can be found."""

        def verify(self, *anything: object) -> None: ...

    credulous: Any = Credulous()
    assert verify(b"x", "A" * 344, credulous) is True
    assert verify(b"x", PROBE_PREFIX + "A" * 325, credulous) is False


def test_another_key_does_not_verify() -> None:
    assert not verify(b"message", sign(b"message", OTHER), PUBLIC)


@pytest.mark.parametrize("position", range(4))
def test_a_line_feed_cannot_shift_the_lines_of_a_request(position: int) -> None:
    parts = ["GET", "/v3/certificates", "1554208460", "nonce"]
    parts[position] += "\nx"
    with pytest.raises(ValueError, match="line feed"):
        request_message(parts[0], parts[1], parts[2], parts[3], b"")


def test_a_line_feed_cannot_move_part_of_the_body_into_a_header() -> None:
    signed = response_message("1", "nonce", b"first line\nsecond line")
    assert signed == b"1\nnonce\nfirst line\nsecond line\n"
    with pytest.raises(ValueError, match="line feed"):
        response_message("1", "nonce\nfirst line", b"second line")


@given(lines, lines, st.integers(0, 2**40), lines, st.binary(max_size=64))
def test_the_parts_of_a_message_can_be_told_apart_again(
    method: str, target: str, timestamp: int, nonce: str, body: bytes
) -> None:
    message = request_message(method, target, timestamp, nonce, body)
    *head, rest = message.split(b"\n", 4)
    assert [part.decode() for part in head] == [method, target, str(timestamp), nonce]
    assert rest == body + b"\n"


@given(st.binary(max_size=200), st.data())
def test_what_is_signed_verifies_and_what_was_changed_does_not(message: bytes, data: st.DataObject) -> None:
    signature = sign(message, KEY)
    assert verify(message, signature, PUBLIC)
    changed = bytearray(message or b"\0")
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert not verify(bytes(changed), signature, PUBLIC)


@given(st.text(max_size=400))
def test_no_text_for_a_signature_raises(signature: str) -> None:
    assert verify(b"message", signature, PUBLIC) is False


def test_openssl_verifies_what_is_signed_here(tmp_path: Path) -> None:
    openssl = require("openssl")
    (tmp_path / "pub.pem").write_text(M["spki"])
    message = request_message("POST", "/v3/pay/transactions/native", 1711000000, "n", '{"描述":"中"}')
    (tmp_path / "sig.b64").write_text(sign(message, KEY))
    subprocess.run([openssl, "base64", "-d", "-A", "-in", "sig.b64", "-out", "sig"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [openssl, "dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig"],
        cwd=tmp_path,
        input=message,
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"Verified OK\n"


@pytest.mark.parametrize(("length", "looked_at"), [(2732, True), (2736, False)])
def test_the_longest_signature_that_is_looked_at_is_one_of_16384_bits(length: int, looked_at: bool) -> None:
    class Key:
        seen = 0

        def verify(self, signature: bytes, *others: Any) -> None:
            self.seen = len(signature)

    key: Any = Key()
    assert verify(b"x", "A" * length, key) is looked_at
    assert key.seen == (length // 4 * 3 if looked_at else 0)
