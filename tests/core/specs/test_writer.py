"""Specs written as YAML read back as equal values, in the style of a spec written by hand."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.specs import yaml12
from wxpay_dsl.core.specs.grammar import FIELD_KEYWORDS, SPEC_KEYWORDS
from wxpay_dsl.core.specs.writer import write

#: Texts that YAML readers are known to take for something else.
TRICKY = (
    *("", "no", "~", "null", "True", "0700", "12:30:00", "2020-03-19", "1e3", "1_000", "0x1f", ".inf", "+1"),
    *(
        "-",
        "- a",
        "? a",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "a,b",
        "[a",
        "{a}",
        "'a'",
        '"',
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
    ),
    *(
        "`",
        "=",
        "<<",
        "---",
        "...",
        " a",
        "a ",
        "a\nb",
        "a\n\nb\n",
        "\n",
        "\ta",
        "a\tb",
        "\x85",
        "\ufeff",
        "\u2028",
        "\x7f",
    ),
    *("https://pay.example/a?b=c,d", "中" * 90, "word " * 40 + "end", "1217752501201407033233368018"),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(TRICKY)
SCALARS = (
    TEXTS
    | st.integers(-(10**17), 10**17)
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
WORDS = st.fixed_dictionaries(
    {},
    optional={
        "title": TEXTS,
        "description": TEXTS,
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "example": VALUES,
        "maxLength": st.integers(0, 99),
        "nullable": st.booleans(),
    },
)
FIELDS = st.recursive(
    st.none() | TEXTS | WORDS,
    lambda inner: st.builds(
        lambda words, more: {**words, **more},
        WORDS,
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(TEXTS, inner, max_size=3),
                "items": inner.filter(lambda value: value is not None),
                "additionalProperties": st.booleans() | inner.filter(lambda value: value is not None),
            },
        ),
    ),
    max_leaves=5,
)
SECTIONS = st.dictionaries(TEXTS, FIELDS, max_size=3)
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "summary": TEXTS,
        "docs": st.lists(TEXTS, max_size=2),
        "roles": st.lists(TEXTS, max_size=2),
        "status": st.integers(200, 299),
        "body": SECTIONS,
        "returns": SECTIONS,
    },
)
SPECS = st.fixed_dictionaries(
    {"path": TEXTS},
    optional={
        "title": TEXTS,
        "definitions": st.dictionaries(TEXTS, FIELDS, max_size=2),
        "operations": st.dictionaries(TEXTS, st.dictionaries(st.sampled_from(["get", "post"]), OPERATIONS, min_size=1)),
        "events": st.dictionaries(TEXTS, OPERATIONS, max_size=2),
    },
)


@given(SPECS)
def test_a_spec_reads_back_as_it_was(spec: dict[str, Any]) -> None:
    assert yaml12.read(write(spec, "../spec.schema.json")) == spec


# A file with one of a spec's own words at its top is a spec, so no definition has such a name.
@given(st.dictionaries(TEXTS.filter(lambda name: name not in SPEC_KEYWORDS), FIELDS, min_size=1))
def test_definitions_read_back_as_they_were(definitions: dict[str, Any]) -> None:
    assert yaml12.read(write(definitions)) == definitions


def test_every_word_of_a_field_has_its_place() -> None:
    words: dict[str, Any] = dict.fromkeys(reversed(FIELD_KEYWORDS), "x")
    words |= {"properties": {"a": "A"}, "items": "I", "additionalProperties": False, "enum": ["x"]}
    lines = [line.strip().partition(":")[0] for line in write({"Everything": words}).splitlines()]
    order = [line.strip("'") for line in lines[1:] if line != "a"]
    assert set(order) == set(FIELD_KEYWORDS)
    assert order[:4] == ["$ref", "title", "description", "type"]
    assert order[-2:] == ["items", "properties"]


LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {
    "a field with a title alone is that title": (
        {"body": {"openid": "用户标识"}},
        """
        body:
          openid: 用户标识
        """,
    ),
    "a field of several words is one line": (
        {
            "body": {
                "sub_mchid?": {"example": "1900000109", "title": "子商户号"},
                "day": {"format": "date", "example": "2020-03-19"},
            }
        },
        """
        body:
          sub_mchid?: {title: 子商户号, example: '1900000109'}
          day: {format: date, example: 2020-03-19}
        """,
    ),
    "what is nested is indented": (
        {
            "body": {
                "amount": {"title": "金额", "properties": {"total": {"type": "integer"}}},
                "tags?": {"items": {"type": "string"}},
            }
        },
        """
        body:
          amount:
            title: 金额
            properties:
              total: {type: integer}
          tags?: {items: {type: string}}
        """,
    ),
    "a long list of values stands below its field": (
        {"returns": {"state": {"title": "状态", "enum": [f"STATE_NUMBER_{number}" for number in range(1, 8)]}}},
        """
        returns:
          state:
            title: 状态
            enum:
              - STATE_NUMBER_1
              - STATE_NUMBER_2
              - STATE_NUMBER_3
              - STATE_NUMBER_4
              - STATE_NUMBER_5
              - STATE_NUMBER_6
              - STATE_NUMBER_7
        """,
    ),
    "words of an operation stand in the order of the DSL": (
        {
            "returns": {"$ref": "#/definitions/Order"},
            "docs": ["https://a.example?b=c", "https://b.example"],
            "summary": "下单",
            "roles": ["a", "b"],
        },
        """
        summary: 下单
        docs:
          - https://a.example?b=c
          - https://b.example
        roles: [a, b]
        returns: {$ref: '#/definitions/Order'}
        """,
    ),
    "text of several lines stays as it is": (
        {"description": "one\ntwo\n\nthree"},
        """
        description: |-
          one
          two

          three
        """,
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name: str) -> None:
    operation, text = LAYOUTS[name]
    written = write({"path": "/v1", "operations": {"/a": {"post": operation}}})
    assert textwrap.dedent("\n".join(written.splitlines()[4:])) == textwrap.dedent(text).strip()


def test_what_a_file_serves_comes_before_what_that_is_made_of() -> None:
    written = write(
        {"definitions": {"A": "a"}, "operations": {"/x": {"post": {}}}, "path": "/v1", "title": "t"}, "s.json"
    )
    assert written == (
        "# yaml-language-server: $schema=s.json\n"
        "title: t\npath: /v1\noperations:\n  /x:\n    post: {}\ndefinitions:\n  A: a\n"
    )
