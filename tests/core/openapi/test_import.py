"""OpenAPI documents are converted to spec files: each case has a document, its spec files, and what is lost."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.core.openapi.test_export import loaded, unpacked
from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.openapi import Imported, Vocabulary, parse, read_document
from wxpay_dsl.core.specs.yaml12 import read as read_yaml

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "openapi_import.yaml").read_text("utf-8"))
PARTS = ("servers", "paths", "webhooks", "components")


def imported(case: dict[str, Any], **options: Any) -> Imported:
    parts = {part: case[part] for part in PARTS if part in case}
    return read_document({"openapi": "3.1.0", "info": {"title": "Document"}, "paths": {}, **parts}, **options)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_import(case: dict[str, Any], tmp_path: Path) -> None:
    read = imported(case)
    assert {file: text.partition("\n")[2] for file, text in read.files.items()} == case["files"]
    lost = case.get("lost", [])
    assert [found.what for found in read.lost] == [what for _, what in lost]
    assert all(found.place.endswith(place) for found, (place, _) in zip(read.lost, lost, strict=True))
    operations, events = loaded(unpacked(read.files, tmp_path))
    assert operations or events


def test_each_file_knows_where_the_schema_is() -> None:
    case = {"paths": {"/v3/a/b": {"get": {"summary": "a"}}, "/c": {"get": {"summary": "c"}}}}
    first_lines = {
        file: text.splitlines()[0] for file, text in imported(case, schema="../spec.schema.json").files.items()
    }
    assert first_lines == {
        "v3/a.yaml": "# yaml-language-server: $schema=../../spec.schema.json",
        "c.yaml": "# yaml-language-server: $schema=../spec.schema.json",
    }


def test_a_host_that_the_client_talks_to_anyway_is_not_said() -> None:
    case = {"servers": [{"url": "https://pay.example"}], "paths": {"/a": {"get": {"summary": "a"}}}}
    assert "host: https://pay.example" in imported(case).files["a.yaml"]
    assert "host" not in imported(case, host="https://pay.example").files["a.yaml"]


def test_other_vendor_words_are_a_table() -> None:
    case = {
        "paths": {
            "/a": {
                "x-signed-answer": False,
                "post": {"summary": "a", "x-audience": ["商户", "服务商", "商户"], "x-noise": 1},
            }
        }
    }
    vocabulary = Vocabulary(
        {"x-audience": "roles", "x-signed-answer": "verify"},
        {"roles": {"商户": "merchant", "服务商": "partner"}},
        frozenset({"x-noise"}),
    )
    read = imported(case, vocabulary=vocabulary)
    assert read.files["a.yaml"].endswith("      summary: a\n      roles: [merchant, partner]\n      verify: false\n")
    assert read.lost == ()
    assert {found.what for found in imported(case).lost} == {
        "`x-audience`: ['商户', '服务商', '商户']",
        "`x-noise`: 1",
        "`x-signed-answer`: False",
    }


def test_a_file_that_would_be_too_long_is_a_folder() -> None:
    fields = {f"field_{number}": {"type": "integer"} for number in range(400)}
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}}
    paths = {
        f"/v1/shop/{name}/{{id}}/{verb}": {"post": {"summary": verb, "requestBody": body}}
        for name in ("orders", "refunds")
        for verb in ("open", "close")
    }
    files = imported({"paths": {**paths, "/v1/shop/{id}": {"get": {"summary": "one"}}}}).files
    assert list(files) == ["v1/shop/orders.yaml", "v1/shop/refunds.yaml", "v1/shop.yaml"]
    assert "path: /v1/shop/orders\n" in files["v1/shop/orders.yaml"]
    assert all(text.count("\n") <= 1_500 for text in files.values())


def test_the_same_document_as_json_and_as_yaml() -> None:
    text = """
openapi: 3.0.3
info: {title: 日期, version: 2020-01-01}
x-shared: &money {type: integer, example: 0700}
x-more: &more {deprecated: true}
paths:
  /a:
    get:
      <<: *more
      summary: no
      responses:
        200: {description: ok, content: {application/json: {schema: {type: object, properties: {total: *money}}}}}
