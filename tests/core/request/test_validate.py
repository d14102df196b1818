"""Comparing data with a schema: the mismatches, their kinds, and their paths."""

from __future__ import annotations

import json
import math
import time
import timeit
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.request.mismatch import SHAPES, Kind, Mismatch
from wxpay_dsl.core.request.validate import check, checker
from wxpay_dsl.core.specs.grammar import parse_field
from wxpay_dsl.core.specs.model import Schema

# The C loader, as PyYAML's own does not read `{b?: x}`.
CASES = yaml.load((Path(__file__).parents[2] / "cases" / "validate.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)


def no_refs(ref: str) -> Schema:
    raise LookupError(ref)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{json.dumps(case['schema'])} {json.dumps(case['value'])}")
def test_findings(case: dict[str, Any]) -> None:
    found = check(parse_field(case["schema"], no_refs), case["value"], "body")
    assert said(*(each for each in found if each.kind in SHAPES)) == case.get("errors", [])
    assert said(*(each for each in found if each.kind not in SHAPES)) == case.get("doubts", [])
    if "kinds" in case:
        assert [str(each.kind) for each in found] == case["kinds"]


def said(*found: Mismatch) -> list[str]:
    return [f"{each.path}: {each.message}" for each in found]


def test_a_check_is_compiled_once_a_schema() -> None:
    schema = Schema(type="object", properties={"a": Schema()})
    assert checker(schema) is checker(schema)


def test_what_is_sensitive_is_never_shown() -> None:
    schema = parse_field({"properties": {"name": {"encrypted": True}, "list": {"items": {"encrypted": True}}}}, no_refs)
    found = check(schema, {"name": 4111111111111111, "list": [b"secret", {"a": "secret"}]}, "body")
    assert len(found) == 3
    assert not any("4111" in line or "secret" in line for line in said(*found))


def test_a_message_stays_short() -> None:
    found = check(parse_field({"type": "integer"}, no_refs), "9" * 10_000, "body.total")
    assert said(*found)[0] == f"body.total: expected integer, got '{'9' * 59}… (10000 long)"


def test_presign_sized_data_takes_microseconds() -> None:
    schema = parse_field({"properties": {f"f{i}": {"maxLength": 32, "pattern": "^[0-9]+$"} for i in range(9)}}, no_refs)
    data = {f"f{i}": "1" * 20 for i in range(9)}
    inner = checker(schema)
    assert inner(data) is None
    # About 6 µs; measured as CPU time of this thread, so that the load of the machine does not matter.
    assert min(timeit.repeat(lambda: inner(data), number=200, repeat=5, timer=time.thread_time)) / 200 < 100e-6


FIELDS = st.recursive(
    st.sampled_from(
        [
            {},
            {"type": "integer"},
            {"type": "number"},
            {"type": "boolean"},
            {"enum": ["a", "b"]},
            {"minLength": 2, "maxLength": 3},
            {"type": "integer", "minimum": 0, "maximum": 5},
            {"type": "any"},
        ]
    ),
    lambda inner: (
        st.builds(lambda items: {"items": items, "minItems": 1, "maxItems": 2}, inner)
        | st.builds(lambda a, b: {"properties": {"a": a, "b?": b}}, inner, inner)
        | st.builds(lambda below: {"additionalProperties": below}, inner)
    ),
    max_leaves=4,
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 8) | st.sampled_from([0.5, 2.5, "", "a", "ab", "abcd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def as_json_schema(words: dict[str, Any]) -> dict[str, Any]:
    """The same field as JSON Schema, for an independent validator."""
    if "items" in words:
        return {**words, "type": "array", "items": as_json_schema(words["items"])}
    if "properties" in words:
        below = {name.rstrip("?"): as_json_schema(field) for name, field in words["properties"].items()}
        required = [name for name in words["properties"] if not name.endswith("?")]
        return {"type": "object", "properties": below, "required": required, "additionalProperties": False}
    if "additionalProperties" in words:
        return {"type": "object", "additionalProperties": as_json_schema(words["additionalProperties"])}
    if words.get("type") == "any":
        return {}
    return {"type": "string", **words}


@given(FIELDS, DATA)
def test_it_agrees_with_json_schema(words: dict[str, Any], data: Any) -> None:
    found = check(parse_field(words, no_refs), data, "")
    assert (not found) == jsonschema.Draft202012Validator(as_json_schema(words)).is_valid(data)


@given(FIELDS, DATA)
def test_each_fault_has_the_path_of_what_it_names(words: dict[str, Any], data: Any) -> None:
    for mismatch in check(parse_field(words, no_refs), data, "data"):
        if mismatch.kind is Kind.MISSING:
            continue
        value = data
        for part in mismatch.path.removeprefix("data").replace("[", ".").replace("]", "").split(".")[1:]:
            value = value[int(part)] if isinstance(value, list) else value[part]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value: float) -> None:
    found = check(Schema(type="number"), value, "x")
    assert said(*found) == [f"x: expected a finite number, got {value}"]


_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=True),
    st.text(alphabet="a1\n中", max_size=6),
    st.binary(max_size=2),
    st.lists(st.integers(), max_size=1),
)


@given(
    schema=st.builds(
        Schema,
        type=st.sampled_from(["string", "integer", "number", "boolean", "any"]),
        enum=st.sampled_from([(), ("a",), ("a", "aaaa", "中"), (1, 2), (True,)]),
        pattern=st.sampled_from(["", "^a+$"]),
        min_length=st.none() | st.integers(0, 4),
        max_length=st.none() | st.integers(0, 4),
        minimum=st.none() | st.integers(-2, 2),
        maximum=st.none() | st.integers(-2, 2),
        nullable=st.booleans(),
        media_type=st.sampled_from(["", "application/json"]),
        encrypted=st.booleans(),
    ).filter(lambda schema: schema.type in ("integer", "number") or {schema.minimum, schema.maximum} == {None}),
    value=_values,
)
def test_a_field_is_judged_alone_as_in_its_object(schema: Schema, value: Any) -> None:
    """The fast path for fields of an object finds the same as the check of the field."""
    alone = check(schema, value, "body.field")
    assert check(Schema(type="object", properties={"field": schema}), {"field": value}, "body") == alone
