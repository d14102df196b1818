"""From a call to the bytes on the wire, and everything that is refused before there are any.

Every case runs against the library, which records what reaches it.
"""

from __future__ import annotations

import enum
import json
import math
import re
import types
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.library_api import api as library_api
from tests.core.library_api.server import Library
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.errors import ConfigurationError, ServiceError, UndeclaredPathError, ValidationError
from wxpay_dsl.core.messages import Sections
from wxpay_dsl.core.origins import Origins
from wxpay_dsl.core.request.build import SpecWarning
from wxpay_dsl.core.specs.model import Operation

CASES_FOLDER = Path(__file__).parents[2] / "cases"
REQUESTS = yaml.safe_load((CASES_FOLDER / "requests.yaml").read_text("utf-8"))
REFUSALS = yaml.safe_load((CASES_FOLDER / "refusals.yaml").read_text("utf-8"))

BOOK = {"isbn": "9787020002207", "title": "T"}


def node(api: Client, chain: str) -> Any:
    return eval(f"chain.{chain}", {"chain": api.chain})  # noqa: S307 (our own tables)


def unsent(library: Library) -> bool:
    return library.seen == []


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case["name"])
async def test_what_is_written_and_what_reaches_the_wire(case: dict[str, Any], api: Client, library: Library) -> None:
    data = [case["data"]] if "data" in case else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecWarning)
        try:
            await node(api, case["chain"])(*data, **case.get("fields", {}))
        except ValidationError:
            raise
        except Exception:  # noqa: BLE001, S110 (what the library answers is not the question here)
            pass
    (seen,) = library.seen
    assert f"{seen.method} {seen.target}" == case["is"]
    if "body" in case:
        assert seen.body.decode() == case["body"]
    for name, value in case.get("headers", {}).items():
        assert seen.headers.getall(name) == [value]
    assert len(seen.headers.getall("Content-Type")) == len(seen.headers.getall("Accept")) == 1


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case["name"])
async def test_what_is_refused_before_anything_is_sent(case: dict[str, Any], api: Client, library: Library) -> None:
    data = [case["data"]] if "data" in case else []
    with pytest.raises(ValidationError) as raised:
        await node(api, case["chain"])(*data, **case.get("fields", {}))
    assert list(map(str, raised.value.errors)) == case["faults"]
    assert unsent(library)


BAD_VALUES = {
    "NaN": (math.nan, "expected a finite number, got nan"),
    "infinity": (math.inf, "expected a finite number, got inf"),
    "text": ("1", "expected number, got '1'"),
    "bytes": (b"1", "expected number, got bytes b'1'"),
    "nothing": (None, "expected number, got null (omit an optional field instead)"),
    "truth": (True, "expected number, got True"),
    "a list": ([1], "expected number, got array of 1"),
    "an object": ({}, "expected number, got object"),
    "something else": (object, "expected number, got type <class 'object'>"),
}


@pytest.mark.parametrize(("value", "message"), BAD_VALUES.values(), ids=BAD_VALUES.keys())
@pytest.mark.parametrize("validate", [True, "strict"])
async def test_values_that_are_no_number(
    api: Client, library: Library, value: Any, message: str, validate: Any
) -> None:
    """A value that JSON cannot represent is refused; one of another JSON type is sent with a warning, unless strict."""
    carried = value is None or (isinstance(value, (str, list, dict, bool)))
    if carried and validate is True:
        with pytest.warns(SpecWarning) as warned:
            await api.chain.v1.books.post(BOOK, weight=value)
        assert [str(each.message) for each in warned] == [f"POST /v1/books: body.weight: {message}"]
        assert json.loads(library.seen[0].body)["weight"] == value
        return
    with pytest.raises(ValidationError) as raised:
        await api.chain.v1.books.post(BOOK, weight=value, validate=validate)
    (fault,) = raised.value.errors
    assert (fault.path, fault.message) == ("body.weight", message)
    assert unsent(library)


