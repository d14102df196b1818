"""APIv2's XML: values are kept exactly; DTDs, entities, nesting and anything ambiguous are rejected."""

from __future__ import annotations

import pickle
import socket
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.wechat.v2.xml import XmlError, dumps, loads

V: dict[str, list[dict[str, Any]]] = yaml.safe_load((Path(__file__).parents[2] / "cases/xml.yaml").read_text("utf-8"))

#: Every text that XML 1.0 can represent.
carried = st.text(
    st.one_of(
        st.sampled_from("\t\n\r]>&<'\" \u0085\u2028\ufffd"),
        st.characters(min_codepoint=0x20, max_codepoint=0xFFFD, blacklist_categories=["Cs"]),
        st.characters(min_codepoint=0x10000),
    )
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


def titled(case: dict[str, Any]) -> str:
    return str(case["title"])


def document(case: dict[str, Any]) -> bytes:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    return str(case["document"]).encode(case.get("encoding", "utf-8"))


@pytest.mark.parametrize("case", V["read"], ids=titled)
def test_reads(case: dict[str, Any]) -> None:
    assert loads(document(case)) == loads(case["document"]) == case["fields"]


@pytest.mark.parametrize("case", V["refused"], ids=titled)
def test_refuses(case: dict[str, Any]) -> None:
    with pytest.raises(XmlError) as caught:
        loads(document(case))
    assert case["names"] in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - made here


def test_refuses_a_lone_surrogate_in_text() -> None:
    with pytest.raises(XmlError, match="UTF-8"):
        loads("<xml><a>\ud800</a></xml>")


@given(st.dictionaries(names, carried, max_size=8))
@example({"a": "]]>", "b": "]]\r>", "c": "\r", "d": "]]]]>>", "e": "\r\n]]>\r", "f": "]]>]]>", "g": " "})
@example({"xml": "1", "a": "<![CDATA[x]]>", "b": "&#13;", "c": "<!--", "d": "&amp;"})
def test_what_is_written_is_read_for_any_text_that_xml_can_carry(fields: dict[str, str]) -> None:
    assert loads(dumps(fields)) == fields
    assert list(loads(dumps(fields))) == list(fields)


@given(st.dictionaries(names, st.text(), max_size=4))
def test_any_other_text_is_refused_and_named(fields: dict[str, str]) -> None:
    text = "".join(fields.values())
    if all(c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" for c in text):
        assert loads(dumps(fields)) == fields
    else:
        with pytest.raises(XmlError, match=r"U\+") as caught:
            dumps(fields)
        assert caught.value.element in fields


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for wrapped in (data, b"<xml>" + data + b"</xml>", b"<xml><a>" + data + b"</a></xml>"):
        try:
            fields = loads(wrapped)
        except XmlError:
            continue
        assert all(isinstance(value, str) for value in fields.values())


def test_writes_numbers_bare_and_what_needs_it_in_cdata() -> None:
    assert (
        dumps({"total_fee": 100, "body": "test-1", "detail": "<a>中]]>"})
        == (
            "<xml><total_fee>100</total_fee><body>test-1</body><detail><![CDATA[<a>中]]]]><![CDATA[>]]></detail></xml>"
        ).encode()
    )


@pytest.mark.parametrize("case", V["unwritable"], ids=titled)
def test_does_not_write(case: dict[str, Any]) -> None:
    with pytest.raises(XmlError) as caught:
        dumps(case["fields"])
    for named in case["names"]:
        assert named in str(caught.value)


def test_does_not_write_a_lone_surrogate() -> None:
    with pytest.raises(XmlError, match=r"<body>: .*U\+D800"):
        dumps({"body": "\ud800"})


def test_the_error_is_a_value_error_that_shows_no_value() -> None:
    with pytest.raises(ValueError, match="<openid>") as caught:
        loads(b"<xml><openid>oUpF8uMuAJO</openid><openid>oUpF8uMuAJO</openid></xml>")
    assert isinstance(caught.value, SdkError)
    assert "oUpF8uMuAJO" not in str(caught.value)


def test_the_size_is_bounded_by_a_limit_that_can_be_set() -> None:
    large = b"<xml><a>" + b"x" * 2_000_000 + b"</a></xml>"
    with pytest.raises(XmlError, match="2000018 bytes, more than the limit of 1048576"):
        loads(large)
    assert len(loads(large, limit=4 << 20)["a"]) == 2_000_000
    with pytest.raises(XmlError, match="more than the limit of 30"):
        loads("<xml><a>中文中文中文</a></xml>", limit=30)


def test_the_number_of_elements_is_bounded() -> None:
    assert len(loads(dumps({f"a{i}": "" for i in range(10_000)}))) == 10_000
    with pytest.raises(XmlError, match="more than 10000 elements"):
        loads(dumps({f"a{i}": "" for i in range(10_001)}))
    with pytest.raises(XmlError, match="more than 2 elements"):
        loads(dumps({"a": "", "b": "", "c": ""}), element_limit=2)


@pytest.mark.parametrize(
    "hostile",
    [
        b"<a>" * 300_000,
        b"<xml>" + b"<a>" * 300_000,
        b"<xml>" + b"".join(b"<a%d/>" % i for i in range(100_000)),
        b"<xml><a>" + b"&#65;" * 200_000,
        b"<xml><a>" + b"x<![CDATA[]]>" * 70_000,
        b"<xml><a><![CDATA[" + b"]" * 1_000_000,
        b"<xml><!--" + b"-" * 1_000_000,
        b"<xml " + b'a="1" ' * 150_000,
        b"<" + b"a" * 1_000_000 + b"/>",
        b"<?xml " + b"encoding " * 100_000,
        b"<!DOCTYPE xml [" + b"<!ENTITY a 'a'>" * 60_000,
        b"<a>" * 10_000_000,
    ],
    ids=lambda data: data[:24].decode(),
)
def test_what_is_hostile_costs_little_time_and_memory(hostile: bytes) -> None:
    tracemalloc.start()
    begun = time.thread_time()
    try:
        with pytest.raises(XmlError) as caught:
            loads(hostile)
        assert time.thread_time() - begun < 2
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
        assert len(str(caught.value)) < 300
    finally:
        tracemalloc.stop()


def test_nothing_is_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        for text in (
            f'<!DOCTYPE xml SYSTEM "http://127.0.0.1:{port}/x.dtd"><xml/>',
            f'<!DOCTYPE xml [<!ENTITY % p SYSTEM "http://127.0.0.1:{port}/p"> %p;]><xml/>',
            f'<!DOCTYPE xml [<!ENTITY e SYSTEM "http://127.0.0.1:{port}/e">]><xml><a>&e;</a></xml>',
        ):
            with pytest.raises(XmlError, match="DTD"):
                loads(text)
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_outermost_element_may_have_another_name() -> None:
    assert loads("<root><refund_id>1</refund_id></root>", root="root") == {"refund_id": "1"}
    with pytest.raises(XmlError, match="must be <root>"):
        loads("<xml><refund_id>1</refund_id></xml>", root="root")
