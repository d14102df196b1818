"""The chain: names to paths, nodes that have attributes and can be called, and requests by calls only."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import pydoc
import time
import timeit
from collections.abc import Coroutine, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.core.conftest import Write, tree_of
from tests.core.library_api import api as library_api
from wxpay_dsl.core.chain.node import Literal, Node, Target
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.errors import SpecError

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "chain.yaml").read_text("utf-8"))


class Recorder:
    """A caller that sends nothing and records its calls."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.calls: list[tuple[Target, Any, Mapping[str, Any]]] = []

    def call(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Coroutine[Any, Any, str]:
        self.calls.append((target, data, fields))
        return self._reply()

    async def _reply(self) -> str:
        return "sent"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(library_api.tree())


@pytest.fixture
def chain(recorder: Recorder) -> Node:
    return Node(recorder)


async def meant(recorder: Recorder, node: Node) -> Target:
    await node()
    return recorder.calls[-1][0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["chain"])
async def test_a_chain_names_a_verb_and_a_path(case: dict[str, Any], recorder: Recorder, chain: Node) -> None:
    target = await meant(recorder, eval(f"chain.{case['chain']}", {"chain": chain}))  # noqa: S307 (our own table)
    path = "/" + "/".join(target.segments)
    declared = f"{target.declared.verb.upper()} {target.declared.path}" if target.declared else None
    assert f"{target.verb.upper()} {path}" == case["is"]
    assert declared == case.get("declared")
    assert dict(target.bound) == case.get("bound", {})


def test_a_literal_segment_is_marked_as_one(chain: Node) -> None:
    segments = chain.v1.books["a/b"]._segments
    assert [type(segment) for segment in segments] == [str, str, Literal]
    assert [type(segment) for segment in chain.v1.books["shelf-marks"]._segments] == [str, str, str]


@pytest.mark.parametrize("segment", [1, None, b"x", slice(1), ("a", "b")])
def test_only_text_is_a_segment(chain: Node, segment: Any) -> None:
    with pytest.raises(TypeError, match=r"a segment is text, not \w+: write node\["):
        chain.v1.books[segment]


async def test_data_and_fields_are_handed_on_untouched(recorder: Recorder, chain: Node) -> None:
    data = {"isbn": "1"}
    assert await chain.v1.books.post(data, title="t", self=1, name=2) == "sent"
    _, got, fields = recorder.calls[-1]
    assert got is data
    assert fields == {"title": "t", "self": 1, "name": 2}


async def test_data_is_positional_only_so_that_a_field_may_have_any_name(recorder: Recorder, chain: Node) -> None:
    await chain.v1.loans.import_(data=1, caller=2, segments=3, verb=4)
    assert recorder.calls[-1][1:] == (None, {"data": 1, "caller": 2, "segments": 3, "verb": 4})


@pytest.mark.parametrize(
    "name", ["root", "tree", "call", "caller", "segments", "parent", "mro", "keys", "items", "copy"]
)
async def test_no_public_name_of_a_node_hides_a_segment(recorder: Recorder, chain: Node, name: str) -> None:
    target = await meant(recorder, getattr(chain.v1.x, name))
    assert target.segments == ("v1", "x", name)


class TestTheMiddleOfAChain:
    """A call in the middle of a chain, where nothing is declared, is refused by the client."""

    async def test_without_a_verb(self, recorder: Recorder, chain: Node) -> None:
        target = await meant(recorder, chain.v1.loans.abroad)
        assert (target.verb, target.declared, target.below) == ("post", None, ("desk",))

    async def test_with_a_verb_it_is_an_undeclared_path_like_any_other(self, recorder: Recorder, chain: Node) -> None:
        target = await meant(recorder, chain.v1.loans.abroad.post)
        assert (target.segments, target.below) == (("v1", "loans", "abroad"), ())

    async def test_the_first_name_alone(self, recorder: Recorder, chain: Node) -> None:
        assert (await meant(recorder, chain.v1.post)).below == ("books", "loans")
        assert (await meant(recorder, chain.desk.get)).below == ("cgi",)

    async def test_no_name_at_all(self, recorder: Recorder, chain: Node) -> None:
        assert (await meant(recorder, chain)).below == ("desk", "v1")
        assert (await meant(recorder, chain.post)).below == ("desk", "v1")


class TestProbing:
    """Probing an object, as tools do, never sends a request."""

    NAMES = (
        "__await__",
        "__len__",
        "__length_hint__",
        "__array__",
        "__array_interface__",
        "__dataframe__",
        "__html__",
        "__rich__",
        "__wrapped__",
        "__fspath__",
        "__index__",
        "__int__",
        "__float__",
        "__bytes__",
        "__enter__",
        "__aenter__",
        "__aiter__",
        "__next__",
        "__contains__",
        "__get__",
        "__set_name__",
        "__attrs_attrs__",
        "__dataclass_fields__",
        "__pydantic_validator__",
        "__getstate__x",
        "_repr_html_",
        "_repr_png_",
        "_repr_mimebundle_",
        "_ipython_display_",
        "_ipython_canary_method_should_not_exist_",
        "then",
        "shape",
        "dtype",
        "_fields",
        "_asdict",
        "_parse",
    )

    @pytest.mark.parametrize("name", NAMES)
    def test_names_that_tools_look_for_are_not_there(self, chain: Node, recorder: Recorder, name: str) -> None:
        for node in (chain, chain.v1.books, chain.v1.undeclared.thing):
            assert not hasattr(node, name)
            assert getattr(node, name, None) is None
        assert recorder.calls == []

    def test_unless_a_spec_declares_them(self, folder: Path, write: Write) -> None:
        write("a.yaml", "path: /v1\noperations: {/then: {get: {}}, /_repr_html_: {get: {}}}")
        chain = Node(Recorder(tree_of(folder)))
        assert chain.v1.then._segments == ("v1", "then")
        assert chain.v1._repr_html_._segments == ("v1", "_repr_html_")

    async def test_awaiting_a_node_without_a_call(self, chain: Node, recorder: Recorder) -> None:
        with pytest.raises(TypeError, match="await"):
            await chain.v1.books.get  # type: ignore[misc]  # what is tested
        assert recorder.calls == []

    def test_copies_are_the_node_itself(self, chain: Node) -> None:
        node = chain.v1.books
        assert copy.copy(node) is node
        assert copy.deepcopy(node) is node
        assert copy.deepcopy({"a": [node]})["a"][0] is node

    def test_pickling_is_refused(self, chain: Node) -> None:
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(chain.v1.books)

    @pytest.mark.parametrize("probe", [iter, list, tuple, set, sum, "".join, lambda node: 1 in node, len, next, abs])
    def test_it_is_no_collection(self, chain: Node, recorder: Recorder, probe: Any) -> None:
        with pytest.raises(TypeError):
            probe(chain.v1.books)
        assert recorder.calls == []

    def test_truth_equality_and_hash(self, chain: Node, recorder: Recorder) -> None:
        node = chain.v1.books
        assert node
        assert callable(node)
        assert node == chain.v1.books
        assert node != chain.v1.loans
        assert {node: 1}[chain.v1.books] == 1
        assert recorder.calls == []

    def test_inspection(self, chain: Node, recorder: Recorder) -> None:
        node = chain.v1.books.post
        assert not inspect.iscoroutinefunction(node)
        assert not inspect.isawaitable(node)
        assert inspect.unwrap(node) is node
        inspect.getmembers(node)
        assert recorder.calls == []

    @pytest.mark.parametrize("name", ["books", "post", "new"])
    def test_a_node_is_not_assigned_to(self, chain: Node, name: str) -> None:
        with pytest.raises(AttributeError, match="endpoints are added in YAML"):
            setattr(chain.v1, name, 1)


class TestLooking:
    def test_repr_says_verb_path_title_and_page(self, chain: Node) -> None:
        assert repr(chain.v1.books.post) == (
            "<v1.books.post: POST /v1/books Add a book https://library.example/docs/add>"
        )
        assert repr(chain.v1.books) == (
            "<v1.books: GET /v1/books Find books https://library.example/docs/find; "
            "POST /v1/books Add a book https://library.example/docs/add>"
        )
        assert repr(chain.v1.books["978"]).startswith('<v1.books["978"]: GET /v1/books/{isbn} One book; PUT ')
        assert repr(chain.v1) == "<v1: 2 below: books, loans>"
        assert repr(chain) == "<the chain: 2 below: desk, v1>"
        assert repr(chain.v1.nothing.here) == "<v1.nothing.here: not declared by any spec>"

    def test_dir_lists_children_and_verbs_as_they_are_written(self, chain: Node) -> None:
        assert dir(chain) == ["desk", "v1"]
        assert dir(chain.v1.books) == ["_isbn_", "get", "post", "shelfMarks"]
        assert dir(chain.v1.loans) == ["_card_", "_loan_id_", "abroad", "delete", "global_", "import_"]
        assert dir(chain.v1.books._isbn_) == ["cover", "delete", "files", "get", "put"]
        assert dir(chain.v1.nothing) == []

    def test_every_name_that_dir_lists_leads_to_what_is_declared(self, chain: Node) -> None:
        def walk(node: Node) -> int:
            found = len([branch for branch in node._branches if branch.verbs])
            return found + sum(walk(getattr(node, name)) for name in dir(node) if getattr(node, name)._branches)

        assert walk(chain) == len({declared.path for declared in library_api.tree().declared()})

    def test_help_shows_the_fields(self, chain: Node) -> None:
        with redirect_stdout(io.StringIO()) as shown:
            help(chain.v1.books.post)
        text = shown.getvalue()
        for line in (
            "Add a book — POST /v1/books",
            "await v1.books.post(…)",
            "https://library.example/docs/add-by-post",
            "roles: librarian",
            "isbn: string  ISBN",
            "price?: object",
            "total: integer  cents",
        ):
            assert line in text
        assert "GET /v1/books" not in text

    def test_help_of_a_path_shows_all_its_verbs(self, chain: Node) -> None:
        text = pydoc.plain(pydoc.render_doc(chain.v1.books._isbn_))
        for name in ("GET", "PUT", "DELETE"):
            assert f"{name} /v1/books/{{isbn}}" in text

    def test_help_of_what_is_not_declared(self, chain: Node) -> None:
        assert "not declared by any spec" in pydoc.render_doc(chain.v1.nothing)
        assert "2 below: books, loans" in pydoc.render_doc(chain.v1)


class TestBrokenFiles:
    @pytest.fixture
    def broken(self, folder: Path, write: Write) -> Node:
        write("good.yaml", "path: /v1/good\noperations: {/a: {get: {summary: 好}}}")
        write("bad.yaml", "path: /v1/bad\noperations:\n  /a: {get: {}\n")
        write("shelves.yaml", "path: /v1/shelves/{shelf}\noperations:\n\t/a: {get: {}}\n")
        write("fields.yaml", "path: /v1/fields\noperations:\n  /a:\n    get:\n      query: {b: {typ: x}}\n")
        return Node(Recorder(tree_of(folder)))

    @pytest.mark.parametrize("path", ["bad", "bad.a", "bad.a.get", "bad.other.post"])
    def test_what_lies_below_it_is_refused_with_file_and_line(self, broken: Node, path: str) -> None:
        with pytest.raises(SpecError, match=r"bad\.yaml:4:1: "):
            eval(f"broken.v1.{path}()", {"broken": broken})  # noqa: S307 (our own table)

    def test_below_a_template_too(self, broken: Node) -> None:
        for node in (broken.v1.shelves._shelf_.a, broken.v1.shelves["7"].a.get):
            with pytest.raises(SpecError, match=r"shelves\.yaml:3:1: "):
                node()

    async def test_its_neighbours_work(self, broken: Node) -> None:
        assert await broken.v1.good.a.get() == "sent"
        assert await broken.v1.other.thing() == "sent"

    def test_looking_at_it_shows_the_fault(self, broken: Node) -> None:
        assert "fields.yaml:5:19: 'typ' is not a keyword of a field" in repr(broken.v1.fields.a)
        assert "fields.yaml:5:19: 'typ' is not a keyword of a field" in pydoc.render_doc(broken.v1.fields.a)

    async def test_mending_it_while_the_process_runs_is_told_apart(self, broken: Node, write: Write) -> None:
        write("bad.yaml", "path: /v1/bad\noperations:\n  /a: {get: {}}\n")
        with pytest.raises(SpecError, match=r"bad\.yaml: could not be read when this process started"):
            broken.v1.bad.a.get()


class TestCost:
    def test_a_child_is_resolved_once(self, chain: Node) -> None:
        assert chain.v1.books.post is chain.v1.books.post
        assert chain.v1.undeclared.thing is chain.v1.undeclared.thing

    def test_literals_are_not_kept(self, chain: Node) -> None:
        before = len(vars(chain.v1.books))
        for number in range(100):
            assert chain.v1.books[str(number)].cover.get
        assert len(vars(chain.v1.books)) == before

    def test_a_cached_step_is_an_attribute_and_nothing_more(self, chain: Node) -> None:
        assert chain.v1.books.shelfMarks.post  # resolved now
        steps, rounds = 4, 20_000
        seconds = min(
            timeit.repeat(lambda: chain.v1.books.shelfMarks.post, number=rounds, repeat=5, timer=time.thread_time)
        )
        # 20 ns where this was written; a step that builds anything costs 3 µs.
        assert seconds / rounds / steps < 500e-9