BAD_TEXTS = {
    "a lone surrogate": ("\ud83d", "body.title: holds a lone surrogate, which is not a character"),
    "two megabytes": ("x" * 2_000_000, r"body: \d+ bytes; at most 1048576 are sent (upload more as a file)"),
    "bytes": (b"T", "body.title: expected string, got bytes b'T' (decode it)"),
    "many bytes": (b"T" * 1000, "body.title: expected string, got bytes b'TTT"),
    "nothing": (None, "body.title: expected string, got null (omit an optional field instead)"),
    "a number": (1, "body.title: expected string, got 1"),
}


@pytest.mark.parametrize(
    ("validate", "value", "message"),
    [
        pytest.param(validate, value, message, id=f"{name}, validate={validate}")
        for name, (value, message) in BAD_TEXTS.items()
        for validate in (True, False, "strict")
        # JSON can represent the others, so only a strict call refuses them.
        if validate == "strict" or isinstance(value, (str, bytes))
    ],
)
async def test_values_that_are_no_text(api: Client, library: Library, value: Any, message: str, validate: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        await api.chain.v1.books.post(isbn="9787020002207", title=value, validate=validate)
    shown = [str(fault) for fault in raised.value.errors]
    if validate is False and isinstance(value, bytes):
        assert shown == ["body.title: bytes is not a JSON value"]
    else:
        pattern = re.escape(message).replace(r"\\d\+", r"\d+")
        assert [re.match(pattern, line) is not None for line in shown] == [True]
    assert len(str(raised.value)) < 500
    assert unsent(library)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (math.nan, "body.extra: nan is not a JSON number"),
        ([1, {"a": -math.inf}], "body.extra[1].a: -inf is not a JSON number"),
        ({"a": {1, 2}}, "body.extra.a: set is not a JSON value"),
        ({(1, 2): 3}, "body.extra.(1, 2): a field name must be a string"),
        ({"\udc00": 1}, "body.extra.'\\udc00': holds a lone surrogate, which is not a character"),
        (10**5000, "body.extra: a number of more than 4300 digits"),
    ],
    ids=["NaN", "infinity below", "a set", "a name that is no text", "half a character", "a huge number"],
)
async def test_what_json_cannot_say_is_found_where_it_is(
    api: Client, library: Library, extra: Any, message: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        await api.chain.v1.books.post(BOOK, extra=extra)
    assert [str(fault) for fault in raised.value.errors] == [message]
    assert unsent(library)


async def test_data_that_holds_itself(api: Client, library: Library) -> None:
    circle: list[Any] = [1]
    circle += [circle, circle, circle]
    with pytest.raises(ValidationError, match=r"body\.extra\[1\]: contains itself") as raised:
        await api.chain.v1.books.post(BOOK, extra=circle)
    assert len(raised.value.errors) == 3
    assert unsent(library)


async def test_ten_thousand_nested_levels(api: Client, library: Library) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep, deep]
    with pytest.raises(ValidationError, match="nested more than 100 levels deep") as raised:
        await api.chain.v1.books.post(BOOK, extra=deep)
    assert len(raised.value.errors) <= 20
    assert unsent(library)


async def test_a_name_of_two_megabytes(api: Client, library: Library) -> None:
    with pytest.raises(ValidationError, match="no such field") as raised:
        await api.chain.v1.books.post(BOOK | {"x" * 2_000_000: 1})
    assert len(str(raised.value)) < 500
    assert unsent(library)


async def test_a_thousand_faults_are_kept_and_twenty_shown(api: Client) -> None:
    with pytest.raises(ValidationError, match="and 981 more") as raised:
        await api.chain.v1.books.post(BOOK, labels={f"l{i}": 0.5 for i in range(1001)})
    assert len(raised.value.errors) == 1001
    assert len(str(raised.value)) < 2000