"""
    document = parse(text)
    assert document["info"]["version"] == "2020-01-01"
    assert document["paths"]["/a"]["get"]["summary"] == "no"
    assert list(document["paths"]["/a"]["get"]["responses"]) == ["200"]
    assert document["paths"]["/a"]["get"]["deprecated"] is True
    assert parse(json.dumps(document).encode()) == document
    assert "total?: {type: integer, example: 700}" in read_document(document).files["a.yaml"]


def test_half_a_character_is_named() -> None:
    read = imported({"paths": {"/a": {"get": {"summary": "half \ud83d"}}}})
    assert read.files["a.yaml"].encode().decode().endswith('summary: "half \ufffd"\n')
    assert [found.what for found in read.lost] == ["lone surrogates (halves of characters) in a.yaml"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "document.yaml:1:2: not JSON: "),
        ("a: [1\n", "document.yaml:2:1: not YAML: "),
        ("- a", "document.yaml: not an OpenAPI document: it is not a mapping"),
        (b"\xff", "document.yaml: not UTF-8 (byte 0)"),
    ],
)
def test_what_is_no_document_says_where(text: str | bytes, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "document.yaml")
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: \0", "document.yaml:1:4: the character U+0000 is not allowed"),
        (
            "a: !!python/object:os.system x",
            "document.yaml:1:4: not YAML: the tag 'tag:yaml.org,2002:python/object:os.system' is not allowed",
        ),
        ("a: !!timestamp soon", "document.yaml:1:4: not YAML: the tag 'tag:yaml.org,2002:timestamp' is not allowed"),
        ("? !!binary QUJD\n: 1", "document.yaml:1:3: not YAML: the tag 'tag:yaml.org,2002:binary' is not allowed"),
        ("a: !!bool [b]", "document.yaml:1:4: not YAML: the tag 'tag:yaml.org,2002:bool' is for one value"),
        (f"a: {'1' * 5000}", "document.yaml: not YAML: a number of more than 4300 digits"),
        (f'{{"a": {"1" * 5000}}}', "document.yaml: not JSON: a number of more than 4300 digits"),
        ("a: &a [*a]", "document.yaml: not YAML: its anchors nest more than 200 levels deep, or contain themselves"),
        ("- " * 500_000, "document.yaml:1:401: not YAML: nested more than 200 levels deep"),
        (f"a: {'[' * 500_000}", "document.yaml:1:203: not YAML: nested more than 200 levels deep"),
        (f'{{"a": {"[" * 500_000}', "document.yaml:1:206: not JSON: nested more than 200 levels deep"),
        (f'{{"]": {"[" * 500}1{"]" * 500}}}', "document.yaml:1:206: not JSON: nested more than 200 levels deep"),
    ],
    ids=range(12),
)
def test_hostile_documents_are_told_on_one_line(text: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "document.yaml")
    assert str(caught.value).startswith(says)
    assert str(caught.value).isprintable()


def test_merges_that_redouble_hold_each_key_once() -> None:
    lines = ["a: &a0 {x: 1, y: 2}"]
    lines += [f"b{n}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 10)}], z: {n}}}" for n in range(9)]
    assert parse("\n".join(lines))["b8"] == {"x": 1, "y": 2, "z": 8}


def test_anchors_that_redouble_are_not_written_out() -> None:
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)]
    with pytest.raises(SpecError, match="its anchors expand to more than 1000000 values"):
        parse("\n".join(lines))


@pytest.mark.slow
def test_references_that_redouble_are_not_followed() -> None:
    schemas: dict[str, Any] = {
        f"A{n}": {"allOf": [{"$ref": f"#/components/schemas/A{n + 1}"}] * 9, "properties": {"a": {}}} for n in range(40)
    }
    with pytest.raises(SpecError, match="its references expand to more than 200000 schemas: at 'components/schemas"):
        imported({"components": {"schemas": schemas}})


def test_fields_inside_fields_have_an_end() -> None:
    """A deeper spec could be written, but not read again."""
    schema: dict[str, Any] = {}
    for _ in range(40):
        schema = {"type": "object", "properties": {"a": schema}}
    content = {"content": {"application/json": {"schema": schema}}}
    read = imported({"paths": {"/a": {"post": {"requestBody": content}}}})
    assert [found.what for found in read.lost] == ["fields nested more than 28 levels deep: any value here"]
    read_yaml(read.files["a.yaml"])


def test_a_chain_of_definitions_has_an_end() -> None:
    schemas = {f"A{n}": {"properties": {"a": {"$ref": f"#/components/schemas/A{n + 1}"}}} for n in range(2000)}
    with pytest.raises(SpecError, match="nested too deeply, or too many references in a row"):
        imported({"components": {"schemas": schemas}})


@pytest.mark.parametrize("document", [{}, {"swagger": "2.0"}, {"openapi": "4.0.0"}, {"openapi": 3.1}])
def test_other_versions_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"not an OpenAPI 3\.0 or 3\.1 document"):
        read_document(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "type",
                        "properties",
                        "items",
                        "required",
                        "allOf",
                        "oneOf",
                        "$ref",
                        "enum",
                        "additionalProperties",
                    ),
                    *(
                        "parameters",
                        "in",
                        "name",
                        "schema",
                        "requestBody",
                        "content",
                        "responses",
                        "200",
                        "get",
                        "post",
                    ),
                    *("application/json", "/a", "tags", "servers", "url", "example", "examples", "nullable", "x-roles"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["/a", "/a/{b}", "/x-y"]), JSON), st.dictionaries(st.text(max_size=3), JSON))
def test_a_document_that_is_wrong_anywhere_gives_files_that_load(paths: Any, schemas: Any) -> None:
    document = {"openapi": "3.1.0", "info": {"title": "x"}, "paths": paths, "components": {"schemas": schemas}}
    read = read_document(document)
    with tempfile.TemporaryDirectory() as name:
        loaded(unpacked(read.files, Path(name)))


def test_what_a_vendor_word_cannot_hold_is_lost_and_named(tmp_path: Path) -> None:
    case = {
        "servers": [{"url": "https://user:secret@shop.example/v1"}],
        "paths": {"/a": {"get": {"summary": "a", "x-roles": [None], "x-verify": "no"}}},
    }
    read = imported(case)
    (text,) = read.files.values()
    assert text.endswith("      summary: a\n")
    assert [found.what for found in read.lost] == ["`roles`: [None]", "`verify`: 'no'"]
    loaded(unpacked(read.files, tmp_path))
