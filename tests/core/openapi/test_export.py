"""Operations are converted to OpenAPI and back without loss."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest
from attrs import fields
from hypothesis import given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.core.conftest import CHAINS
from tests.core.generated_specs import SPECS
from wxpay_dsl.core.openapi import read_document, write_document
from wxpay_dsl.core.specs.loader import load
from wxpay_dsl.core.specs.model import Event, Operation, Schema
from wxpay_dsl.core.specs.writer import write

MEDIA_TYPES = {"old": "application/xml"}
INFO = {"title": "商店", "version": "1"}

Loaded = tuple[dict[Any, Operation], dict[str, Event]]


def loaded(folder: Path, chains: Mapping[str, tuple[str, ...]] = CHAINS, dialect: str = "json") -> Loaded:
    operations: dict[Any, Operation] = {}
    events: dict[str, Event] = {}
    for file in sorted(folder.rglob("*.yaml")):
        product = load((str(folder),), str(file), dialect, chains)
        operations |= product.operations
        events |= product.events
    return operations, events


def plain(value: Any) -> Any:
    """The attributes of a value, without a schema's ``ref`` and what depends on it."""
    if isinstance(value, (Schema, Operation, Event)):
        names = [attribute.name for attribute in fields(type(value)) if attribute.name not in ("ref", "file", "memo")]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return sorted(value) if isinstance(value, AbstractSet) else value


def said(item: Operation | Event) -> Any:
    words = plain(item)
    # What has no tags is filed under its product.
    words["tags"] = item.tags or ((item.product,) if item.product else ())
    return words


def unpacked(files: Mapping[str, str], folder: Path) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


@pytest.mark.slow
@settings(deadline=None)
@given(SPECS)
def test_a_round_trip_loses_nothing(spec: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        first = unpacked({"shop.yaml": write(spec)}, Path(name, "first"))
        operations, events = loaded(first)
        document = write_document(operations.values(), events.values(), INFO, media_types=MEDIA_TYPES)
        assert json.loads(json.dumps(document, ensure_ascii=False)) == document
        read = read_document(document, dialect="json", media_types=MEDIA_TYPES)
        assert [lost.place for lost in read.lost] == ["#/info/version"]
        back, back_events = loaded(unpacked(read.files, Path(name, "second")))
    assert {key: said(item) for key, item in back.items()} == {key: said(item) for key, item in operations.items()}
    assert {key: said(item) for key, item in back_events.items()} == {key: said(item) for key, item in events.items()}


def without_defaults(value: Any) -> Any:
    """A default that its own field does not allow is a mistake in the spec, which the linter reports."""
    if isinstance(value, dict):
        return {key: without_defaults(inner) for key, inner in value.items() if key != "default"}
    return value


@settings(deadline=None, max_examples=20)
@given(SPECS.map(without_defaults))
def test_the_document_is_openapi(spec: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        operations, events = loaded(unpacked({"shop.yaml": write(spec)}, Path(name)))
    document = write_document(operations.values(), events.values(), INFO, host="https://shop.example")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def exported(folder: Path, text: str) -> dict[str, Any]:
    (folder / "shop.yaml").write_text(text, "utf-8")
    operations, events = loaded(folder)
    return write_document(operations.values(), events.values(), INFO, host="https://shop.example")


def test_a_definition_becomes_a_component_and_a_use_of_it_a_ref(tmp_path: Path) -> None:
    document = exported(
        tmp_path,
        """
        path: /v1
        definitions:
          Money: {title: 金额, properties: {total: {type: integer}}}
        operations:
          /a:
            post:
              body:
                paid: {$ref: '#/definitions/Money'}
                back?: {$ref: '#/definitions/Money', title: 退款}
              returns: {$ref: '#/definitions/Money', properties: {rate?: {type: number}}}
        """,
    )
    body = document["paths"]["/v1/a"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert body == {
        "paid": {"$ref": "#/components/schemas/Money", "title": "金额"},
        "back": {"$ref": "#/components/schemas/Money", "title": "退款"},
    }
    money = document["components"]["schemas"]["Money"]
    assert money == {"properties": {"total": {"type": "integer"}}, "required": ["total"], "type": "object"}
    # With a field of its own it is something else.
    returns = document["paths"]["/v1/a"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(returns["properties"]) == ["total", "rate"]
    assert list(document["components"]["schemas"]) == ["Money"]


@pytest.mark.parametrize(
    ("word", "vendor", "value"),
    [
        ("verify: false", "x-verify", False),
        ("sign: false", "x-sign", False),
        ("nonce: false", "x-nonce", False),
        ("sign_type: false", "x-sign-type", False),
        ("outcome: query", "x-outcome", "query"),
        ("mutual_tls: true", "x-mutual-tls", True),
        ("idempotent: false", "x-idempotent", False),
        ("roles: [partner]", "x-roles", ["partner"]),
        ("updated: 2024.01.02", "x-updated", "2024.01.02"),
        ("docs: ['https://a.example']", "x-docs", ["https://a.example"]),
    ],
)
def test_what_only_the_dsl_says_is_a_vendor_word(tmp_path: Path, word: str, vendor: str, value: Any) -> None:
    document = exported(tmp_path, f"operations: {{/a: {{get: {{{word}}}}}}}")
    assert document["paths"]["/a"]["get"][vendor] == value
    assert vendor not in exported(tmp_path, "operations: {/a: {get: {}}}")["paths"]["/a"]["get"]


def test_operations_have_names_of_their_own(tmp_path: Path) -> None:
    document = exported(tmp_path, "operations: {'/a/{b}': {get: {}}, /a/b: {get: {}, post: {}}}")
    names = [words["operationId"] for item in document["paths"].values() for words in item.values()]
    assert names == ["a_b_get", "a_b_get_2", "a_b_post"]