@pytest.mark.parametrize("value", [10**5000, -(10**200)], ids=["huge", "negative"])
async def test_numbers_that_nobody_can_write(api: Client, library: Library, value: int) -> None:
    with pytest.raises(ValidationError, match=r"query\.n: expected a string or a number, got int out of range"):
        await api.chain.v1.my.thing.get(n=value)
    with pytest.raises(ValidationError, match=r"path\.n: expected a string, got int out of range"):
        await api.chain.v1.my._n_.get(n=value)
    assert unsent(library)


async def test_a_number_too_long_to_show(api: Client, library: Library) -> None:
    with pytest.raises(ValidationError, match=r"body\.title: expected string, got integer out of range"):
        await api.chain.v1.books.post(isbn="9787020002207", title=10**5000, validate="strict")
    with pytest.raises(ValidationError, match=r"body\.year: expected at most 2100, got integer out of range"):
        await api.chain.v1.books.post(BOOK, year=10**5000, validate="strict")
    assert unsent(library)


async def test_a_path_of_ten_thousand_characters(api: Client, library: Library) -> None:
    with pytest.raises(ValidationError, match=r"path\.isbn: 10000 characters are too long for a path"):
        await api.chain.v1.books._isbn_.put(isbn="x" * 10_000, title="T")
    with pytest.raises(ValidationError, match=r"query: \d+ characters are too long for a URL"):
        await api.chain.v1.my.thing.get(q="x" * 10_000)
    with pytest.raises(ValidationError, match=r"header\.X-Trace: expected one line of ASCII text of at most 4096"):
        await api.chain.v1.my.thing.get(headers={"X-Trace": "x" * 10_000})
    assert unsent(library)


@pytest.mark.parametrize("place", ["path", "query", "body", "header"])
async def test_a_lone_surrogate_anywhere(api: Client, library: Library, place: str) -> None:
    calls = {
        "path": lambda: api.chain.v1.my._x_.get(x="\ud800"),
        "query": lambda: api.chain.v1.my.x.get(x="\ud800", y=["\ud800", "\ud801"]),
        "body": lambda: api.chain.v1.my.x.post(x="\ud800"),
        "header": lambda: api.chain.v1.my.x.post(headers={"x": "\ud800"}),
    }
    with pytest.raises(ValidationError) as raised:
        await calls[place]()
    assert {fault.path for fault in raised.value.errors} <= {f"{place}.x", f"{place}.y"}
    assert unsent(library)


def sealing(library: Library) -> Client:
    """A client whose dialect can encrypt."""

    async def encrypt(operation: Operation, sections: Sections) -> Sections:
        return {**sections, "body": {**sections["body"], "phone": "sealed"}}

    return library_api.client(library.url, encrypt=encrypt)


DOUBTFUL = {"isbn": "y", "title": "T", "binding": "leather", "year": 1000, "authors": [{"name": "N"}] * 4}
SAYS = (
    "body.isbn: expected at least 10 characters, got 'y'",
    "body.isbn: expected to match ^[0-9Xx-]+$, got 'y'",
    "body.binding: expected one of soft, hard, got 'leather'",
    "body.year: expected at least 1450, got 1000",
    "body.authors: at most 3 items, got 4",
)


