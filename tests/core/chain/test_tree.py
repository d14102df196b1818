"""The tree of one or several folders: Python names, overriding folders, and files that cannot be read."""

from __future__ import annotations

import keyword
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.conftest import Write, tree_of
from wxpay_dsl.core.chain.tree import Branch, kebab, spelling
from wxpay_dsl.core.errors import SpecError


def segments(*names: str) -> Branch:
    branch = Branch()
    branch.children = {name: Branch() for name in names}
    return branch


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("eduPapay", "edu-papay"),
        ("EduPapay", "edu-papay"),
        ("outTradeNo", "out-trade-no"),
        ("v3", "v3"),
        ("_refund_id_", "{refund_id}"),
        ("_outTradeNo_", "{outTradeNo}"),
        ("_x_", "{x}"),
        ("_empty_", ""),
        ("global_", "global"),
        ("import_", "import"),
        ("my_new_thing", "my_new_thing"),
        ("trailing_", "trailing_"),
        ("_private", "_private"),
        ("sendCouponV2", "send-coupon-v2"),
        ("ABC", "a-b-c"),
    ],
)
def test_a_name_as_the_url_writes_it(name: str, segment: str) -> None:
    assert kebab(name) == segment


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        ("edu-papay", "eduPapay"),
        ("{refund_id}", "_refund_id_"),
        ("", "_empty_"),
        ("global", "global_"),
        ("return", "return_"),
        ("addInstitutionsub", "addInstitutionsub"),
        ("edu_papay", "edu_papay"),
        ("a-1b", "a_1b"),
        ("v3.0", '["v3.0"]'),
        ("1st", '["1st"]'),
        ("_draft", '["_draft"]'),
    ],
)
def test_a_segment_as_documentation_spells_it(segment: str, name: str) -> None:
    assert spelling(segment) == name
    if not name.startswith("["):
        assert segments(segment).named(name) == segment


@pytest.mark.parametrize("name", ["eduPapay", "edu_papay", "EduPapay"])
def test_a_declared_segment_has_several_names(name: str) -> None:
    assert segments("edu-papay", "other").named(name) == "edu-papay"


def test_what_stands_there_wins_over_what_the_rule_makes_of_it() -> None:
    branch = segments("addInstitutionsub", "add-institutionsub", "edu_papay", "edu-papay", "import", "{id}")
    assert branch.named("addInstitutionsub") == "addInstitutionsub"
    assert branch.named("edu_papay") == "edu_papay"
    assert branch.named("eduPapay") == "edu-papay"
    assert branch.named("import_") == "import"
    assert branch.named("_id_") == "{id}"
    assert branch.named("eduPapai") is None
    assert branch.named("id") is None


@given(st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True) | st.sampled_from(keyword.kwlist))
def test_every_usual_segment_is_reached_by_its_spelling(segment: str) -> None:
    name = spelling(segment)
    assert name.isidentifier()
    assert not keyword.iskeyword(name)
    assert segments(segment, "another").named(name) == segment


@given(st.text(min_size=1))
def test_any_name_has_one_segment_and_no_slash_of_its_own(name: str) -> None:
    assert kebab(name).count("/") == name.count("/")
    assert kebab(name) == kebab(name)


class TestFolders:
    def test_one_folder(self, folder: Path, write: Write) -> None:
        write("a.yaml", "title: A\npath: /v1\noperations: {/x: {get: {summary: 读}, post: {}}, '/x/{id}': {get: {}}}")
        write("old.yaml", "dialect: old\npath: /pay\noperations: {/micro: {post: {}}}")
        tree = tree_of(folder)
        assert [(d.verb, d.path, d.summary) for d in tree.declared()] == [
            ("get", "/v1/x", "读"),
            ("post", "/v1/x", ""),
            ("get", "/v1/x/{id}", ""),
            ("post", "/pay/micro", ""),
        ]
        branch = tree.find(["old", "pay", "micro"])
        assert branch is not None
        assert branch.verbs["post"].operation().dialect == "old"
        assert tree.find(["pay"]) is None
        assert tree.find(["v1", "nothing", "below"]) is None
        assert [operation.name for operation in tree.operations()] == [
            "GET /v1/x",
            "POST /v1/x",
            "GET /v1/x/{id}",
            "POST /pay/micro",
        ]

    def test_a_later_folder_adds_and_overrides_single_operations(
        self, folder: Path, write: Write, tmp_path: Path
    ) -> None:
        own = tmp_path / "own"
        write("a.yaml", "path: /v1\noperations: {/x: {get: {summary: 旧}, post: {summary: 旧}}}")
        write("mine.yaml", "path: /v1\noperations: {/x: {get: {summary: 新}}, /y: {get: {summary: 新}}}", own)
        tree = tree_of(folder, own)
        found = {(d.verb, d.path): d for d in tree.declared()}
        assert {key: d.operation().summary for key, d in found.items()} == {
            ("get", "/v1/x"): "新",
            ("post", "/v1/x"): "旧",
            ("get", "/v1/y"): "新",
        }
        assert found["get", "/v1/x"].file.path == str(own / "mine.yaml")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            tree_of(tmp_path / "nowhere")

    def test_events(self, folder: Path, write: Write) -> None:
        write("n/a.yaml", "events: {PAID: {summary: 成功}, REFUND: {}}")
        tree = tree_of(folder)
        assert tree.event_names() == ["PAID", "REFUND"]
        event = tree.event("PAID")
        assert event is not None
        assert event.summary == "成功"
        assert tree.event("NOTHING") is None


