"""Specs and OpenAPI documents from other parties can be wrong, but do no harm."""

from __future__ import annotations

import ast
import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wxpay_dsl import SpecError, Wechatpay
from wxpay_dsl.client import tree
from wxpay_dsl.core.openapi import parse, read_document
from wxpay_dsl.core.specs.writer import write
from wxpay_dsl.core.specs.yaml12 import read
from wxpay_dsl.typing.files import write_overlay

#: What ends a docstring, a comment, a line, a string, and begins something else.
EVIL = [
    '"""\nimport os; os.system("true")\n"""',
    "'''\nimport os\n'''",
    "\\",
    "\n# x\nimport os\n",
    "\r\nimport os",
    "\x0cimport os",
    "\u2028import os",
    "{__import__('os')}",
    "%s %(x)s {0} ${x}",
    "-->",
    "]]>",
    "*/",
    "`rm`",
    "</script><script>",
]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: *a\n",
        "a: &a {b: 1}\nc: {<<: *a}\n",
        "&a [*a]",
        "a: !!python/object/apply:os.system ['true']\n",
        "a: !!python/name:os.system\n",
        "!!map {a: b}",
        "a: !x b\n",
        "[" * 100_000,
        "- " * 100_000,
        "{a: " * 100_000,
        "? " * 100_000,
        "a: 1\na: 2\n",
        "a: 1\n---\nb: 2\n",
        "%YAML 1.1\n---\na: b\n",
        "a: " + "x" * 5_000_000,
        "a: |\n" + " x\n" * 2_000_000,
        "a: \0\n",
        "\ufeff\ufeffa: b\n",
        "a: \ud800\n",
    ],
    ids=range(19),
)
def test_yaml_that_is_more_than_it_looks_is_not_read(text: str) -> None:
    found = outcome(lambda: read(text.encode("utf-8", "surrogatepass"), "x.yaml"))
    if isinstance(found, SpecError):
        assert str(found).startswith("x.yaml")
        assert len(str(found)) < 500
        assert str(found).isprintable()
    else:
        assert text.startswith(("%YAML", "\ufeff")), "harmless"
        assert found in ({"a": "b"}, {"\ufeffa": "b"})


def outcome(attempt: Callable[[], Any]) -> Any:
    try:
        return attempt()
    except SpecError as error:
        return error


@pytest.mark.parametrize(
    "ref",
    [
        "/etc/passwd#/x",
        "../../../../../../../../etc/passwd#/x",
        "file:///etc/passwd#/x",
        "http://127.0.0.1:9/x.yaml#/x",
        "../secret.yaml#/password",
        "link.yaml#/password",
        "\\\\127.0.0.1\\share\\x.yaml#/x",
        "secret.yaml\0#/x",
        "~/.ssh/id_rsa#/x",
        "$HOME/x.yaml#/x",
        ".#/x",
        "#/" + "x/" * 5000,
    ],
)
def test_a_reference_stays_below_the_specs(ref: str, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("password: {title: hunter2}\n")
    folder = tmp_path / "specs"
    folder.mkdir()
    if os.name == "posix":
        (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    spec = {"path": "/v3/evil", "operations": {"/x": {"post": {"body": {"a": {"$ref": ref}}}}}}
    (folder / "evil.yaml").write_text(write(spec))
    branch = tree([str(folder)]).find(("v3", "evil", "x"))
    assert branch is not None
    found = outcome(branch.verbs["post"].operation)
    assert isinstance(found, SpecError)
    assert "root:" not in str(found)
    assert "hunter2" not in str(found)


def test_a_reference_that_turns_in_a_circle_ends(tmp_path: Path) -> None:
    definitions: dict[str, Any] = {f"A{n}": {"$ref": f"#/definitions/A{(n + 1) % 40}"} for n in range(40)}
    definitions |= {
        f"B{n}": {"properties": {"a": {"$ref": f"#/definitions/B{n + 1}"}, "b": {"$ref": f"#/definitions/B{n + 1}"}}}
        for n in range(40)
    }
    definitions["B40"] = {"title": "b"}
    for name in ("A0", "B0"):
        body = {"a": {"$ref": f"#/definitions/{name}"}}
        spec = {"path": "/v3/evil", "definitions": definitions, "operations": {"/x": {"post": {"body": body}}}}
        (tmp_path / "evil.yaml").write_text(write(spec))
        branch = tree([str(tmp_path)]).find(("v3", "evil", "x"))
        assert branch is not None
        with pytest.raises(SpecError):
            branch.verbs["post"].operation()


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_no_text_of_a_spec_is_code_in_what_is_written_for_type_checkers(evil: str, tmp_path: Path) -> None:
    field = {"title": evil, "description": evil, "example": evil, "enum": [evil, "x"]}
    operation = {
        "summary": evil,
        "description": evil,
        "docs": ["https://x.example/"],
        "body": {"a": field},
        "returns": {"b": field},
    }
    spec = {"title": evil, "path": "/v3/evil", "operations": {"/thing": {"post": operation}}}
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "evil.yaml").write_text(write(spec))
    assert read((folder / "evil.yaml").read_text(), "evil.yaml") == spec
    write_overlay([str(folder)], tmp_path / "typed")
    for file in (tmp_path / "typed").glob("*.py*"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert [alias.name for alias in node.names] != ["os"]
            if isinstance(node, ast.Call):
                assert "system" not in ast.unparse(node)


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_nor_of_a_document_in_the_spec_that_is_made_of_it(evil: str) -> None:
    schema = {
        "type": "object",
        "title": evil,
        "properties": {"a": {"type": "string", "description": evil, "enum": [evil]}, evil: {}},
    }
    content = {"content": {"application/json": {"schema": schema}}}
    operation = {
        "summary": evil,
        "description": evil,
        "tags": [evil],
        "requestBody": content,
        "responses": {"200": content},
    }
    document = {"openapi": "3.1.0", "info": {"title": evil}, "paths": {"/a": {"post": operation}}, "x-evil": evil}
    for name, text in read_document(parse(write(document))).files.items():
        found = read(text, name)
        (verbs,) = found["operations"].values()
        assert verbs["post"]["summary"] == evil
        assert set(found) <= {"title", "operations", "definitions", "tags", "path"}


@pytest.mark.parametrize(
    "path",
    [
        "/../x",
        "/v3/../../x",
        "/v3/%2e%2e/x",
        "//evil",
        "/v3//x",
        "/v3/a b",
        "/v3/a\\b",
        "/v3/\u2028",
        "/..",
        "/v3/{../x}",
    ],
)
def test_no_document_writes_beside_its_folder(path: str) -> None:
    read_files = read_document(
        {"openapi": "3.1.0", "paths": {path: {"get": {"tags": ["../../x"]}}}, "webhooks": {"../../x": {"post": {}}}}
    )
    for name in read_files.files:
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts
        assert all(part.isprintable() and "\\" not in part for part in Path(name).parts)


async def test_a_spec_cannot_take_what_is_signed_elsewhere_unseen(tmp_path: Path) -> None:
    """Another host is the spec's own to say: https alone, shown with the operation, and never for an existing path
    of the package unless the spec overrides it by name.
    """
    (tmp_path / "evil.yaml").write_text("path: /v3/evil\nhost: https://evil.example\noperations: {/x: {get: {}}}\n")
    async with asyncio.timeout(60), Wechatpay(mchid="1900000109", apiv2_key="1" * 32, specs=[tmp_path]) as wxpay:
        native = wxpay.v3.pay.transactions.native
        assert "evil" not in repr(native)
        hosts = wxpay.client.tree.root.hosts()
        assert "https://evil.example" in hosts