class TestDoubts:
    """A value outside published limits is sent with a warning, since the published limits may be out of date."""

    async def test_are_warned_of_and_sent(self, api: Client, library: Library) -> None:
        with pytest.warns(SpecWarning) as warned:
            await api.chain.v1.books.post(DOUBTFUL)
        assert {str(warning.message) for warning in warned} == {f"POST /v1/books: {line}" for line in SAYS}
        assert len(library.seen) == 1

    async def test_name_the_line_of_the_caller(self, api: Client) -> None:
        with pytest.warns(SpecWarning) as warned:
            await api.chain.v1.books.post(DOUBTFUL)
        assert {warning.filename for warning in warned} == {__file__}

    async def test_are_refused_by_a_strict_call(self, api: Client, library: Library) -> None:
        with pytest.raises(ValidationError) as raised:
            await api.chain.v1.books.post(DOUBTFUL, validate="strict")
        assert sorted(map(str, raised.value.errors)) == sorted(SAYS)
        assert unsent(library)

    async def test_and_by_a_strict_client_unless_a_call_says_otherwise(self, library: Library) -> None:
        async with library_api.client(library.url, validate="strict") as api:
            with pytest.raises(ValidationError):
                await api.chain.v1.books.post(DOUBTFUL)
            with pytest.warns(SpecWarning):
                await api.chain.v1.books.post(DOUBTFUL, validate=True)

    async def test_are_not_looked_for_where_validation_is_off(self, api: Client, library: Library) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await api.chain.v1.books.post(DOUBTFUL, validate=False)
        assert len(library.seen) == 1

    async def test_are_not_warned_of_where_the_request_is_refused(self, api: Client) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValidationError) as raised:
                await api.chain.v1.books.post(BOOK, binding="leather", year=1791.0)
        assert [fault.path for fault in raised.value.errors] == ["body.year"]

    async def test_what_is_sensitive_is_not_shown_and_not_measured(self, library: Library) -> None:
        async with sealing(library) as api:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await api.chain.v1.books.post(BOOK, phone="13800000000")
            with pytest.raises(ValidationError) as raised:
                await api.chain.v1.books.post(BOOK, phone=13800000000)
        assert str(raised.value.errors[0]) == "body.phone: expected string, got integer (a sensitive value, not shown)"


class TestKindsOfData:
    async def test_other_mappings_and_sequences(self, api: Client, library: Library) -> None:
        book = types.MappingProxyType(
            {**BOOK, "price": types.MappingProxyType({"total": 1}), "authors": ({"name": "N"},)}
        )
        await api.chain.v1.books.post(book)
        assert library.seen[0].body == (
            b'{"isbn":"9787020002207","title":"T","price":{"total":1},"authors":[{"name":"N"}]}'
        )

    async def test_enumerations_are_sent_by_value(self, api: Client, library: Library) -> None:
        class Author(str, enum.Enum):  # noqa: UP042 (whose str() is its name)
            CAO = "曹"

        class Year(enum.IntEnum):
            FIRST = 1791

        class Odd(int, enum.Enum):
            ONE = 1

        await api.chain.v1.books.get(author=Author.CAO, year=Year.FIRST)
        await api.chain.v1.my._a_.post(a=Odd.ONE, b=Odd.ONE, c=Author.CAO, headers={"X-Year": Year.FIRST})
        find, post = library.seen
        assert find.target == "/v1/books?author=%E6%9B%B9&year=1791"
        assert post.target == "/v1/my/1"
        assert post.body == '{"b":1,"c":"曹"}'.encode()
        assert post.headers["X-Year"] == "1791"

    async def test_the_callers_data_is_never_changed(self, api: Client) -> None:
        data: dict[str, Any] = {**BOOK, "marc": {"a": [1]}, "price": {"total": 1}}
        before = {**BOOK, "marc": {"a": [1]}, "price": {"total": 1}}
        await api.chain.v1.books.post(data, note=None)
        assert data == before


