"""Lint: problems of specs that load, each with file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.conftest import Write, tree_of
from wxpay_dsl.core.lint.lint import Finding, lint


def found(folder: Path, *below: Path) -> list[str]:
    """``file:line:column: severity: message`` of each finding, the files without their folders."""
    every = lint(tree_of(*below, folder))
    assert every == sorted(every)
    return [str(finding).replace(f"{folder}/", "").replace(f"{folder.parent}/", "") for finding in every]


def in_body(fields: str) -> str:
    return f"path: /v1\noperations:\n  /a:\n    post:\n      summary: s\n      body:\n        {fields}\n"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("n: {type: integer, example: '1'}", "28: error: the example: expected integer, got '1'"),
        ("s: {enum: [A, B], example: C}", "27: error: the example: expected one of A, B, got 'C'"),
        ("s: {maxLength: 2, example: abc}", "27: error: the example: expected at most 2 characters, got 'abc'"),
        ("s: {minLength: 4, default: abc}", "27: error: the default: expected at least 4 characters, got 'abc'"),
        ("s: {pattern: '^[0-9]+$', example: x}", "34: error: the example: expected to match ^[0-9]+$, got 'x'"),
        ("n: {type: integer, maximum: 3, example: 4}", "40: error: the example: expected at most 3, got 4"),
        ("n: {type: integer, enum: [1, '2']}", "38: error: the value '2' of `enum`: expected integer, got '2'"),
        ("n: {minimum: 2, type: integer, enum: [1]}", "47: error: the value 1 of `enum`: expected at least 2, got 1"),
        ("s: {minLength: 3, maxLength: 2}", "9: error: at least 3 and at most 2: no value is both"),
        ("a: {items: {type: integer, example: q}}", "36: error: the example: expected integer, got 'q'"),
        ("o: {properties: {x?: {type: boolean, example: 1}}}", "46: error: the example: expected boolean, got 1"),
        ("o: {properties: {x: X}, example: {x: 1}}", "33: error: the example, x: expected string, got 1"),
        ("d: {format: date, example: '20260319'}", "27: error: the example: '20260319' is not a date"),
        ("d: {format: date, example: '2026-02-30'}", "27: error: the example: '2026-02-30' is not a date"),
        (
            "d: {format: date-time, example: '2026-03-19T12:30+08:00'}",
            "32: error: the example: '2026-03-19T12:30+08:00' is not a date-time",
        ),
        ("u: {format: uri, example: pay.weixin.qq.com}", "26: error: the example: 'pay.weixin.qq.com' is not a uri"),
        ("s: {example: AA或者BB}", "13: error: the example: 'AA或者BB' is several values in one string"),
        ("s: {example: AA 或 BB}", "13: error: the example: 'AA 或 BB' is several values in one string"),
        ("s: {example: AA、BB}", "13: error: the example: 'AA、BB' is several values in one string"),
        ("s: {example: AA or BB}", "13: error: the example: 'AA or BB' is several values in one string"),
        (
            "o: {properties: {d: {format: date}}, example: {d: soon}}",
            "46: error: the example: 'soon' is not a date",
        ),
        ("o: {additionalProperties: {type: integer, example: a}}", "51: error: the example: expected integer, got 'a'"),
    ],
)  # fmt: skip
def test_a_field_whose_own_words_it_refuses(folder: Path, write: Write, fields: str, says: str) -> None:
    write("shop.yaml", in_body(fields))
    assert f"shop.yaml:7:{says}" in found(folder)


@pytest.mark.parametrize(
    "fields",
    [
        "s: {enum: [A, B], example: A, default: B}",
        "d: {format: date, example: '2026-03-19'}",
        "d: {format: date-time, example: '2026-03-19T12:30:00+08:00'}",
        "d: {format: date-time, example: '2026-03-19T12:30:00.123Z'}",
        "u: {format: uri, example: 'https://pay.weixin.qq.com/x?a=b'}",
        "s: {example: SUCCESS}",
        "n: {type: integer, nullable: true, example: null}",
        "s: {encrypted: true, maxLength: 2, example: plain text}",
        "j: {contentMediaType: application/json, example: '{\"a\": 1}'}",
        "j: {contentMediaType: application/json, example: {a: 1}}",
        "o: {properties: {x: X, y?: Y}, example: {x: a}}",
        "a?: A",
        "a:",
    ],
)
def test_nothing_is_said_of_what_is_right(folder: Path, write: Write, fields: str) -> None:
    write("shop.yaml", in_body(fields))
    assert found(folder) == []


def test_fields_of_roles_that_the_operation_has_not(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        path: /v1
        roles: [merchant]
        definitions: {Sub: {properties: {id: {roles: [partner]}}}}
        operations:
          /a:
            post:
              summary: s
              body:
                a: {roles: [partner]}
                b?: {properties: {c?: {required_by: [merchnt]}}}
                d?: {$ref: '#/definitions/Sub'}
                e?: {required_by: [merchant]}
        """,
    )
    assert found(folder) == [
        "shop.yaml:10:13: error: 'partner' is not a role of the operation (its roles: merchant)",
        "shop.yaml:11:32: error: 'merchnt' is not a role of the operation (its roles: merchant)",
    ]


def test_an_example_that_should_be_json(folder: Path, write: Write) -> None:
    write("shop.yaml", in_body("j: {contentMediaType: application/json, example: '{a'}"))
    (line,) = found(folder)
    assert line.startswith("shop.yaml:7:49: error: the example is not JSON, though `contentMediaType` says so: ")


