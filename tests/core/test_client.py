"""The client of core with a small API, the library: two dialects, successes and errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.core.conftest import Write
from tests.core.library_api import api as library_api
from tests.core.library_api.server import Library
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.errors import ServiceError, SpecError
from wxpay_dsl.core.http.transport import Transport
from wxpay_dsl.core.messages import Sections
from wxpay_dsl.core.response import Response
from wxpay_dsl.core.specs.model import Operation

CORE = Path(__file__).parents[2] / "wxpay_dsl" / "core"


async def test_a_life_of_a_book(api: Client, library: Library) -> None:
    books = api.chain.v1.books
    added = await books.post(isbn="9787020002207", title="红楼梦", price={"total": 5900})
    assert isinstance(added, Response)
    assert (added.status, added.data, added.request_id) == (201, {"isbn": "9787020002207"}, "lib-1")
    found = await books["9787020002207"].get()
    assert found["title"] == "红楼梦"
    assert (await books.get(author="曹雪芹")).data == {"books": []}
    assert (await books["9787020002207"].cover()).data == b"\x89PNG..."
    removed = await books._isbn_.delete(isbn="9787020002207")
    assert (removed.status, removed.data) == (204, None)
    assert library.books == {}


async def test_a_repr_names_the_fields_and_shows_none(api: Client) -> None:
    added = await api.chain.v1.books.post(isbn="9787020002207", title="T")
    assert repr(added) == "Response(data={isbn}, status=201, request_id='lib-1')"
    book = api.chain.v1.books["9787020002207"]
    assert repr(await book.cover()) == "Response(data=7 bytes, status=200, request_id='lib-2')"
    assert repr(await book.delete()) == "Response(data=None, status=204, request_id='lib-3')"
    assert "9787020002207" not in repr(added.exchange)


async def test_a_refusal_is_whole(api: Client) -> None:
    await api.chain.v1.books.post(isbn="9787020002207", title="T")
    with pytest.raises(ServiceError) as raised:
        await api.chain.v1.books.post(isbn="9787020002207", title="T")
    error = raised.value
    assert (error.operation, error.status, error.code) == ("POST /v1/books", 409, "ALREADY_THERE")
    assert (error.message, error.detail) == ("We have this book", {"field": "isbn", "issue": "taken"})
    assert error.request_id == "lib-2"
    assert error.body.startswith(b'{"code": "ALREADY_THERE"')
    assert "409 ALREADY_THERE We have this book" in str(error)


async def test_a_declared_path_that_is_not_found_has_no_hint(api: Client) -> None:
    with pytest.raises(ServiceError, match="404 NO_SUCH_BOOK 没有这本书") as raised:
        await api.chain.v1.books["9787020002207"].get()
    assert raised.value.hint == ""


async def test_an_undeclared_path_that_is_not_found_names_the_nearest(api: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        await api.chain.v1.boks.post(a=1, undeclared=True)
    assert raised.value.hint == "no spec declares this path; the nearest declared one is /v1/books"
    with pytest.raises(ServiceError) as raised:
        await api.chain.v1.nowhere.near.any_thing.that.isKnown()
    assert raised.value.hint == "no spec declares this path"


class TestAnotherFamily:
    async def test_has_a_form_of_its_own_and_a_prefix_in_the_chain(self, api: Client, library: Library) -> None:
        response = await api.chain.desk.cgi.card(name="Ada")
        assert response.data == {"number": "42", "lines": "2"}
        assert library.seen[0].target == "/cgi/card"

    async def test_and_refusals_of_its_own(self, api: Client) -> None:
        with pytest.raises(ServiceError) as raised:
            await api.chain.desk.cgi.card(name="")
        assert (raised.value.code, raised.value.message) == ("ERR", "a card needs a name")

    async def test_its_client_fills_in_what_the_spec_requires(self, api: Client, library: Library) -> None:
        await api.chain.desk.cgi.card(name="Ada", stamp="x")
        assert library.seen[0].body == b"name=Ada\nstamp=2026\n"


class TestHooks:
    @staticmethod
    def api(library: Library, **hooks: Any) -> Client:
        dialects = {**library_api.DIALECTS, "json": evolve(library_api.DIALECTS["json"], **hooks)}
        return Client(library_api.tree(), dialects, library.url, Transport("library/1.0"))

    async def test_fields_are_finished_after_they_are_checked_and_before_they_are_sent(self, library: Library) -> None:
        async def encrypt(operation: Operation, sections: Sections) -> Sections:
            assert operation.name == "POST /v1/books"
            return {**sections, "body": {**sections["body"], "phone": "sealed"}, "header": {"X-Librarian-Card": "9"}}

        async with self.api(library, encrypt=encrypt) as api:
            response = await api.chain.v1.books.post(isbn="9787020002207", title="T", phone="138")
        (seen,) = library.seen
        assert seen.body == b'{"isbn":"9787020002207","title":"T","phone":"sealed"}'
        assert seen.headers["X-Librarian-Card"] == "9"
        assert response.exchange.request_body == seen.body

    async def test_an_answer_is_finished_before_it_is_handed_on(self, library: Library) -> None:
        async def decrypt(operation: Operation, data: Any) -> Any:
            return {**data, "opened": operation.verb}

        async with self.api(library, decrypt=decrypt) as api:
            assert (await api.chain.v1.books.get()).data == {"books": [], "opened": "get"}
            assert "opened" not in (await api.chain.v1.my.thing.get()).data
            # No field of it comes encrypted.
            assert "opened" not in (await api.chain.v1.books.post(isbn="9787020002207", title="T")).data


async def test_a_request_can_be_prepared_and_not_sent(api: Client, library: Library) -> None:
    target = api.chain.v1.books.post._target()
    request = await api.prepare(target, {"isbn": "9787020002207"}, {"title": "T", "timeout": 5})
    assert (request.name, request.method, request.url) == ("POST /v1/books", "POST", f"{library.url}/v1/books")
    assert request.options.timeout == 5
    assert "9787020002207" not in repr(request)
    assert library.seen == []
    exchange = await api.send(request)
    assert exchange.received.status == 201


async def test_three_lines_of_yaml_are_an_endpoint(library: Library, folder: Path, write: Write) -> None:
    write("mine.yaml", "path: /v1/my\noperations:\n  /thing: {post: {}}\n")
    async with library_api.client(library.url, folders=(str(folder),), strict=True) as api:
        assert (await api.chain.v1.my.thing(a=1)).data == {"method": "POST", "target": "/v1/my/thing"}
        assert (await api.chain.v1.books.get()).status == 200


async def test_a_broken_file_takes_down_its_own_calls_alone(library: Library, folder: Path, write: Write) -> None:
    write("mine.yaml", "path: /v1/my\noperations:\n  /thing: {post: {}\n")
    async with library_api.client(library.url, folders=(str(folder),)) as api:
        assert (await api.chain.v1.books.get()).status == 200
        with pytest.raises(SpecError, match=r"mine\.yaml:4:1: "):
            await api.chain.v1.my.thing(a=1)
    assert len(library.seen) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path: /v1/my\noperations:\n\t/thing: {post: {}}\n", "a tab; indent with spaces"),
        ("path: /v1/my\noperations: {/thing: {post: {}}, /thing: {post: {}}}\n", "the key '/thing' is given twice"),
        (f"path: /v1/my\noperations: {{/thing: {{post: {'{body: ' * 10_000}", "nested more than 64 levels deep"),
        (
            "path: /v1/my\ndefinitions: {A: {$ref: '#/definitions/A'}}\noperations: {/thing: {post: {}}}\n",
            "is circular",
        ),
        ("path: /v1/my\noperations: {/thing: {post: {body: {a: {typ: x}}}}}\n", "'typ' is not a keyword of a field"),
    ],
    ids=["a tab", "a key twice", "ten thousand levels", "a circle", "an unknown word"],
)
async def test_a_spec_that_cannot_be_read_ends_in_its_place_and_in_no_request(
    library: Library, folder: Path, write: Write, text: str, says: str
) -> None:
    write("mine.yaml", text.encode())
    async with library_api.client(library.url, folders=(str(folder),)) as api:
        with pytest.raises(SpecError, match=re.escape(says)) as raised:
            await api.chain.v1.my.thing.post({"a": 1})
    assert raised.value.file == str(folder / "mine.yaml")
    assert raised.value.line >= 1
    assert library.seen == []


async def test_a_byte_order_mark_before_a_spec_is_nothing(library: Library, folder: Path, write: Write) -> None:
    write("mine.yaml", "\ufeffpath: /v1/my\noperations: {/thing: {post: {body: {a: {type: integer}}}}}\n".encode())
    async with library_api.client(library.url, folders=(str(folder),)) as api:
        assert (await api.chain.v1.my.thing.post(a=1)).status == 200


async def test_a_base_url_may_have_a_path(library: Library) -> None:
    async with library_api.client(f"{library.url}/proxied/") as api:
        await api.chain.v1.books.get(query={"a": 1})
    assert library.seen[0].target == "/proxied/v1/books?a=1"


def test_the_framework_is_imported_without_the_rest() -> None:
    # In a package of the same name that holds nothing but the framework's folder.
    program = """
import sys, types
package = types.ModuleType("wxpay_dsl")
package.__path__ = [sys.argv[1]]
sys.modules["wxpay_dsl"] = package
import wxpay_dsl.core.client
print(*[name for name in sys.modules if name.startswith("wxpay_dsl.") and not name.startswith("wxpay_dsl.core")])
"""
    run = subprocess.run([sys.executable, "-c", program, str(CORE.parent)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