class TestUndeclaredPaths:
    async def test_are_refused_by_a_strict_client(self, library: Library) -> None:
        async with library_api.client(library.url, strict=True) as api:
            with pytest.raises(UndeclaredPathError) as raised:
                await api.chain.v1.boks.get()
            assert (
                str(raised.value) == "GET /v1/boks: no spec declares this path; the nearest declared path is /v1/books"
            )
            await api.chain.v1.books.get()
        assert [seen.target for seen in library.seen] == ["/v1/books"]

    @pytest.mark.parametrize("name", ["中文", "a b", "a/b", "a?b=c", "a#b", "a%2e"])
    async def test_a_name_that_is_no_segment_is_encoded_as_one(self, api: Client, library: Library, name: str) -> None:
        await getattr(api.chain.v1.my, name).get()
        (seen,) = library.seen
        assert seen.target.removeprefix("/v1/my/").isascii()
        assert unquote(seen.target.removeprefix("/v1/my/")) == name
        assert "/" not in seen.target.removeprefix("/v1/my/")

    async def test_what_an_error_calls_it_is_one_short_line(self, api: Client, library: Library) -> None:
        for segment in ("a\nPOST /v1/other", "\x1b[31m", "x" * 900, "\ud800"):
            with pytest.raises((ServiceError, ValidationError)) as raised:
                await api.chain.v1.nowhere[segment].get(x="\ud800" if segment == "\ud800" else "")
            assert str(raised.value).isprintable()
            assert len(raised.value.operation) < 120

    async def test_a_name_that_climbs_is_refused(self, api: Client, library: Library) -> None:
        with pytest.raises(ValidationError, match="leaves the path"):
            await getattr(api.chain.v1.my, "..").x.get()
        assert unsent(library)


async def test_a_spec_may_name_another_host(library: Library) -> None:
    async with library_api.client(library.url) as api:
        with pytest.raises(
            ConfigurationError, match=r"loans\.yaml to http://127\.0\.0\.1:9, .* not one of this client's"
        ):
            await api.chain.v1.loans.abroad.desk.get()
    origins = Origins.of([library.url, "http://127.0.0.1:9"])
    async with library_api.client(library.url, origins=origins) as api:
        node = api.chain.v1.loans.abroad.desk
        assert (await api.prepare(node._target(), None, {})).url == "http://127.0.0.1:9/v1/loans/abroad/desk"
    async with library_api.client(library.url, use_spec_hosts=False) as api:
        await api.chain.v1.loans.abroad.desk.get()
    assert library.seen[0].target == "/v1/loans/abroad/desk"


SEGMENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(segment=SEGMENTS, value=st.text(st.characters(exclude_categories=["Cs"]), max_size=30), name=SEGMENTS)
async def test_whatever_is_in_them_a_parameter_is_one_segment_and_a_query_one_pair(
    api: Client, library: Library, segment: str, value: str, name: str
) -> None:
    library.seen.clear()
    try:
        await api.chain.v1.my._x_.get(x=segment, query={name: value})
    except ValidationError as error:
        assert any(part in (".", "..") for part in re.split(r"[/\\]", unquote(segment))), error  # noqa: PT017
        assert unsent(library)
        return
    (seen,) = library.seen
    path, _, query = seen.target.partition("?")
    assert unquote(path.removeprefix("/v1/my/")) == segment
    assert "/" not in path.removeprefix("/v1/my/")
    assert tuple(map(unquote, query.split("="))) == (name, value)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.binary(max_size=5)
    | st.sampled_from([object(), Path(), {1}, "9787020002207"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(
            st.text(max_size=5) | st.integers() | st.sampled_from(["total", "name", "isbn"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["isbn", "title", "year", "weight", "price", "authors", "labels", "extra", "marc", "x_librarian_card", "other"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.none() | ANYTHING,
    fields=st.dictionaries(FIELDS, ANYTHING, max_size=4),
    validate=st.sampled_from([True, False]),
)
async def test_anything_is_either_one_request_of_strict_json_or_none(
    api: Client, library: Library, data: Any, fields: dict[str, Any], validate: bool
) -> None:
    library.seen.clear()
    for path in (api.chain.v1.books.post, api.chain.v1.my.thing.post, api.chain.v1.loans.import_.post):
        before = len(library.seen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpecWarning)
            try:
                await path(data, **fields, validate=validate)
            except ValidationError as error:
                str(error).encode()
                assert len(library.seen) == before
                continue
            except ServiceError:
                pass  # the library's own opinion
        assert len(library.seen) == before + 1
        body = library.seen[-1].body
        if body:
            json.loads(body, parse_constant=pytest.fail)