def test_a_definition_is_faulted_once_where_it_stands(folder: Path, write: Write) -> None:
    write("common.yaml", "Money: {properties: {total: {type: integer, example: one}}}\n")
    write(
        "shop.yaml",
        """
        path: /v1
        definitions:
          State: {enum: [A], example: B}
        operations:
          /a: {post: {summary: s, body: {paid: {$ref: common.yaml#/Money}, state: {$ref: '#/definitions/State'}}}}
          /b: {post: {summary: s, body: {back: {$ref: common.yaml#/Money, example: {total: x}}}}}
        """,
    )
    assert found(folder) == [
        "common.yaml:1:45: error: the example: expected integer, got 'one'",
        "shop.yaml:4:22: error: the example: expected one of A, got 'B'",
        "shop.yaml:7:67: error: the example, total: expected integer, got 'x'",
    ]


def test_names_that_a_call_could_not_give(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        path: /v1
        operations:
          /orders/{id}:
            post:
              summary: s
              query:
                id?: again
                timeout?: the caller's option
              body:
                from: one keyword
                from_?: and the same
        """,
    )
    assert found(folder) == [
        "shop.yaml:8:9: error: 'id' is in the path and the query: a name can be in one section only",
        "shop.yaml:9:9: error: 'timeout' is an option of every call: this field can only be passed in a mapping",
        "shop.yaml:12:9: error: 'from_' and 'from' are the same keyword argument in Python",
    ]


def test_two_templates_that_no_name_tells_apart(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        path: /v1
        operations:
          /a/{x}/b/{y}: {get: {summary: s}}
          /a/{y}/b/{x}: {get: {summary: s}, post: {summary: s}}
          /c/{x}: {get: {summary: s}}
          /c/{y}: {get: {summary: s}}
        """,
    )
    assert found(folder) == [
        "shop.yaml:5:3: error: GET /v1/a/{y}/b/{x} and /v1/a/{x}/b/{y}: their fields do not distinguish them"
    ]


def test_segments_that_no_name_reaches(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        path: /v1
        operations:
          /foo_bar: {get: {summary: s}}
          /foo-bar: {get: {summary: s}}
          /two-words: {get: {summary: s}}
          /twoWords: {get: {summary: s}}
          /items: {delete: {summary: s}}
          /items/delete: {post: {summary: s}}
          /return/import: {post: {summary: s}}
          /{id}: {get: {summary: s}}
          /A.b: {get: {summary: s}}
        """,
    )
    (line,) = found(folder)
    assert line.startswith(
        "shop.yaml:9:3: warning: `.delete()` is the verb on the path before it; call the path of 'delete' "
    )


def test_a_segment_that_hides_behind_two_others(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        operations:
          /fooBar: {get: {summary: s}}
          /foo-bar/x: {get: {summary: s}}
          /foo_bar: {get: {summary: s}}
        """,
    )
    assert found(folder) == [
        "shop.yaml:4:3: warning: no name reaches the segment 'foo-bar': `fooBar` is 'fooBar'; only `['foo-bar']` does"
    ]


def test_the_same_operation_in_two_files(folder: Path, write: Write, tmp_path: Path) -> None:
    write(
        "a.yaml", "path: /v1\noperations: {/x: {get: {summary: s}, post: {summary: s}}}\nevents: {paid: {summary: p}}\n"
    )
    write("b.yaml", "operations:\n  /v1/x:\n    get: {summary: s}\nevents:\n  paid: {summary: p}\n")
    assert found(folder) == [
        "b.yaml:3:5: error: GET /v1/x is also in a.yaml",
        "b.yaml:5:3: error: the event paid is also in a.yaml",
    ]


def test_a_later_folder_may_say_an_operation_anew(folder: Path, write: Write, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write("shop.yaml", "operations: {/v1/x: {get: {summary: s}}}")
    write("mine.yaml", "operations: {/v1/x: {get: {summary: mine}}}", other)
    assert found(folder, other) == []


def test_an_operation_and_an_event_want_a_summary(folder: Path, write: Write) -> None:
    write("shop.yaml", "path: /v1\noperations:\n  /new:\n    post: {}\nevents:\n  paid: {}\n")
    assert found(folder) == [
        "shop.yaml:4:5: warning: POST /v1/new has no `summary`: the official name",
        "shop.yaml:6:3: warning: the event paid has no `summary`: the official name",
    ]


def test_what_keeps_a_file_from_loading_does_not_hide_the_others(folder: Path, write: Write) -> None:
    write("a.yaml", "path: /a\noperations:\n  /x: {get: {summary: s, body: {n: {$ref: '#/definitions/No'}}}}\n")
    write("b.yaml", "path: /b\noperations:\n  /x/{id}: {get: {summary: s, path: {no: N}}}\n")
    write("c.yaml", "path: /c\noperations: [\n")
    write("d.yaml", "path: /d\noperations: {/x: {get: {}}}\n")
    lines = found(folder)
    assert [line.split(": ")[0] for line in lines] == ["a.yaml:3:37", "b.yaml:3:38", "c.yaml:3:1", "d.yaml:2:19"]
    assert "names nothing" in lines[0]
    assert "'no' is not in the path" in lines[1]


def test_a_finding_is_a_line_that_editors_jump_to() -> None:
    assert str(Finding("a.yaml", 3, 7, "wrong", "warning")) == "a.yaml:3:7: warning: wrong"
