"""Whatever a server sends, a call ends in time with a response or a clear error, and releases its connection.

The servers are raw sockets on loopback. Each client has one connection, so a call that did not release it would block
the next one.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import threading
import warnings
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.core.library_api.api import client
from tests.core.library_api.server import Library
from tests.core.raw_server import RawServer, Say, for_ever, json_answer, never, once, then_close, then_reset
from tests.leap import leap
from tests.patience import until
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.errors import (
    ClosedError,
    ConnectionFailedError,
    RequestTimeoutError,
    ResponseDecodeError,
    ResponseTooLargeError,
    ResponseTruncatedError,
    SdkError,
    ServiceError,
    TransportError,
)
from wxpay_dsl.core.http.transport import CONNECT, MAX_RESPONSE, Handler, Middleware, Transport, user_agent
from wxpay_dsl.core.messages import Exchange

#: The timeout of calls in these tests, in seconds: more than any machine needs, since no test waits for its end.
TIMEOUT = 60.0


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


@pytest.fixture
async def narrow(server: RawServer) -> AsyncIterator[Client]:
    """A client of the raw server that has one connection."""
    async with client(server.url, transport=Transport("library/1.0", limit=1), timeout=TIMEOUT) as narrow:
        yield narrow


def held(api: Client) -> int:
    """The number of connections that calls have not released."""
    connector: Any = api._transport.session().connector
    return len(connector._acquired)


def connected(api: Client) -> bool:
    """Whether an idle connection is kept that the server has not closed."""
    connector: Any = api._transport.session().connector
    return any(protocol.is_connected() for kept in connector._conns.values() for protocol, _ in kept)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PACKED = gzip.compress(b'{"books":[]}')
HTML = b"<html><body>It works!</body></html>"

BAD_ANSWERS: dict[str, tuple[bytes | Say, type[SdkError], str]] = {
    "HTML": (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(HTML), HTML),
        ResponseDecodeError,
        "the response is not JSON .*It works!",
    ),
    "an empty body": (json_answer(b""), ResponseDecodeError, "an empty body where JSON was expected"),
    "nothing": (then_close(b""), ConnectionFailedError, "the connection broke"),
    "half a status line": (
        then_close(b"HTTP/1."),
        ConnectionFailedError,
        "the (connection broke|response is not HTTP)",
    ),
    "half a head": (then_close(HEAD), ConnectionFailedError, "the connection broke"),
    "half a body": (
        then_close(HEAD + b'Content-Length: 100\r\n\r\n{"books":'),
        ResponseTruncatedError,
        "the response ended early, after 9 bytes of 100",
    ),
    "a reset in the body": (
        then_reset(HEAD + b'Content-Length: 100\r\n\r\n{"books":'),
        TransportError,
        "the (response ended early|connection broke)",
    ),
    "half a chunk": (
        then_close(CHUNKED + b"ff\r\n{"),
        ResponseTruncatedError,
        "the response ended early, after 1 bytes",
    ),
    "no last chunk": (
        then_close(CHUNKED + b'c\r\n{"books":[]}\r\n'),
        ResponseTruncatedError,
        "the response ended early, after 12 bytes",
    ),
    "a Content-Length that is too long": (
        HEAD + b'Content-Length: 13\r\n\r\n{"books":[]}',
        RequestTimeoutError,
        "no complete response within 60 s",
    ),
    "a Content-Length that is too short": (
        HEAD + b'Content-Length: 5\r\n\r\n{"books":[]}',
        TransportError,
        "the response is not (JSON|HTTP)",
    ),
    "a Content-Length that is no number": (
        HEAD + b"Content-Length: twelve\r\n\r\n",
        ConnectionFailedError,
        "the response is not HTTP",
    ),
    "a negative Content-Length": (HEAD + b"Content-Length: -1\r\n\r\n", ConnectionFailedError, "not HTTP"),
    "two lengths": (
        HEAD + b"Content-Length: 12\r\nContent-Length: 2\r\n\r\n{}",
        ConnectionFailedError,
        "the response is not HTTP",
    ),
    "a length and chunks": (
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ConnectionFailedError,
        "the response is not HTTP",
    ),
    "twenty megabytes": (
        then_close(HEAD + b"Content-Length: 20000000\r\n\r\n" + b" " * 20_000_000),
        ResponseTooLargeError,
        f"larger than {MAX_RESPONSE} bytes",
    ),
    "twenty megabytes announced": (
        HEAD + b"Content-Length: 20000000\r\n\r\n",
        ResponseTooLargeError,
        f"larger than {MAX_RESPONSE} bytes",
    ),
    "chunks without end": (
        for_ever(CHUNKED, b"10000\r\n" + b" " * 0x10000 + b"\r\n"),
        ResponseTooLargeError,
        f"larger than {MAX_RESPONSE} bytes",
    ),
    "a body without length or end": (
        for_ever(HEAD + b"\r\n", b" " * 0x10000),
        ResponseTooLargeError,
        f"larger than {MAX_RESPONSE} bytes",
    ),
    "a broken chunk": (
        then_close(CHUNKED + b"xyz\r\n{}\r\n"),
        TransportError,
        "the response (ended early|is not HTTP)",
    ),
    "no answer, ever": (never, RequestTimeoutError, "no complete response within 60 s"),
    "a head that drips": (for_ever(HEAD, b"X: y\r\n", 0.02), RequestTimeoutError, "no complete response within"),
    "a body that drips": (
        for_ever(HEAD + b"Content-Length: 10000\r\n\r\n", b" ", 0.02),
        RequestTimeoutError,
        "no complete response within",
    ),
    "interim answers without end": (
        for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.002),
        RequestTimeoutError,
        "no complete response within",
    ),
    "a reset": (then_reset(b""), ConnectionFailedError, "the connection broke"),
    "another protocol": (then_close(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), ConnectionFailedError, "the response is not HTTP"),
    "a status line of noise": (
        then_close(b"\x16\x03\x01\x00\xa5" * 10 + b"\r\n\r\n"),
        ConnectionFailedError,
        "not HTTP",
    ),
    "a header of a megabyte": (
        then_close(HEAD + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n{}"),
        ConnectionFailedError,
        "the response is not HTTP",
    ),
    "a header with a null": (
        then_close(HEAD + b"X: \x00\r\nContent-Length: 2\r\n\r\n{}"),
        ConnectionFailedError,
        "not HTTP",
    ),
    "ten thousand nested levels": (
        json_answer(b"[" * 100_000 + b"]" * 100_000),
        ResponseDecodeError,
        r"the response is not JSON \(RecursionError",
    ),
    "not a number": (json_answer(b'{"books":NaN}'), ResponseDecodeError, "the response is not JSON .*NaN is not JSON"),
    "an infinity": (json_answer(b'{"books":-Infinity}'), ResponseDecodeError, "-Infinity is not JSON"),
    "a number of 10,000 digits": (json_answer(b"1" * 10_000), ResponseDecodeError, "the response is not JSON"),
    "half a JSON": (json_answer(b'{"books":'), ResponseDecodeError, "the response is not JSON"),
    "two JSONs": (json_answer(b"{}{}"), ResponseDecodeError, "the response is not JSON"),
    "no UTF-8": (json_answer(b'{"a":"\xff"}'), ResponseDecodeError, "the response is not JSON"),
    "compressed, though nobody asked": (
        json_answer(PACKED, headers="Content-Encoding: gzip\r\n"),
        ResponseDecodeError,
        r"the response is not JSON \(compressed with gzip, which was not requested\)",
    ),
    "a redirect": (
        json_answer(b"", "302 Found", "Location: http://127.0.0.1:9/\r\n"),
        ServiceError,
        "GET /v1/books: 302 .* redirects to http://127.0.0.1:9/, and redirects are not followed",
    ),
    "a proxy's refusal": (
        json_answer(HTML, "502 Bad Gateway"),
        ServiceError,
        "502 with a body that is not .*It works!",
    ),
    "an empty refusal": (json_answer(b"", "500 Oops"), ServiceError, "500 with a body that is not .*empty"),
    "a refusal nested too deep": (json_answer(b"[" * 100_000, "400 Bad"), ServiceError, "400 with a body that is not"),
    "a refusal that is a list": (json_answer(b"[1]", "400 Bad"), ServiceError, "400 with a body that is not"),
    "half a refusal": (
        then_close(b"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\n{"),
        ResponseTruncatedError,
        "after 1 bytes of 9",
    ),
    "a status of the future": (json_answer(b"{}", "999 What"), ServiceError, "GET /v1/books: 999"),
    "another protocol's upgrade": (
        then_close(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        SdkError,
        "GET /v1/books: ",
    ),
}


@pytest.mark.parametrize(("said", "kind", "message"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_a_bad_answer_is_a_clear_error_in_time_and_the_connection_is_given_back(
    said: bytes | Say, kind: type[SdkError], message: str, server: RawServer, narrow: Client
) -> None:
    server.script = [said]
    call = asyncio.ensure_future(narrow.chain.v1.books.get())
    await until(lambda: len(server.requests) == 1)
    if kind is RequestTimeoutError:
        assert not call.done()
        leap(TIMEOUT)
    with pytest.raises(kind, match=message) as raised:
        await call
    assert str(raised.value).startswith("GET /v1/books: ")
    assert len(str(raised.value)) < 1000
    assert held(narrow) == 0
    response = await narrow.chain.v1.books.get()
    assert response.data == {"books": []}
    assert len(server.requests) == 2


@pytest.mark.parametrize("verb", ["get", "post"])
@pytest.mark.parametrize(
    ("said", "unknown"),
    [
        (never, True),
        (then_close(b""), True),
        (then_close(HEAD + b"Content-Length: 9\r\n\r\n"), True),
        (HEAD + b"Content-Length: 20000000\r\n\r\n", True),
        (json_answer(b"<"), True),
    ],
    ids=["no answer", "hung up", "cut", "too large", "not JSON"],
)
async def test_the_outcome_of_what_may_have_arrived_is_unknown_unless_repeating_is_harmless(
    said: bytes | Say, unknown: bool, verb: str, server: RawServer, narrow: Client
) -> None:
    server.script = [said]
    books = narrow.chain.v1.books
    call = asyncio.ensure_future(books.get() if verb == "get" else books.post(isbn="9787020002207", title="T"))
    await until(lambda: len(server.requests) == 1)
    if said is never:
        leap(TIMEOUT)
    with pytest.raises(TransportError) as raised:
        await call
    assert raised.value.outcome_unknown is (unknown and verb == "post")
    assert ("the outcome is unknown" in str(raised.value)) is (verb == "post")


class TestNoConnection:
    async def test_nobody_listens(self) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
            async with client(url) as api:
                with pytest.raises(ConnectionFailedError, match="no connection") as raised:
                    await api.chain.v1.books.post(isbn="9787020002207", title="T")
        assert raised.value.outcome_unknown is False

    async def test_the_server_speaks_no_tls(self, server: RawServer) -> None:
        async with client(server.url.replace("http:", "https:"), timeout=0.6) as api:
            with pytest.raises(TransportError, match="no connection") as raised:
                await api.chain.v1.books.post(isbn="9787020002207", title="T")
        assert raised.value.outcome_unknown is False
        assert server.requests == []

    async def test_none_was_free_in_time(self, server: RawServer, narrow: Client) -> None:
        server.script = [never]
        waiting = asyncio.create_task(narrow.chain.v1.books.get())
        await until(lambda: len(server.requests) == 1)
        with pytest.raises(RequestTimeoutError, match=r"no connection within 0\.1 s") as raised:
            await narrow.chain.v1.books.post(isbn="9787020002207", title="T", timeout=0.1)
        assert raised.value.outcome_unknown is False
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def test_no_such_host(self) -> None:
        async with client("http://nowhere.invalid", timeout=0.6) as api:
            with pytest.raises(TransportError):
                await api.chain.v1.books.get()

    @pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[::1", "ftp://127.0.0.1", "nonsense"])
    async def test_an_address_that_is_none(self, url: str) -> None:
        async with client(url, timeout=TIMEOUT) as api:
            with pytest.raises(SdkError):
                await api.chain.v1.books.get()


class TestGoodAnswers:
    async def test_the_whole_of_an_answer(self, server: RawServer, narrow: Client) -> None:
        server.script = [json_answer('{"books":[{"isbn":"1","title":"红"}]}'.encode(), headers="Request-ID: r-1\r\n")]
        response = await narrow.chain.v1.books.get()
        assert response.data == {"books": [{"isbn": "1", "title": "红"}]}
        assert response["books"] == response.data["books"]
        assert (response.status, response.request_id) == (200, "r-1")
        assert response.headers["CONTENT-type"] == "application/json"

    @pytest.mark.parametrize(
        ("said", "data"),
        [
            (b"HTTP/1.1 204 No Content\r\n\r\n", None),
            (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", None),
            (json_answer(b"{}"), {}),
            (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok", b"ok"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", {}),
            (json_answer(b"\xef\xbb\xbf{}"), {}),
            (CHUNKED + b'2;x=y\r\n{"\r\n5\r\na":1}\r\n0\r\nT: v\r\n\r\n', {"a": 1}),
        ],
        ids=["204", "204 with a length", "more than declared", "text", "no type", "a byte order mark", "chunks"],
    )
    async def test_an_operation_that_declares_no_answer_takes_any(
        self, server: RawServer, narrow: Client, said: bytes, data: Any
    ) -> None:
        server.script = [said]
        assert (await narrow.chain.v1.loans.import_()).data == data

    async def test_a_file(self, server: RawServer, narrow: Client) -> None:
        server.script = [b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\x89PNG"]
        response = await narrow.chain.v1.books["1"].cover()
        assert response.data == b"\x89PNG"
        assert b"\r\nAccept: image/png\r\n" in server.requests[0]

    async def test_a_success_by_another_status_than_declared(self, server: RawServer, narrow: Client) -> None:
        server.script = [json_answer(b'{"isbn":"1"}', "202 Accepted")]
        assert (await narrow.chain.v1.books.post(isbn="9787020002207", title="T")).status == 202

    async def test_bytes_as_they_went(self, server: RawServer, narrow: Client) -> None:
        response = await narrow.chain.v1.books["a/b?中"].files["x%2Fy"].get(query={"q": "a b&c"})
        exchange = response.exchange
        target = "/v1/books/a%2Fb%3F%E4%B8%AD/files/x%2Fy?q=a%20b%26c"
        assert server.requests[0].startswith(f"GET {target} HTTP/1.1\r\n".encode())
        assert (exchange.method, exchange.url) == ("GET", server.url + target)
        response = await narrow.chain.v1.my.thing.post(a="中")
        head, _, body = server.requests[1].partition(b"\r\n\r\n")
        assert response.exchange.request_body == body == '{"a":"中"}'.encode()
        sent = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        assert dict(response.exchange.request_headers) == sent
        assert response.exchange.received.body == b'{"books":[]}'
        assert response.exchange.attempts == 1

    async def test_what_every_request_says(self, server: RawServer, narrow: Client) -> None:
        await narrow.chain.v1.books.get()
        head = server.requests[0].decode()
        for line in ("User-Agent: library/1.0", "Accept-Encoding: identity", "Accept: application/json"):
            assert f"\r\n{line}\r\n" in head
        assert "Python/" in user_agent("library", "1.0")

    async def test_no_cookie_is_kept(self, server: RawServer, narrow: Client) -> None:
        server.script = [json_answer(headers="Set-Cookie: session=1; Path=/\r\n")]
        await narrow.chain.v1.books.get()
        await narrow.chain.v1.books.get()
        assert b"ookie" not in server.requests[1]

    async def test_a_redirect_is_not_followed(self, narrow: Client, server: RawServer, library: Library) -> None:
        for status in ("301 Moved", "302 Found", "307 Again", "308 Moved"):
            server.script = [json_answer(b"{}", status, f"Location: {library.url}/v1/books\r\n")]
            with pytest.raises(ServiceError) as raised:
                await narrow.chain.v1.books.post(isbn="9787020002207", title="T")
            assert raised.value.headers["Location"].startswith(library.url)
        assert library.seen == []


class TestConnections:
    async def test_one_is_used_again(self, server: RawServer, narrow: Client) -> None:
        for _ in range(5):
            await narrow.chain.v1.books.get()
        assert server.connections == 1

    async def test_one_that_the_server_closed_is_not(self, server: RawServer, narrow: Client) -> None:
        server.script = [then_close(json_answer())]
        await narrow.chain.v1.books.get()
        await until(lambda: not connected(narrow))
        await narrow.chain.v1.books.get()
        assert server.connections == 2

    async def test_a_call_that_is_cancelled_closes_its_own(self, server: RawServer, narrow: Client) -> None:
        for said in (never, for_ever(HEAD + b"Content-Length: 10000\r\n\r\n", b" ", 0.01)):
            server.script = [said]
            server.requests.clear()
            call = asyncio.create_task(narrow.chain.v1.books.get())
            await until(lambda: len(server.requests) == 1)
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert held(narrow) == 0
            assert (await narrow.chain.v1.books.get()).status == 200

    async def test_a_timeout_around_a_call_is_the_callers(self, server: RawServer, narrow: Client) -> None:
        server.script = [never]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await narrow.chain.v1.books.get()
        assert held(narrow) == 0

    async def test_a_call_may_have_a_timeout_of_its_own(self, server: RawServer, narrow: Client) -> None:
        answer = asyncio.Event()
        server.script = [never, once(answer, json_answer())]
        short = asyncio.create_task(narrow.chain.v1.books.get(timeout=TIMEOUT - 10))
        await until(lambda: len(server.requests) == 1)
        leap(TIMEOUT - 10)
        with pytest.raises(RequestTimeoutError, match="no complete response within 50 s"):
            await short
        long = asyncio.create_task(narrow.chain.v1.books.get(timeout=TIMEOUT * 10))
        await until(lambda: len(server.requests) == 2)
        leap(TIMEOUT * 5)
        answer.set()
        assert (await long).status == 200

    async def test_two_hundred_calls_at_once_each_have_their_own_answer(self, library: Library) -> None:
        async with client(library.url, transport=Transport("library/1.0", limit=10)) as api:
            responses = await asyncio.gather(*(api.chain.v1.my[str(n)].get(query={"n": n}) for n in range(200)))
            assert [response.data["target"] for response in responses] == [f"/v1/my/{n}?n={n}" for n in range(200)]
            assert held(api) == 0

    async def test_waiting_for_a_free_one_is_no_failure_to_connect(self, server: RawServer, narrow: Client) -> None:
        answer = asyncio.Event()
        server.script = [once(answer, json_answer())] * 3
        calls = [asyncio.create_task(narrow.chain.v1.books.get()) for _ in range(3)]
        await until(lambda: len(server.requests) == 1)
        leap(CONNECT * 3)
        answer.set()
        assert [response.status for response in await asyncio.gather(*calls)] == [200] * 3


class TestMiddlewares:
    @pytest.mark.parametrize(
        "error", [PermissionError("locked"), TimeoutError("slow"), ValueError("odd"), KeyError("k")]
    )
    async def test_what_one_raises_is_its_own_and_no_fault_of_the_connection(
        self, server: RawServer, error: Exception
    ) -> None:
        async def failing(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
            raise error

        async with client(server.url, middlewares=lambda exchange: [failing]) as api:
            with pytest.raises(type(error)) as raised:
                await api.chain.v1.books.post(isbn="9787020002207", title="T")
            assert raised.value is error
            assert server.requests == []

    async def test_they_see_errors_of_ours_alone(self, server: RawServer) -> None:
        seen: list[BaseException] = []

        async def watching(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
            try:
                return await handler(wire)
            except Exception as error:
                seen.append(error)
                raise

        server.script = [then_close(b""), json_answer(b"", "500 Oops")]
        async with client(server.url, middlewares=lambda exchange: [watching]) as api:
            with pytest.raises(ConnectionFailedError):
                await api.chain.v1.books.get()
            with pytest.raises(ServiceError):
                await api.chain.v1.books.get()
        assert [type(error) for error in seen] == [ConnectionFailedError]

    async def test_the_first_is_the_outermost_and_the_answer_is_whole_when_it_returns(self, server: RawServer) -> None:
        order: list[str] = []

        def named(name: str, exchange: Exchange) -> Middleware:
            async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
                order.append(f"{name} before")
                response = await handler(wire)
                order.append(f"{name} after {len(exchange.received.body)}")
                return response

            return middleware

        async with client(server.url, middlewares=lambda exchange: [named("a", exchange), named("b", exchange)]) as api:
            await api.chain.v1.books.get()
        assert order == ["a before", "b before", "b after 12", "a after 12"]


class TestTheEnd:
    async def test_a_closed_client_says_so(self, server: RawServer, narrow: Client) -> None:
        await narrow.chain.v1.books.get()
        await narrow.close()
        with pytest.raises(ClosedError, match="the client is closed"):
            await narrow.chain.v1.books.get()
        await narrow.close()
        assert len(server.requests) == 1

    async def test_closing_ends_calls_that_are_under_way(self, server: RawServer) -> None:
        server.script = [never] * 3
        api = client(server.url, timeout=TIMEOUT)
        calls = [asyncio.create_task(api.chain.v1.books.get()) for _ in range(3)]
        await until(lambda: len(server.requests) == 3)
        await api.close()
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, SdkError)
            assert not isinstance(outcome, RequestTimeoutError)

    async def test_nothing_is_left_open(self, server: RawServer) -> None:
        async with client(server.url) as api:
            await asyncio.gather(*(api.chain.v1.books.get() for _ in range(5)))
            assert server.open > 0
        await until(lambda: server.open == 0)

    async def test_a_client_that_was_never_used(self, server: RawServer) -> None:
        async with client(server.url):
            pass
        assert server.connections == 0


class TestEventLoops:
    """One client can be used in several event loops, also concurrently, as a module-level client is."""

    @staticmethod
    def in_threads(*programs: Any) -> list[Any]:
        outcomes: list[Any] = [None] * len(programs)

        def run(position: int, program: Any) -> None:
            try:
                outcomes[position] = asyncio.run(program)
            except BaseException as error:  # noqa: BLE001 (handed to the test)
                outcomes[position] = error

        threads = [threading.Thread(target=run, args=(n, program)) for n, program in enumerate(programs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        return outcomes

    def test_one_after_the_other(self) -> None:
        api = client("http://127.0.0.1:9")

        async def once() -> int:
            async with RawServer() as server:
                api._base_url = server.url
                return (await api.chain.v1.books.get()).status

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert [asyncio.run(once()) for _ in range(3)] == [200, 200, 200]
            gc.collect()
            assert len(api._transport._sessions) <= 1
            asyncio.run(api.close())

    def test_several_at_once(self) -> None:
        async def main() -> None:
            async with Library() as library:
                api = client(library.url)

                async def many() -> list[int]:
                    return [(await api.chain.v1.books.get()).status for _ in range(20)]

                outcomes = await asyncio.to_thread(self.in_threads, many(), many(), many())
                assert outcomes == [[200] * 20] * 3
                assert await many() == [200] * 20
                await api.close()

        asyncio.run(main())

    def test_two_threads_make_their_sessions_at_once(self) -> None:
        """One thread removes loops that have ended while the other adds its own."""
        transport = Transport("test")
        failures: list[BaseException] = []

        async def session() -> None:
            transport.session()

        def other() -> None:
            try:
                asyncio.run(session())
            except BaseException as error:  # noqa: BLE001 (whatever it is, the test tells it)
                failures.append(error)

        class Slow(asyncio.SelectorEventLoop):
            thread: threading.Thread | None = None

            def is_closed(self) -> bool:
                if watching and self.thread is None:
                    self.thread = threading.Thread(target=other)
                    self.thread.start()
                    # Wait for the other thread, as far as it can go on.
                    self.thread.join(2)
                return super().is_closed()

        watching = False
        slow = Slow()
        slow.run_until_complete(session())
        watching = True
        asyncio.run(session())
        assert slow.thread is not None
        slow.thread.join(100)
        assert failures == []
        watching = False
        slow.run_until_complete(slow.shutdown_asyncgens())
        slow.close()
        asyncio.run(transport.close())

    def test_closing_in_one_closes_what_another_has(self) -> None:
        async def main() -> None:
            async with RawServer() as server:
                server.script = [json_answer(), never]
                api = client(server.url, timeout=TIMEOUT)
                waiting = threading.Event()

                async def wait() -> None:
                    await api.chain.v1.books.get()
                    waiting.set()
                    await api.chain.v1.books.get()

                thread = asyncio.create_task(asyncio.to_thread(self.in_threads, wait()))
                await until(lambda: waiting.is_set() and len(server.requests) == 2)
                await api.close()
                (outcome,) = await thread
                assert isinstance(outcome, SdkError)
                assert not isinstance(outcome, RequestTimeoutError)

        asyncio.run(main())

    def test_closing_where_the_other_loop_has_ended(self) -> None:
        api = client("http://127.0.0.1:9")

        async def once() -> None:
            async with RawServer() as server:
                api._base_url = server.url
                await api.chain.v1.books.get()

        asyncio.run(once())
        asyncio.run(api.close())
        with pytest.raises(ClosedError):
            asyncio.run(once())

    def test_closing_where_the_other_loop_rests(self) -> None:
        api = client("http://127.0.0.1:9")
        server = RawServer()
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(server.__aenter__())
            api._base_url = server.url
            loop.run_until_complete(api.chain.v1.books.get())
            asyncio.run(api.close())
            with pytest.raises(ClosedError):
                loop.run_until_complete(api.chain.v1.books.get())
            loop.run_until_complete(server.__aexit__())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
        gc.collect()