class TestBrokenFiles:
    @pytest.fixture
    def broken(self, folder: Path, write: Write) -> Path:
        write("good.yaml", "path: /v1/good\noperations: {/a: {get: {}}}")
        write("fields.yaml", "path: /v1/fields\noperations:\n  /a:\n    get:\n      query: {b: {typ: x}}\n")
        return write("bad.yaml", "path: /v1/bad\noperations:\n  /a: {get: {}\n")

    def test_a_syntax_error_takes_down_no_other_file(self, folder: Path, broken: Path) -> None:
        tree = tree_of(folder)
        assert [(d.verb, d.path) for d in tree.declared()] == [("get", "/v1/fields/a"), ("get", "/v1/good/a")]
        good = tree.find(["v1", "good", "a"])
        assert good is not None
        assert good.verbs["get"].operation().name == "GET /v1/good/a"

    def test_its_product_says_file_and_line_when_touched(self, folder: Path, broken: Path) -> None:
        tree = tree_of(folder)
        branch = tree.find(["v1", "bad"])
        assert branch is not None
        assert branch.broken is not None
        with pytest.raises(SpecError, match=r"bad\.yaml:4:1: "):
            branch.broken[0].product()

    def test_a_mistake_among_its_fields_shows_at_first_touch(self, folder: Path, broken: Path) -> None:
        branch = tree_of(folder).find(["v1", "fields", "a"])
        assert branch is not None
        with pytest.raises(SpecError, match=r"fields\.yaml:5:19: 'typ' is not a keyword .*; did you mean 'type'"):
            branch.verbs["get"].operation()

    def test_preload_finds_it(self, folder: Path, broken: Path) -> None:
        with pytest.raises(SpecError, match=r"bad\.yaml:4:1: "):
            tree_of(folder).preload()

    def test_an_operation_that_was_edited_away_since(self, folder: Path, write: Write) -> None:
        file = write("a.yaml", "path: /v1\noperations: {/x: {get: {}}}\nevents: {PAID: {}}")
        tree = tree_of(folder)
        file.write_text("path: /v1\noperations: {/y: {get: {}}}")
        (declared,) = tree.declared()
        with pytest.raises(SpecError, match=r"a\.yaml: no longer declares get /v1/x"):
            declared.operation()
        with pytest.raises(SpecError, match=r"a\.yaml: no longer declares the event PAID"):
            tree.event("PAID")

    def test_what_was_read_stays_for_the_life_of_the_tree(self, folder: Path, write: Write) -> None:
        write("a.yaml", "path: /v1\noperations: {/x: {get: {summary: 一}}}")
        tree = tree_of(folder)
        (declared,) = tree.declared()
        first = declared.operation()
        write("a.yaml", "path: /v1\noperations: {/x: {get: {summary: 二}}}")
        assert declared.operation() is first
        assert tree_of(folder).declared()[0].operation().summary == "二"


class TestUndeclaredPaths:
    @pytest.fixture
    def nodes(self, folder: Path, write: Write) -> Path:
        write("home.yaml", "path: /v1/shop\noperations: {'/orders/{id}': {get: {}}, /refunds: {post: {}}}")
        write(
            "abroad.yaml", "path: /v1/abroad\nhost: https://hk.example\noperations: {/a: {get: {}}, /b/c: {post: {}}}"
        )
        write("old.yaml", "dialect: old\npath: /pay\noperations: {/micro: {post: {host: 'https://old.example'}}}")
        return folder

    @pytest.mark.parametrize(
        ("chain", "host"),
        [
            (("v1", "abroad", "new"), "https://hk.example"),
            (("v1", "abroad", "b", "d"), "https://hk.example"),
            (("v1", "shop", "new"), ""),
            (("v1", "new"), ""),  # below /v1 they do not agree
            (("v2", "new"), ""),
            ((), ""),
            (("old", "pay", "new"), "https://old.example"),
        ],
    )
    def test_the_host_is_that_of_the_nearest_where_they_agree(
        self, nodes: Path, chain: tuple[str, ...], host: str
    ) -> None:
        assert tree_of(nodes).host_of(chain) == host

    def test_finding_the_host_reads_no_product(self, nodes: Path, write: Write) -> None:
        write(
            "abroad2.yaml",
            "path: /v1/abroad\nhost: https://hk.example\noperations: {/z: {get: {query: {a: {typ: x}}}}}",
        )
        assert tree_of(nodes).host_of(("v1", "abroad", "new")) == "https://hk.example"

    @pytest.mark.parametrize(
        ("chain", "dialect"), [(("v1", "x"), "json"), (("old", "x"), "old"), (("older",), "json"), ((), "json")]
    )
    def test_the_family_is_that_of_the_prefix(self, nodes: Path, chain: tuple[str, ...], dialect: str) -> None:
        assert tree_of(nodes).dialect_of(chain) == dialect

    @pytest.mark.parametrize(
        ("path", "nearest"),
        [
            ("/v1/shop/order/{id}", "/v1/shop/orders/{id}"),
            ("/v1/shop/refund", "/v1/shop/refunds"),
            ("/v1/abroad/aa", "/v1/abroad/a"),
            ("/entirely-different-thing", ""),
        ],
    )
    def test_the_nearest_declared_path(self, nodes: Path, path: str, nearest: str) -> None:
        assert tree_of(nodes).nearest(path) == nearest
