"""The ``Authorization`` header: written exactly, read strictly."""

from __future__ import annotations

import pickle
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.wechat.v3.authorization import Authorization, AuthorizationError, build, nonce, parse

V: dict[str, list[dict[str, str]]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases/authorization.yaml").read_text("utf-8")
)
READ = Authorization(
    mchid="1900009191",
    serial="1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
    timestamp=1554208460,
    nonce="593BEC0C930BF1AFEB40B4A08C8FB242",
    signature="uOVRnA4qG/MNnYzdQxJanN+z==",
)

values = st.text(st.sampled_from([c for c in map(chr, range(0x21, 0x7F)) if c not in '"\\']), min_size=1, max_size=64)


def test_is_written_as_the_service_reads_it() -> None:
    header = build(READ.mchid, READ.serial, READ.timestamp, READ.nonce, READ.signature)
    assert header == V["read"][0]["header"]


@pytest.mark.parametrize("case", V["read"], ids=lambda case: case["title"])
def test_is_read(case: dict[str, str]) -> None:
    got = parse(case["header"])
    assert (got.mchid, got.serial, got.timestamp, got.nonce, got.signature) == (
        READ.mchid,
        READ.serial,
        READ.timestamp,
        READ.nonce,
        READ.signature,
    )
    assert got.scheme == case["header"].split()[0]


@pytest.mark.parametrize("case", V["refused"], ids=lambda case: case["title"])
def test_is_refused_with_a_reason(case: dict[str, str]) -> None:
    with pytest.raises(AuthorizationError) as caught:
        parse(case["header"])
    assert case["names"] in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - made here


def test_an_endless_header_is_refused_at_once() -> None:
    with pytest.raises(AuthorizationError, match="5000025 characters"):
        parse("WECHATPAY2-SHA256-RSA2048" + " " * 5_000_000)


@given(values, values, st.integers(0, 10**12 - 1), values, values)
def test_what_is_written_is_read(mchid: str, serial: str, timestamp: int, nonce: str, signature: str) -> None:
    assert parse(build(mchid, serial, timestamp, nonce, signature)) == Authorization(
        mchid, serial, timestamp, nonce, signature
    )


@given(st.text())
def test_no_text_raises_anything_else(header: str) -> None:
    for text in (header, f"WECHATPAY2-SHA256-RSA2048 {header}"):
        with pytest.raises(AuthorizationError):
            parse(text)


@pytest.mark.parametrize("bad", ["", "a\r\nX-Injected: 1", "a\n", 'a",mchid="b', "a\\", "a b", "商户", "a\0"])
@pytest.mark.parametrize("name", ["mchid", "serial", "nonce", "signature"])
def test_nothing_that_could_end_the_header_early_is_written(name: str, bad: str) -> None:
    parts: dict[str, Any] = {"mchid": "1", "serial": "2", "timestamp": 3, "nonce": "4", "signature": "5"}
    with pytest.raises(AuthorizationError, match=name):
        build(**{**parts, name: bad})


def test_its_repr_has_no_signature() -> None:
    assert READ.signature not in repr(READ)


def test_a_nonce_is_32_characters_and_never_the_same() -> None:
    nonces = {nonce() for _ in range(1000)}
    assert len(nonces) == 1000
    assert {len(n) for n in nonces} == {32}
    assert set("".join(nonces)) <= set(string.digits + "ABCDEF")


def test_two_kilobytes_are_read_and_no_more() -> None:
    header = build(READ.mchid, READ.serial, READ.timestamp, READ.nonce, READ.signature)
    room = 2048 - len(header)
    longest = build(READ.mchid, READ.serial, READ.timestamp, READ.nonce, "A" * room + READ.signature)
    assert len(longest) == 2048
    assert parse(longest).signature == "A" * room + READ.signature
    with pytest.raises(AuthorizationError):
        parse(build(READ.mchid, READ.serial, READ.timestamp, READ.nonce, "AA" * room + READ.signature))
    with pytest.raises(AuthorizationError):
        parse(longest.replace('signature="', 'signature="A'))


def test_the_error_is_its_sentence() -> None:
    with pytest.raises(AuthorizationError) as caught:
        parse("Basic x")
    assert "AuthorizationError(" not in str(caught.value)
    assert "the scheme is 'Basic'" in str(caught.value)
