"""The specs say what the official pages say; what they do not is disputed, with a reason."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.official_pages import Contradiction, compare_event, compare_operation, facts, path_key
from wxpay_dsl.client import tree
from wxpay_dsl.core.specs.model import Checked, Operation, Schema

DISPUTED = Path(__file__).parents[1] / "specs" / "_disputed.json"
#: A dispute's kinds, in the words of a comparison of requests and one of answers.
KINDS = {
    "unknown": "unknown",
    "answer": "unknown",
    "required": "required",
    "optional": "optional",
    "type": "type",
    "answer-type": "type",
    "limit": "maxLength",
    "enum": "enum",
    "answer-enum": "enum",
    "clear": "encrypted",
    "ciphertext": "encrypted",
}


@cache
def operations() -> dict[str, Operation]:
    return {path_key(operation.name): operation for operation in tree().operations()}


def disputed() -> set[tuple[str, Contradiction]]:
    entries = json.loads(DISPUTED.read_text("utf-8"))
    return {(entry["operation"], Contradiction(entry["field"], KINDS[entry["kind"]])) for entry in entries}


def found() -> set[tuple[str, Contradiction]]:
    return {
        (name, contradiction)
        for name, pages in facts()["operations"].items()
        for contradiction in compare_operation(operations()[path_key(name)], name, pages)
        # A limit below a page's, in an answer, refuses nothing.
        if not (contradiction.field.startswith("returns.") and contradiction.kind == "maxLength")
    }


def test_every_operation_that_has_a_page_is_declared_and_compared() -> None:
    names = facts()["operations"]
    assert len(names) == 309
    assert [name for name in names if path_key(name) not in operations()] == []
    compared = [operations()[path_key(name)].checked for name in names]
    assert set(compared) == {Checked("official", facts()["date"])}


def test_no_page_contradicts_the_specs_but_where_it_is_disputed() -> None:
    assert sorted(found() - disputed()) == []


def test_a_dispute_that_is_settled_is_no_longer_listed() -> None:
    assert sorted(entry for entry in disputed() - found()) == []


def test_a_dispute_has_a_reason() -> None:
    for entry in json.loads(DISPUTED.read_text("utf-8")):
        assert entry.keys() == {"operation", "field", "kind", "why"}
        assert len(entry["why"]) > 40, entry


@pytest.mark.parametrize("name", sorted(facts()["events"]))
def test_no_page_contradicts_a_notification(name: str) -> None:
    event = tree().event(name)
    assert event is not None
    assert event.checked == Checked("official", facts()["date"])
    unsettled = [
        contradiction
        for contradiction in compare_event(event, facts()["events"][name])
        if contradiction.kind in ("unknown", "required", "type")
    ]
    assert unsettled == []


PAGE: dict[str, Any] = {
    "role": "partner",
    "status": 200,
    "body": {
        "sub_mchid": {"type": "string", "maxLength": 32, "required": 1},
        "amount": {"type": "object", "required": 1, "fields": {"total": {"type": "integer", "required": 1}}},
        "name": {"type": "string", "encrypted": 1},
        "state": {"type": "string", "enum": ["ON", "OFF"]},
        "tags": {"type": "array", "items": "string"},
    },
}
TEXT = Schema()
GOOD = {
    "sub_mchid": Schema(max_length=32),
    "amount": Schema(type="object", properties={"total": Schema(type="integer")}, required=frozenset({"total"})),
    "name": Schema(encrypted=True),
    "state": Schema(enum=("ON", "OFF")),
    "tags": Schema(type="array", items=TEXT),
}


@pytest.mark.parametrize(
    ("changed", "required", "kind"),
    [
        ({}, {"sub_mchid", "amount"}, None),
        ({"sub_mchid": Schema(max_length=32, required_by=("partner",))}, {"amount"}, "optional"),
        ({"sub_mchid": Schema(max_length=32, required_by=("merchant",))}, {"amount"}, "optional"),
        ({"sub_mchid": Schema(max_length=31)}, {"sub_mchid", "amount"}, "maxLength"),
        ({}, {"sub_mchid", "amount", "name"}, "required"),
        ({"more": TEXT}, {"sub_mchid", "amount", "more"}, "required"),
        ({"name": TEXT}, {"sub_mchid", "amount"}, "encrypted"),
        ({"state": Schema(enum=("ON",))}, {"sub_mchid", "amount"}, "enum"),
        ({"tags": Schema(type="array", items=Schema(type="integer"))}, {"sub_mchid", "amount"}, "type"),
        ({"amount": Schema(type="object", properties={"sum": TEXT})}, {"sub_mchid", "amount"}, "unknown"),
    ],
)
def test_a_contradiction_is_noticed(changed: dict[str, Schema], required: set[str], kind: str | None) -> None:
    body = Schema(type="object", properties={**GOOD, **changed}, required=frozenset(required))
    operation = Operation("post", "/a", "v3", ("a",), body=body)
    assert {each.kind for each in compare_operation(operation, "POST /a", [PAGE])} == ({kind} if kind else set())


def test_a_role_is_bound_by_its_own_pages_alone() -> None:
    merchant = {"role": "merchant", "body": {name: fact for name, fact in PAGE["body"].items() if name != "sub_mchid"}}
    properties = {**GOOD, "sub_mchid": Schema(max_length=32, roles=("partner",), required_by=("partner",))}
    body = Schema(type="object", properties=properties, required=frozenset({"amount"}))
    operation = Operation("post", "/a", "v3", ("a",), body=body)
    assert list(compare_operation(operation, "POST /a", [PAGE, merchant])) == []
