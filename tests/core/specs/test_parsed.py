"""What YAML makes of a spec is kept as JSON, which is read in its place while the text is the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as s

from wxpay_dsl.core.specs import parsed, yaml12
from wxpay_dsl.core.specs.index import index_folder
from wxpay_dsl.core.specs.spec_bytes import PARSED

TEXT = b"path: /v1\noperations:\n  /a: {get: {summary: \xe8\x8c\xb6, query: {n?: {type: integer, minimum: 1.5}}}}\n"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read as YAML."""
    seen: list[str] = []
    read = yaml12.read

    def counted(text: bytes, file: str) -> Any:
        seen.append(file)
        return read(text, file)

    monkeypatch.setattr(yaml12, "read", counted)
    return seen


def test_a_text_is_read_as_yaml_once(tmp_path: Path, reads: list[str]) -> None:
    first = parsed.parse(TEXT, "a.yaml", str(tmp_path))
    second = parsed.parse(TEXT, "a.yaml", str(tmp_path))
    assert (
        first
        == second
        == {
            "path": "/v1",
            "operations": {"/a": {"get": {"summary": "茶", "query": {"n?": {"type": "integer", "minimum": 1.5}}}}},
        }
    )
    assert reads == ["a.yaml"]
    assert second is not parsed.parse(TEXT, "a.yaml", str(tmp_path)), "whoever has it may change it"


def test_another_text_is_read_anew(tmp_path: Path, reads: list[str]) -> None:
    parsed.parse(TEXT, "a.yaml", str(tmp_path))
    assert parsed.parse(TEXT.replace(b"/v1", b"/v2"), "a.yaml", str(tmp_path))["path"] == "/v2"
    assert len(reads) == 2


@pytest.mark.parametrize("damage", [b"", b"0 0\n{}", b"00000000 2\n{}", b"[", b"\xff" * 40, b"[" * 100_000])
def test_a_damaged_file_is_replaced(damage: bytes, tmp_path: Path, reads: list[str]) -> None:
    whole = parsed.parse(TEXT, "a.yaml", str(tmp_path))
    (kept,) = (tmp_path / PARSED).iterdir()
    good = kept.read_bytes()
    kept.write_bytes(damage)
    assert parsed.parse(TEXT, "a.yaml", str(tmp_path)) == whole
    assert len(reads) == 2
    assert kept.read_bytes() == good


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    parsed.parse(TEXT, "a.yaml", str(tmp_path))
    (kept,) = (tmp_path / PARSED).iterdir()
    kept.unlink()
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    kept.symlink_to(other)
    parsed.parse(TEXT, "a.yaml", str(tmp_path))
    assert other.read_bytes() == b"mine"
    assert not kept.is_symlink()


def test_where_nothing_can_be_kept_the_text_is_read_each_time(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / PARSED).write_bytes(b"a file where the folder would be")
    for _ in range(2):
        assert parsed.parse(TEXT, "a.yaml", str(tmp_path))["path"] == "/v1"
    assert len(reads) == 2


def test_what_no_spec_has_any_more_is_removed(tmp_path: Path) -> None:
    spec = tmp_path / "a.yaml"
    spec.write_bytes(TEXT)
    index_folder(str(tmp_path), "plain")
    parsed.parse(TEXT, str(spec), str(tmp_path))
    later = TEXT.replace(b"/v1", b"/v2")
    spec.write_bytes(later)
    os.utime(spec, (1, 1))
    parsed.parse(later, str(spec), str(tmp_path))
    index_folder(str(tmp_path), "plain")
    assert [kept.name for kept in (tmp_path / PARSED).iterdir()] == [parsed.portable(later, "a.yaml")[0]]


VALUES = s.recursive(
    s.none() | s.booleans() | s.integers() | s.floats(allow_nan=False, allow_infinity=False) | s.text(),
    lambda inner: s.lists(inner, max_size=4) | s.dictionaries(s.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_whatever_is_kept_comes_back(value: Any, tmp_path: Path) -> None:
    name, content = "x.json", parsed._encoded(value)
    (tmp_path / name).write_bytes(content)
    found, kept = parsed._kept(str(tmp_path / name))
    assert found
    assert kept == value
    assert repr(kept) == repr(value), "types too"
