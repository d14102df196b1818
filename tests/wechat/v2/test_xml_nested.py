"""Nested XML: read as strictly as flat XML, and within its limits."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.wechat.v2.xml import XmlError
from wxpay_dsl.wechat.v2.xml_nested import loads


def test_several_of_one_name_are_a_list_and_texts_stay_as_they_are() -> None:
    document = "<xml>\n<a> 1 </a><l><i><n>1</n></i> <i><n>2</n></i><i/></l><e/></xml>"
    assert loads(document) == {"a": " 1 ", "l": {"i": [{"n": "1"}, {"n": "2"}, ""]}, "e": ""}
    assert loads("<xml><a/><a>2</a><a>3</a></xml>") == {"a": ["", "2", "3"]}


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("<xml><a>x<b/></a></xml>", "text beside"),
        ("<xml>x</xml>", "text beside"),
        ("<xml><a b='c'/></xml>", "attributes"),
        ("<html/>", "outermost"),
        ("<xml><a><b><c><d><e/></d></c></b></a></xml>", "levels"),
        ("<xml><?php?></xml>", "processing"),
        ("<!DOCTYPE xml><xml/>", "DTD"),
        ("<!DOCTYPE xml [<!ENTITY a 'aaaa'>]><xml>&a;</xml>", "DTD"),
        ("<xml><a>", "cut off"),
        ("", "cut off"),
        ("<xml>" + "<a/>" * 10_001 + "</xml>", "too many"),
    ],
)
def test_what_is_refused(document: str, named: str) -> None:
    with pytest.raises(XmlError, match=named):
        loads(document)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for wrapped in (data, b"<xml>" + data + b"</xml>", b"<xml><a><b>" + data + b"</b></a></xml>"):
        try:
            assert isinstance(loads(wrapped), dict)
        except XmlError:
            continue


@pytest.mark.parametrize("hostile", [b"<a>" * 300_000, b"<xml>" + b"<a>" * 300_000, b"<xml>" + b"<a></a>" * 140_000])
def test_what_is_hostile_costs_little(hostile: bytes) -> None:
    tracemalloc.start()
    begun = time.thread_time()
    try:
        with pytest.raises(XmlError):
            loads(hostile)
        assert time.thread_time() - begun < 1
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
