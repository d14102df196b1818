"""Small specs with exponential cost, by doubling references or backtracking patterns, are refused or bounded."""

from __future__ import annotations

import re
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.conftest import tree_of
from wxpay_dsl.core.chain.describe import describe
from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.lint.lint import lint
from wxpay_dsl.core.request.validate import check
from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.core.specs.patterns import matcher, pattern_error
from wxpay_dsl.core.specs.writer import write

#: Seconds of this thread's own time that a thing may take which is bounded; unbounded ones take hours.
SOON = 20.0


def doubling(steps: int, where: str = "definitions") -> dict[str, Any]:
    """Definitions of which each holds the next one twice."""
    below = [f"#/definitions/A{n + 1}" for n in range(steps)]
    holds = {
        "definitions": lambda ref: {"properties": {"a": {"$ref": ref}, "b": {"$ref": ref}}},
        "items": lambda ref: {"properties": {"a": {"items": {"$ref": ref}}, "b": {"items": {"$ref": ref}}}},
        "additionalProperties": lambda ref: {"properties": {"a": {"$ref": ref}}, "additionalProperties": {"$ref": ref}},
    }[where]
    return {**{f"A{n}": holds(ref) for n, ref in enumerate(below)}, f"A{steps}": {"title": "end"}}


@pytest.mark.parametrize("where", ["definitions", "items", "additionalProperties"])
@pytest.mark.parametrize("section", ["body", "query", "returns"])
@pytest.mark.timeout(120)
def test_references_that_double_are_not_followed(where: str, section: str, tmp_path: Path) -> None:
    spec = {
        "definitions": doubling(28, where),
        "operations": {"/v1/x": {"post": {section: {"a": {"$ref": "#/definitions/A0"}}}}},
    }
    text = write(spec)
    assert len(text) < 4000
    (tmp_path / "bomb.yaml").write_text(text)
    tree = tree_of(tmp_path)
    (declared,) = tree.declared()
    with pytest.raises(SpecError, match=r"bomb\.yaml:\d+:\d+: its references expand to more than 20000 fields"):
        declared.operation()
    assert "expand to more than 20000 fields" in str(lint(tree))


@pytest.mark.timeout(120)
def test_nor_many_of_them_that_each_would_do(tmp_path: Path) -> None:
    operations = {f"/v1/x{n}": {"post": {"body": {"a": {"$ref": "#/definitions/A0"}}}} for n in range(40)}
    (tmp_path / "bomb.yaml").write_text(write({"definitions": doubling(12), "operations": operations}))
    with pytest.raises(SpecError, match="the references in this file expand to more than 200000 fields"):
        tree_of(tmp_path).preload()


@pytest.mark.timeout(120)
def test_what_is_large_and_not_too_large_is_written_out_soon(tmp_path: Path) -> None:
    spec = {
        "definitions": doubling(11),
        "operations": {"/v1/x": {"post": {"body": {"a": {"$ref": "#/definitions/A0"}}}}},
    }
    (tmp_path / "large.yaml").write_text(write(spec))
    tree = tree_of(tmp_path)
    (declared,) = tree.declared()
    begun = thread_time()
    assert len(describe(declared.operation()).splitlines()) > 4000
    assert thread_time() - begun < SOON


#: Each has a text that it would be tried on for hours.
CATASTROPHIC = [
    "^(a+)+$",
    "^(a*)*$",
    "^(a|aa)+$",
    "^(a|a?)+$",
    "^(.*a){20}$",
    "^((a+)b?)+$",
    "^(?:a{1,50}){1,50}$",
    "^" + "a?" * 40 + "a" * 40 + "$",
    "(?=(a+)+$)b",
    "^(?i:(a|A)+)+$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"^(\w+\s?)*$",
]
#: Polynomial: never tried on a text for which that is long.
SLOW = ["a*a*a*a*a*$b", ".*.*.*.*x", r"\s+$|^(x)?\s*\s*\s*y", "(a|b|c)*d", "[a-z]{1,30}[a-z]{1,30}[a-z]{1,30}0"]
FINE = [
    (r"^[0-9]{6}$", "123456", "12345"),
    (r"^(?:\d{8}|\d{14}|OnAccept)$", "20260319", "2026"),
    (r"^[a-zA-Z0-9|*_-]{1,128}$", "a" * 128, "a" * 129),
    (r"^(\d{3},)*\d{3}$", "123,456", "123,45"),
    (r"^(?:\d{1,3}\.){3}\d{1,3}$", "127.0.0.1", "127.0.0"),
    (r"^https://[^/]+/.*$", "https://a.example/b", "http://a.example/b"),
    (r"^wx[0-9a-f]+$", "wx8888", "w8888"),
]


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_pattern_that_takes_for_ever_is_no_spec(pattern: str, tmp_path: Path) -> None:
    assert re.compile(pattern)
    (tmp_path / "bomb.yaml").write_text(
        write({"operations": {"/v1/x": {"post": {"body": {"a": {"pattern": pattern}}}}}})
    )
    (declared,) = tree_of(tmp_path).declared()
    with pytest.raises(SpecError, match=r"bomb\.yaml:\d+:\d+: the pattern .* would take too long"):
        declared.operation()


@pytest.mark.parametrize("pattern", SLOW)
@pytest.mark.timeout(120)
def test_a_pattern_that_is_slow_is_tried_on_short_texts_alone(pattern: str) -> None:
    assert pattern_error(pattern) == ""
    schema = Schema(pattern=pattern)
    begun = thread_time()
    for length in (1, 10, 15, 20, 31, 100, 300, 1000, 3000, 10_000, 1_000_000):
        for letter in ("a", " ", "x"):
            check(schema, letter * length, "body.a")
    assert thread_time() - begun < SOON


@pytest.mark.parametrize(("pattern", "good", "bad"), FINE)
def test_patterns_as_they_are_published_hold(pattern: str, good: str, bad: str) -> None:
    assert pattern_error(pattern) == ""
    assert matcher(pattern)(good)
    assert not matcher(pattern)(bad)
    assert [mismatch.path for mismatch in check(Schema(pattern=pattern), bad, "body.a")] == ["body.a"]


REPEATS = ["*", "+", "?", "{1,9}", "{2}", "{0,40}", "*?"]
PARTS = st.recursive(
    st.sampled_from(["a", "b", "[ab]", ".", r"\w", "ab"]),
    lambda below: st.one_of(
        st.tuples(below, st.sampled_from(REPEATS)).map("(?:{0[0]}){0[1]}".format),
        st.lists(below, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.lists(below, min_size=2, max_size=4).map("".join),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(pattern=PARTS, text=st.text("ab", min_size=1, max_size=40), times=st.sampled_from([1, 5, 50, 5000]))
@pytest.mark.timeout(280)
def test_whatever_pattern_is_taken_is_tried_in_bounded_time(pattern: str, text: str, times: int) -> None:
    if pattern_error(pattern):
        return
    for tried in (text * times + "!", "a" * 40 * times + "!"):
        begun = thread_time()
        found = matcher(pattern + "$")(tried) if not pattern_error(pattern + "$") else True
        assert thread_time() - begun < SOON / 4
        if len(tried) < 30 and not pattern_error(pattern + "$"):
            assert found or re.search(pattern + "$", tried) is None
