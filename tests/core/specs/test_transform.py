"""Chosen fields are replaced on a copy, at any depth; unchanged parts are shared."""

from __future__ import annotations

from typing import Any

import pytest

from wxpay_dsl.core.specs.grammar import parse_field
from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.core.specs.transform import any_field, rewrite


def no_refs(ref: str) -> Schema:
    raise LookupError(ref)


SCHEMA = parse_field(
    {
        "properties": {
            "name": {"encrypted": True},
            "plain": {},
            "list": {"items": {"properties": {"phone": {"encrypted": True}, "id": {}}}},
            "texts": {"items": {"encrypted": True}},
            "map": {"additionalProperties": {"encrypted": True}},
            "free": {"type": "any"},
        }
    },
    no_refs,
)


def encrypted(schema: Schema) -> bool:
    return schema.encrypted


def seal(schema: Schema, value: Any, path: str) -> str:
    return f"<{path}={value}>"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "A", "plain": "B"}, {"name": "<body.name=A>", "plain": "B"}),
        (
            {"list": [{"phone": "1", "id": "2"}, {"id": "3"}]},
            {"list": [{"phone": "<body.list[0].phone=1>", "id": "2"}, {"id": "3"}]},
        ),
        ({"texts": ("a", "b")}, {"texts": ["<body.texts[0]=a>", "<body.texts[1]=b>"]}),
        ({"map": {"x": "1"}}, {"map": {"x": "<body.map.x=1>"}}),
        ({"free": {"name": "A"}, "unknown": {"name": "A"}}, {"free": {"name": "A"}, "unknown": {"name": "A"}}),
        ({"list": "not a list", "map": 7}, {"list": "not a list", "map": 7}),
        ("not an object", "not an object"),
    ],
)
def test_chosen_fields(value: Any, expected: Any) -> None:
    assert rewrite(SCHEMA, value, encrypted, seal, "body") == expected


def test_the_callers_data_stays_and_the_rest_is_shared() -> None:
    rest = {"id": "3"}
    value = {"name": "A", "list": [{"phone": "1"}, rest], "free": [1]}
    changed = rewrite(SCHEMA, value, encrypted, seal, "body")
    assert value == {"name": "A", "list": [{"phone": "1"}, {"id": "3"}], "free": [1]}
    assert changed["list"][1] is rest
    assert changed["free"] is value["free"]
    untouched = {"plain": "x", "list": [rest]}
    assert rewrite(SCHEMA, untouched, encrypted, seal, "body") is untouched


def test_any_field() -> None:
    assert any_field(SCHEMA, encrypted)
    assert not any_field(SCHEMA, lambda schema: schema.media == "id")
    assert not any_field(None, encrypted)


def test_any_field_looks_at_shared_definitions_once() -> None:
    schema = Schema()
    for _ in range(60):  # 2^60 ways lead to the innermost
        schema = Schema(type="object", properties={"a": schema, "b": schema})
    assert not any_field(schema, encrypted)
