"""APIv2 signatures: the official check value, the signed fields and their order, and what must be rejected."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.v2.signing import WORKWX_RED_PACKET, WORKWX_TRANSFER, sign, verify, workwx_sign

V: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases/signing_v2.yaml").read_text("utf-8"))
KEY: str = V["key"]

names = st.text(st.characters(min_codepoint=48, max_codepoint=122), min_size=1, max_size=12)
fields_ = st.dictionaries(
    names, st.text(st.characters(blacklist_categories=["Cs"]), max_size=20), min_size=1, max_size=12
)
sign_types = st.sampled_from(["MD5", "HMAC-SHA256"])


def titled(case: dict[str, Any]) -> str:
    return str(case["title"])


@pytest.mark.parametrize("case", V["signed"], ids=titled)
def test_signs_as_md5sum_and_openssl_do(case: dict[str, Any]) -> None:
    assert sign(case["fields"], KEY) == sign(case["fields"], KEY, "MD5") == case["md5"]
    assert sign(case["fields"], KEY, "HMAC-SHA256") == case["hmac_sha256"]


@pytest.mark.parametrize("case", V["signed"], ids=titled)
def test_verifies_by_the_length_of_the_sign_alone(case: dict[str, Any]) -> None:
    assert verify({**case["fields"], "sign": case["md5"]}, KEY)
    assert verify({**case["fields"], "sign": case["hmac_sha256"], "sign_type": None}, KEY)


@pytest.mark.parametrize("given_sign", [None, "", "9A0A", "Z" * 32, "签" * 32, "\ud800" * 64, "0" * 32, 32, "0" * 64])
def test_is_false_for_a_sign_that_is_missing_or_wrong(given_sign: Any) -> None:
    assert verify({"a": "1", "sign": given_sign}, KEY) is False
    assert verify({"a": "1"}, KEY) is False


def test_fields_that_have_no_utf8_were_signed_by_nobody() -> None:
    assert verify({"a": "\ud800", "sign": "0" * 32}, KEY) is False
    with pytest.raises(UnicodeEncodeError) as caught:
        sign({"a": "\ud800"}, KEY)
    assert KEY not in caught.value.object


def test_a_sign_counts_exactly_as_it_is_written() -> None:
    assert not verify({"a": "1", "sign": sign({"a": "1"}, KEY).lower()}, KEY)
    assert not verify({"a": "1", "sign": sign({"a": "1"}, KEY) + " "}, KEY)


def test_a_field_that_is_trimmed_after_signing_no_longer_verifies() -> None:
    signed = {"body": " x "}
    assert verify({"body": " x ", "sign": sign(signed, KEY)}, KEY)
    assert not verify({"body": "x", "sign": sign(signed, KEY)}, KEY)


@pytest.mark.parametrize("value", [1.0, True, b"1", ["1"], {"a": 1}])
def test_refuses_a_value_whose_text_is_not_certain(value: Any) -> None:
    with pytest.raises(TypeError, match="total_fee"):
        sign({"total_fee": value}, KEY)


def test_refuses_to_sign_or_verify_without_a_key() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        sign({"a": "1"}, "")
    with pytest.raises(ConfigurationError, match="empty"):
        verify({"a": "1", "sign": "0" * 32}, "")
    with pytest.raises(ConfigurationError, match="empty"):
        workwx_sign({"act_name": "x"}, WORKWX_RED_PACKET, "")


def test_refuses_another_sign_type() -> None:
    with pytest.raises(ConfigurationError, match=r"SHA1.*HMAC-SHA256"):
        sign({"a": "1"}, KEY, "SHA1")


@pytest.mark.parametrize("case", V["workwx"], ids=titled)
def test_wecom_signs_only_the_fields_that_are_named(case: dict[str, Any]) -> None:
    which = {"red_packet": WORKWX_RED_PACKET, "transfer": WORKWX_TRANSFER}[case["names"]]
    assert workwx_sign(case["fields"], which, case["secret"]) == case["workwx_sign"]
    assert workwx_sign(case["fields"], reversed(which), case["secret"]) == case["workwx_sign"]
    assert workwx_sign({**case["fields"], "sign": "x"}, which, case["secret"]) == case["workwx_sign"]


@given(fields_, sign_types, st.randoms(use_true_random=False))
def test_the_order_of_the_fields_and_their_empties_do_not_matter(
    fields: dict[str, str], sign_type: str, shuffle: random.Random
) -> None:
    items = list(fields.items())
    shuffle.shuffle(items)
    signature = sign(fields, KEY, sign_type)
    assert sign({**dict(items), "zz_empty": "", "AA_none": None}, KEY, sign_type) == signature
    assert verify({"sign": signature, **{k: v for k, v in items if k != "sign"}}, KEY)


@given(fields_, sign_types, st.data())
def test_one_changed_value_or_key_no_longer_verifies(
    fields: dict[str, str], sign_type: str, data: st.DataObject
) -> None:
    fields.pop("sign", None)
    signed = {**fields, "sign": sign(fields, KEY, sign_type)}
    if fields:
        name = data.draw(st.sampled_from(sorted(fields)))
        assert not verify({**signed, name: signed[name] + "0"}, KEY)
    assert not verify(signed, KEY + "0")
