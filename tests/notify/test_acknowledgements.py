"""What the service is told, to the byte."""

from __future__ import annotations

import pytest

from wxpay_dsl.notify.acknowledgements import Acknowledgement, dialect_of, failure, success


@pytest.mark.parametrize(
    ("status", "accepted"), [(199, False), (200, True), (204, True), (299, True), (300, False), (500, False)]
)
def test_two_hundred_and_what_follows_is_yes(status: int, accepted: bool) -> None:
    assert Acknowledgement(status).accepted is accepted


def test_a_body_is_not_shown() -> None:
    assert "secret" not in repr(Acknowledgement(200, b"apiv2_key"))


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        (b"<xml>", "v2"),
        (b"\xef\xbb\xbf\r\n\t <xml>", "v2"),
        (b"{", "v3"),
        (b"", "v3"),
        (b" " * 63 + b"<", "v2"),
        (b" " * 64 + b"<", "v3"),
    ],
)
def test_xml_is_known_by_its_first_bytes(body: bytes, dialect: str) -> None:
    assert dialect_of(body) == dialect


def test_what_is_said_is_one_short_line_in_the_words_it_was_said_in() -> None:
    answer = failure("v3", 500, "失败\n" + "x" * 300, "why")
    assert answer.body == ('{"code": "FAIL", "message": "失败 ' + "x" * 197 + '"}').encode()
    assert (answer.status, answer.reason, answer.accepted) == (500, "why", False)
    assert failure("v3", 500, "no").reason == "no"
    told = failure("v2", 500, "失败\n")
    assert b"FAIL" in told.body
    assert "失败 ".encode() in told.body


def test_yes_is_said_without_a_body_or_with_what_was_asked_for() -> None:
    assert success("v3") == Acknowledgement(204)
    assert success("v3", b"{}").headers == {"Content-Type": "application/json; charset=utf-8"}
    assert b"SUCCESS" in success("v2").body
