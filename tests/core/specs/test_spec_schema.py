"""``spec.schema.json``, which editors use: it allows what the grammar allows, and no misspelt keyword."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from tests.core.generated_specs import SPECS
from wxpay_dsl.core.specs import grammar, yaml12
from wxpay_dsl.core.specs.writer import write

ROOT = Path(__file__).parents[3] / "specs"
SCHEMA = json.loads((ROOT / "spec.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}


def refusals(spec: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(spec)]


def properties(where: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["$defs"][where]["properties"]
    return found


def types(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types that a schema allows."""
    if "$ref" in schema:
        return types(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "oneOf" in schema:
        return set().union(*map(types, schema["oneOf"]))
    if "enum" in schema:
        return {JSON_TYPES[type(value)] for value in schema["enum"]}
    said = schema.get("type", [])
    return {said} if isinstance(said, str) else set(said)


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("file", grammar.FILE_KEYWORDS),
        ("operation", grammar.OPERATION_KEYWORDS),
        ("event", grammar.EVENT_KEYWORDS),
        ("field", {word: kinds for word, (_, kinds) in grammar.FIELD_KEYWORDS.items()}),
    ],
    ids=["file", "operation", "event", "field"],
)
def test_each_word_takes_what_the_grammar_takes(where: str, words: Mapping[str, tuple[type, ...]]) -> None:
    assert set(properties(where)) == set(words)
    for word, kinds in words.items():
        allowed = types(properties(where)[word])
        if object in kinds:
            assert allowed == set(), word
        else:
            # JSON counts whole numbers among the numbers; null stands for a mapping with nothing in it.
            assert allowed - {"null"} == {JSON_TYPES[kind] for kind in kinds} - (
                {"integer"} if float in kinds else set()
            )


def test_each_word_says_what_it_is_for() -> None:
    def silent(schema: Mapping[str, Any]) -> Iterator[str]:
        for word, inner in schema.get("properties", {}).items():
            referred = SCHEMA["$defs"].get(inner.get("$ref", "").rpartition("/")[2], {})
            if "description" not in inner and "description" not in referred and word not in ("get", "post", "put"):
                yield word

    assert [*silent(SCHEMA), *silent(SCHEMA["$defs"]["operation"]), *silent(SCHEMA["$defs"]["event"])] == []
    assert [*silent(SCHEMA["$defs"]["field"])] == []


@pytest.mark.slow
def test_every_file_of_the_package() -> None:
    files = sorted(ROOT.rglob("*.yaml"))
    assert len(files) > 100
    assert {str(file): refusals(yaml12.read(file.read_bytes())) for file in files} == {str(file): [] for file in files}


@pytest.mark.slow
@given(SPECS)
def test_whatever_loads(spec: dict[str, Any]) -> None:
    assert refusals(yaml12.read(write(spec))) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "path: /v1\noperations: {/a: {post: {}}}",
        "path: /v1\noperations: {'': {post: }}",
        "operations: {/v1/a: {get: {returns: {$schema: {items: String}}, query: {$ref: '#/definitions/Page'}}}}",
        "AppId: {title: APPID, maxLength: 32}\nMoney: {properties: {total: {type: integer}}}\nName: 姓名",
    ],
)
def test_allowed(text: str) -> None:
    assert refusals(yaml12.read(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "titel: x\npath: /v1",
        "path: v1",
        "operations: {v1/a: {get: {}}}",
        "operations: {/a: {fetch: {}}}",
        "operations: {/a: {}}",
        "operations: {/a: {get: {sumary: x}}}",
        "operations: {/a: {get: {docs: https://a.example}}}",
        "operations: {/a: {get: {verify: 'no'}}}",
        "operations: {/a: {get: {host: pay.example}}}",
        "operations: {/a: {get: {body: {}, form: {}}}}",
        "operations: {/a: {get: {body: {a: {tittle: x}}}}}",
        "operations: {/a: {get: {body: {a: {type: text}}}}}",
        "operations: {/a: {get: {body: {a: {properties: {b: {maxlength: 1}}}}}}}",
        "operations: {/a: {get: {body: {a: {items: {format: [x]}}}}}}",
        "operations: {/a: {get: {returns: {$schema: {typ: array}}}}}",
        "operations: {/a: {get: {returns: {$schema: {type: array}, more: x}}}}",
        "operations: {/a: {get: {body: {a: {$ref: common.yaml}}}}}",
        "operations: {/a: {get: {body: {a: 5}}}}",
        "events: {paid: {header: {}}}",
        "definitions: {Money: {typ: object}}\npath: /v1",
        "AppId: {titel: APPID}",
    ],
)
def test_refused(text: str) -> None:
    assert refusals(yaml12.read(text)) != []
