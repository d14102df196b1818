"""Verification: headers, clock and signature, with an error class for each failure."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wechat.platform_server import PUB_KEY_ID, keys
from wxpay_dsl import (
    BadSignatureError,
    ClockSkewError,
    MalformedTimestampError,
    MissingHeaderError,
    SdkError,
    UnknownSerialError,
    VerificationError,
)
from wxpay_dsl.wechat.crypto.platform_key import platform_key
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.verification import (
    CLOCK_WINDOW,
    SignatureHeaders,
    check_clock,
    check_signature,
    read_headers,
    unknown_serial,
)

HEADERS = {
    "Wechatpay-Timestamp": "1700000000",
    "Wechatpay-Nonce": "NONCE",
    "Wechatpay-Signature": "c2ln",
    "Wechatpay-Serial": PUB_KEY_ID,
}


class TestHeaders:
    @pytest.mark.parametrize(
        "spelling",
        [str, str.lower, str.upper, lambda name: name.replace("-", "_").upper()],
        ids=["as sent", "lower case", "upper case", "as WSGI has them"],
    )
    def test_are_found_however_they_are_spelt(self, spelling: Any) -> None:
        signed = read_headers({spelling(name): value for name, value in HEADERS.items()}, "GET /v3/a")
        assert (signed.timestamp, signed.timestamp_text) == (1700000000, "1700000000")
        assert (signed.nonce, signed.signature, signed.serial) == ("NONCE", "c2ln", PUB_KEY_ID)

    @pytest.mark.parametrize("name", HEADERS)
    def test_that_are_missing_are_named(self, name: str) -> None:
        for value in ({}, {name: ""}):
            headers = {**{other: HEADERS[other] for other in HEADERS if other != name}, **value}
            with pytest.raises(MissingHeaderError, match=f"GET /v3/a: the header {name} is missing") as raised:
                read_headers(headers, "GET /v3/a")
            assert raised.value.header == name

    @pytest.mark.parametrize("text", ["x", "1.5", "1e9", "-1", "+1", " 1", "1 ", "0x10", "１", "1" * 13])
    def test_a_timestamp_is_whole_seconds(self, text: str) -> None:
        with pytest.raises(MalformedTimestampError) as raised:
            read_headers({**HEADERS, "Wechatpay-Timestamp": text}, "GET /v3/a")
        assert raised.value.timestamp == text

    @pytest.mark.parametrize("text", ["0017", "1" * 12])
    def test_the_text_of_a_timestamp_is_what_was_signed(self, text: str) -> None:
        assert read_headers({**HEADERS, "Wechatpay-Timestamp": text}, "x").timestamp_text == text


class TestClock:
    @pytest.mark.parametrize("age", [0, 1, CLOCK_WINDOW, -CLOCK_WINDOW])
    def test_within_five_minutes(self, age: int) -> None:
        check_clock(SignatureHeaders(1_700_000_000 - age, "", "", ""), 1_700_000_000, "GET /v3/a")

    @pytest.mark.parametrize(("age", "says"), [(301, "signed 301 s ago"), (-301, "signed 301 s ahead of this machine")])
    def test_beyond(self, age: int, says: str) -> None:
        with pytest.raises(ClockSkewError, match=says) as raised:
            check_clock(SignatureHeaders(1_700_000_000 - age, "", "", ""), 1_700_000_000.9, "GET /v3/a")
        assert raised.value.age == age


class TestSignature:
    BODY = '{"a":"中"}'.encode()

    def signed(self, body: bytes = BODY) -> SignatureHeaders:
        message = signing_v3.response_message("1700000000", "NONCE", body)
        return read_headers({**HEADERS, "Wechatpay-Signature": signing_v3.sign(message, keys()[1])}, "x")

    KEY = platform_key(PUB_KEY_ID, keys()[1].public_key())

    def test_of_exactly_these_bytes(self) -> None:
        check_signature(self.signed(), self.BODY, self.KEY, "GET /v3/a")
        check_signature(self.signed(b""), b"", self.KEY, "GET /v3/a")

    @pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], BODY.replace(b"a", b"b")])
    def test_of_other_bytes(self, body: bytes) -> None:
        with pytest.raises(BadSignatureError, match=f"over these {len(body)} bytes") as raised:
            check_signature(self.signed(), body, self.KEY, "GET /v3/a", outcome_unknown=True)
        assert raised.value.serial == PUB_KEY_ID
        assert "the outcome is unknown: query it" in str(raised.value)

    def test_by_another_key(self) -> None:
        other = platform_key(PUB_KEY_ID, keys()[0].public_key())
        with pytest.raises(BadSignatureError):
            check_signature(self.signed(), self.BODY, other, "GET /v3/a")

    def test_with_another_nonce_or_time(self) -> None:
        signature = self.signed().signature
        for changed in (("1700000001", "NONCE"), ("1700000000", "NONCf"), ("1700000000\nNON", "CE")):
            headers = SignatureHeaders(1700000000, *changed, signature, PUB_KEY_ID)
            with pytest.raises(BadSignatureError):
                check_signature(headers, self.BODY, self.KEY, "GET /v3/a")

    @given(st.text(max_size=400))
    def test_that_is_any_text(self, signature: str) -> None:
        headers = SignatureHeaders(1700000000, "1700000000", "NONCE", signature, PUB_KEY_ID)
        with pytest.raises(BadSignatureError):
            check_signature(headers, self.BODY, self.KEY, "GET /v3/a")


@given(st.dictionaries(st.sampled_from([*HEADERS, "Other"]), st.text(max_size=20)))
def test_any_headers_are_read_or_refused(headers: Mapping[str, str]) -> None:
    try:
        signed = read_headers(headers, "x")
    except VerificationError:
        return
    assert signed.timestamp >= 0


def test_an_unknown_serial_says_what_is_known_and_what_to_give() -> None:
    signed = SignatureHeaders(0, "", "", "", "X" * 500)
    error = unknown_serial(signed, ["A", "B"], "GET /v3/a")
    assert isinstance(error, UnknownSerialError)
    assert "(loaded: A, B): give the public key" in str(error)
    assert len(str(error)) < 400
    assert "loaded: none" in str(unknown_serial(signed, [], "GET /v3/a"))


def test_the_five_failures_are_five_classes_of_one() -> None:
    kinds = [MissingHeaderError, MalformedTimestampError, ClockSkewError, UnknownSerialError, BadSignatureError]
    assert len(set(kinds)) == 5
    for kind in kinds:
        assert issubclass(kind, VerificationError)
        assert issubclass(kind, SdkError)
        error = kind("GET /v3/a", "said", True)
        other = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
        assert str(other) == str(error) == "GET /v3/a: said; the outcome is unknown: query it"


def test_no_signature_in_a_repr() -> None:
    assert "c2ln" not in repr(read_headers(HEADERS, "x"))


class TestDefaults:
    """Only the caller knows whether the verified message is the response to a call that may have moved money."""

    KEY = platform_key(PUB_KEY_ID, keys()[1].public_key())
    SIGNED = SignatureHeaders(1700000000, "1700000000", "NONCE", "c2ln", "X")

    def test_nothing_was_done_unless_the_caller_says_so(self) -> None:
        with pytest.raises(MissingHeaderError) as missing:
            read_headers({}, "a notification")
        with pytest.raises(ClockSkewError) as skewed:
            check_clock(self.SIGNED, 0, "a notification")
        with pytest.raises(BadSignatureError) as bad:
            check_signature(self.SIGNED, b"", self.KEY, "a notification")
        unknown = unknown_serial(self.SIGNED, [], "a notification")
        assert [error.outcome_unknown for error in (missing.value, skewed.value, bad.value, unknown)] == [False] * 4

    def test_five_minutes_either_way_are_borne(self) -> None:
        assert CLOCK_WINDOW == 300
        for now in (1700000300, 1700000300.9, 1699999700):
            check_clock(self.SIGNED, now, "a notification")
        for now in (1700000301, 1699999699):
            with pytest.raises(ClockSkewError):
                check_clock(self.SIGNED, now, "a notification")
