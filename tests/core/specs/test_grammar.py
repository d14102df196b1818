"""The keywords of specs and their values; the JSON Schema for editors has the same keywords."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.specs import grammar
from wxpay_dsl.core.specs.grammar import Mistake, parse_field, parse_section
from wxpay_dsl.core.specs.model import Event, Operation, Schema

SCHEMA = json.loads((Path(__file__).parents[3] / "specs" / "spec.schema.json").read_text("utf-8"))


def nothing(ref: str) -> Schema:
    raise Mistake(f"{ref} names nothing", "$ref")


def test_each_word_becomes_an_attribute() -> None:
    of_schema = {attribute.name for attribute in fields(Schema)}
    assert {attribute for attribute, _ in grammar.FIELD_KEYWORDS.values()} == of_schema - {"required", "memo"}
    of_operation = {attribute.name for attribute in fields(Operation)}
    assert set(grammar.OPERATION_KEYWORDS) - {"path"} <= of_operation
    assert set(grammar.EVENT_KEYWORDS) <= {attribute.name for attribute in fields(Event)}


@pytest.mark.parametrize(
    ("words", "where"),
    [(grammar.OPERATION_KEYWORDS, "operation"), (grammar.FIELD_KEYWORDS, "field"), (grammar.EVENT_KEYWORDS, "event")],
    ids=["operation", "field", "event"],
)
def test_editors_know_the_same_words(words: dict[str, Any], where: str) -> None:
    assert set(_properties(SCHEMA["$defs"][where])) == set(words)


def test_editors_know_the_words_of_a_file() -> None:
    assert set(grammar.FILE_KEYWORDS) <= set(SCHEMA["properties"])


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _properties(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    found = dict(schema.get("properties", {}))
    for below in [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())]:
        found |= _properties(below)
    return found


def test_a_mistake_knows_its_path_in_the_data() -> None:
    with pytest.raises(Mistake) as raised:
        parse_section({"a": {"properties": {"b?": {"items": {"typ": "string"}}}}}, nothing)
    assert raised.value.path == ("a", "properties", "b?", "items", "typ")


def test_a_field_of_some_roles() -> None:
    """A field is required of the roles that have it, or it is optional and required of some roles."""
    section = parse_section(
        {
            "mchid": {},
            "sub_mchid": {"roles": ["partner"]},
            "sub_appid?": {"roles": ["partner"]},
            "scene?": {"required_by": ["merchant"]},
        },
        nothing,
    )
    assert section.required == {"mchid"}
    said = {name: (field.roles, field.required_by) for name, field in section.properties.items()}
    assert said == {
        "mchid": ((), ()),
        "sub_mchid": (("partner",), ("partner",)),
        "sub_appid": (("partner",), ()),
        "scene": ((), ("merchant",)),
    }


def test_a_section_without_fields_takes_any() -> None:
    section = parse_section({}, nothing)
    assert section.additional is not None
    assert section.additional.type == "any"
    assert parse_section({"a": "b"}, nothing).additional is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["string", "object", "array", "x", "#/a", "("]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*grammar.FIELD_KEYWORDS, "a", "b?", "?"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(VALUES)
def test_any_yaml_is_a_field_or_a_mistake(value: Any) -> None:
    try:
        schema = parse_field(value, nothing)
    except Mistake:
        return
    assert schema.type in grammar.TYPES
    assert schema.required <= schema.properties.keys()
