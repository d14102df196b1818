"""Specs are read as YAML 1.2 with JSON's scalars; everything else in YAML is an error with line and column."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.specs.yaml12 import MAX_BYTES, MAX_DEPTH, locate, read, scalar

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "yaml12.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES["scalars"], ids=lambda case: repr(case["plain"]))
def test_a_plain_scalar_is_text_unless_json_says_otherwise(case: dict[str, Any]) -> None:
    value = read(f"[{case['plain']}, x]")[0]
    assert value == case["is"]
    assert type(value) is type(case["is"])
    assert scalar(case["plain"]) == value


@pytest.mark.parametrize("case", CASES["documents"], ids=lambda case: case["name"])
def test_documents(case: dict[str, Any]) -> None:
    assert read(case["text"]) == case["is"]
    assert read(case["text"].encode()) == case["is"]


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["name"])
def test_what_specs_do_not_use_is_refused_where_it_stands(case: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as raised:
        read(case["text"], "specs/pay.yaml")
    assert case["says"] in raised.value.message
    assert (raised.value.file, raised.value.line, raised.value.column) == ("specs/pay.yaml", *case["at"])
    assert str(raised.value).startswith(f"specs/pay.yaml:{case['at'][0]}:{case['at'][1]}: ")


def test_numbers_are_exact_or_stay_text() -> None:
    assert read("a: 123456789012345678901234567890") == {"a": 123456789012345678901234567890}
    assert read("a: 1e400") == {"a": "1e400"}
    assert read("a: " + "9" * 5000) == {"a": "9" * 5000}
    negative_zero = read("a: -0.0")["a"]
    assert negative_zero == 0
    assert math.copysign(1, negative_zero) == -1


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read("\ufefftitle: 教育续费通") == {"title": "教育续费通"}
    assert read("\ufefftitle: 教育续费通".encode()) == {"title": "教育续费通"}
    with pytest.raises(SpecError) as raised:
        read("\ufeffa: 1\na: 2".encode())
    assert (raised.value.line, raised.value.column) == (2, 1)


def test_bytes_that_are_not_utf_8_are_named_with_their_place() -> None:
    with pytest.raises(SpecError, match=r"not UTF-8 \(byte 0xc4\): save the file as UTF-8") as raised:
        read("title: ok\n名称: ".encode() + "你好".encode("gbk"))
    assert (raised.value.line, raised.value.column) == (2, 5)


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x1b", "\x7f", "\ud800", "\ufffe"])
def test_characters_that_no_text_holds_are_named_with_their_place(character: str) -> None:
    with pytest.raises(SpecError, match=rf"U\+{ord(character):04X}") as raised:
        read(f"标题: 一\n二二: 三{character}")
    assert (raised.value.line, raised.value.column) == (2, 6)


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_the_line_breaks_of_yaml_1_1_are_refused_rather_than_guessed_at(character: str) -> None:
    with pytest.raises(SpecError, match=r"write it as an escape") as raised:
        read(f"a: b{character}c: d")
    assert (raised.value.line, raised.value.column) == (1, 5)
    assert read(f'a: "b\\u{ord(character):04x}c"') == {"a": f"b{character}c"}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000 + "]" * 10_000,
        "{a: " * 10_000 + "1" + "}" * 10_000,
        "- " * 10_000 + "1",
        "\n".join(" " * depth + "a:" for depth in range(1_000)),
        "a: ']'\nb: \"[\"\nc: " + "[" * 10_000,
    ],
    ids=["flow lists", "flow mappings", "block lists", "block mappings", "flow lists after strings with brackets"],
)
def test_ten_thousand_levels_are_refused_at_once(text: str) -> None:
    with pytest.raises(SpecError, match=f"nested more than {MAX_DEPTH} levels deep"):
        read(text)


def test_the_deepest_level_that_is_read() -> None:
    value = read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == []


def test_a_file_beyond_the_limit_is_refused() -> None:
    with pytest.raises(SpecError, match="larger than"):
        read(b"a: " + b"x" * MAX_BYTES, "big.yaml")


PLACES = """\
# a comment
title: T
operations:
  /a:
    post:
      docs: [x, y]
      body:
        "quoted": 1
        flow: {one: 1, 二: {three: 3}}
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (1, 1)),
        (("title",), (2, 1)),
        (("operations", "/a", "post"), (5, 5)),
        (("operations", "/a", "post", "docs", 1), (6, 17)),
        (("operations", "/a", "post", "body", "quoted"), (8, 9)),
        (("operations", "/a", "post", "body", "flow", "二", "three"), (9, 28)),
        (("operations", "/a", "post", "nowhere", "deeper"), (5, 5)),
        (("nothing",), (1, 1)),
    ],
)
def test_locate_finds_the_deepest_part_of_a_path(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert locate(PLACES, path) == place


# U+0085, U+2028, U+2029 are refused; surrogates and most controls no YAML holds; a key is at most 1,024 characters.
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029\ufffe\uffff\ufeff"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT.filter(lambda key: len(key) < 100), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_is_yaml(value: Any) -> None:
    assert read(json.dumps(value, ensure_ascii=False)) == value


@given(st.text() | st.binary() | st.text("{}[]:,-?#&*!|>'\"%@`\n \tab1"))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    try:
        value = read(text, "x.yaml")
    except SpecError:
        return
    json.dumps(value, allow_nan=False)


@given(st.text("abc:-{}[], \n", max_size=40), st.lists(st.text("abc") | st.integers(0, 3), max_size=3))
def test_locate_stays_in_the_text(text: str, path: list[str | int]) -> None:
    try:
        read(text)
    except SpecError:
        return
    line, column = locate(text, tuple(path))
    lines = text.split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1
