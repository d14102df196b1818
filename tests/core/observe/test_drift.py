"""Drift: which differences between responses and specs are reported, and that reports contain no value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.observe.drift import KINDS, Drift, Reporter, differences, drift_log
from wxpay_dsl.core.specs.grammar import parse_section
from wxpay_dsl.core.specs.model import Schema


def nothing(ref: str) -> Schema:
    raise LookupError(ref)


SCHEMA = parse_section(
    {
        "id": "ID",
        "state": {"enum": ["OPEN", "PAID"]},
        "amount": {"properties": {"total": {"type": "integer"}, "rate?": {"type": "number"}}},
        "goods?": {"items": {"properties": {"name": "Name"}}},
        "note?": {"nullable": True},
        "labels?": {"additionalProperties": {"type": "integer"}},
        "free?": {"type": "any"},
        "sub_mchid": {"roles": ["partner"]},
        "late": {"doubt": "one SDK alone"},
    },
    nothing,
)
WHOLE = {"id": "1", "state": "PAID", "amount": {"total": 1, "rate": 1}, "note": None, "free": [1]}

CASES = {
    "as the spec says": ({}, []),
    "a new field": ({"brand_new": {"a": 1}}, [("returns.brand_new", "unknown", "", "object")]),
    "a new field in each of a list": (
        {"goods": [{"name": "a", "size": 1}]},
        [("returns.goods[].size", "unknown", "", "integer")],
    ),
    "a field that is not there": ({"id": ...}, [("returns.id", "missing", "", "")]),
    "one inside": ({"goods": [{}]}, [("returns.goods[].name", "missing", "", "")]),
    "text for a number": ({"amount": {"total": "1"}}, [("returns.amount.total", "type", "integer", "string")]),
    "a fraction for a whole number": (
        {"amount": {"total": 1.0}},
        [("returns.amount.total", "type", "integer", "number")],
    ),
    "a truth value for text": ({"id": True}, [("returns.id", "type", "string", "boolean")]),
    "null": ({"id": None}, [("returns.id", "type", "string", "null")]),
    "a list for an object": ({"amount": []}, [("returns.amount", "type", "object", "array")]),
    "a state that is not in the list": ({"state": "SECRET-4111"}, [("returns.state", "enum", "", "")]),
    "a key that may be a value": ({"labels": {"1380000": "x"}}, [("returns.labels.*", "type", "integer", "string")]),
    "an unknown key that may be a value": ({"张三 13800000000": 1}, [("returns.*", "unknown", "", "integer")]),
}


@pytest.mark.parametrize(("changes", "says"), CASES.values(), ids=CASES.keys())
def test_what_is_noticed(changes: dict[str, Any], says: list[tuple[str, ...]]) -> None:
    data = {name: value for name, value in {**WHOLE, **changes}.items() if value is not ...}
    found = list(differences("GET /v1/x", SCHEMA, data, "returns"))
    assert found == [Drift("GET /v1/x", *line) for line in says]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(10**6, 10**9) | st.floats() | st.text(min_size=6, max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WHOLE, "x", "total"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*WHOLE, "brand_new"]), VALUES))
def test_no_value_is_in_a_report(data: dict[str, Any]) -> None:
    names = {*WHOLE, "goods", "name", "total", "rate", "labels", "late", "sub_mchid", "brand_new", "x", "*"}
    for drift in differences("GET /v1/x", SCHEMA, data, "returns"):
        assert drift.kind in KINDS
        assert set(drift.path.replace("[]", "").split(".")[1:]) <= names
        assert {drift.expected, drift.found} <= {
            *("", "any", "null", "string", "integer", "number", "boolean", "object", "array")
        }


def test_each_difference_is_reported_once() -> None:
    told: list[Drift] = []
    reporter = Reporter(told.append)
    for number in range(3):
        reporter.compare("GET /v1/x", SCHEMA, WHOLE | {"brand_new": str(number)}, "returns")
    reporter.compare("GET /v1/y", SCHEMA, WHOLE | {"brand_new": "1"}, "returns")
    assert [drift.operation for drift in told] == ["GET /v1/x", "GET /v1/y"]


def test_a_callback_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fails(drift: Drift) -> None:
        raise RuntimeError("full")

    Reporter(fails).compare("GET /v1/x", SCHEMA, {}, "returns")
    assert "could not be reported" in caplog.text


def test_an_answer_that_is_all_different_is_bounded() -> None:
    told: list[Drift] = []
    Reporter(told.append).compare("GET /v1/x", SCHEMA, {f"f{i}": 1 for i in range(10_000)}, "returns")
    assert len(told) == 200


def test_the_log_is_lines_of_json(tmp_path: Path) -> None:
    file = tmp_path / "drift.jsonl"
    for _ in range(2):  # two processes
        Reporter(drift_log(file, "1.0")).compare("GET /v1/x", SCHEMA, WHOLE | {"id": 7}, "returns")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(lines) == 2
    assert {name: value for name, value in lines[0].items() if name != "time"} == {
        "version": "1.0",
        "operation": "GET /v1/x",
        "path": "returns.id",
        "kind": "type",
        "expected": "string",
        "found": "integer",
    }
