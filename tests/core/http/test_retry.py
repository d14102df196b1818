"""Retries: which calls are retried, how often, after which pauses, at which origin, and which never are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from attrs import define, field
from yarl import URL

from tests.leap import leap
from tests.ports import free_port
from wxpay_dsl.core.errors import ClosedError, ConnectionFailedError, RequestTimeoutError, ResponseTruncatedError
from wxpay_dsl.core.http.failover import FailoverHosts
from wxpay_dsl.core.http.retry import RetryPolicy, retry, retry_after
from wxpay_dsl.core.http.transport import Transport
from wxpay_dsl.core.messages import Exchange, Options, Request

Step = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUICK = RetryPolicy(attempts=3, pause=0.01, longest_pause=0.02)


@define
class Server:
    """Responds with one step after the other, and then always with the last one."""

    steps: list[Step]
    origin: str = ""
    seen: list[web.BaseRequest] = field(factory=list)
    bodies: list[bytes] = field(factory=list)
    news: asyncio.Condition = field(factory=asyncio.Condition)

    async def arrived(self, count: int) -> None:
        """Waits for the ``count``-th request."""
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(lambda: len(self.seen) >= count), 60)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        step = self.steps[min(len(self.seen), len(self.steps) - 1)]
        self.seen.append(request)
        self.bodies.append(await request.read())
        async with self.news:
            self.news.notify_all()
        return await step(request)


@asynccontextmanager
async def serving(*steps: Step) -> AsyncIterator[Server]:
    server = Server(list(steps))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


def answers(status: int = 200, text: str = "{}", **headers: str) -> Step:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def step(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=named)

    return step


async def drops(request: web.Request) -> web.StreamResponse:
    """Reads the whole request, then closes the connection without a response: the outcome is unknown."""
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionResetError


async def truncates(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response


async def hangs(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError("nobody waits so long")


def dead_origin() -> str:
    """An origin where nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


def exchange_for(origin: str, *, safe: bool, body: bytes = b"") -> Exchange:
    return Exchange(
        Request(
            name="GET /thing" if safe else "POST /thing",
            method="GET" if safe else "POST",
            url=f"{origin}/thing/a%2Fb?q=%E4%B8%AD",
            headers={"Content-Type": "application/json"} if body else {},
            body=body,
            operation=None,
            dialect="plain",
            sections={},
            options=Options(),
            safe=safe,
        )
    )


async def send(
    exchange: Exchange,
    policy: RetryPolicy = QUICK,
    hosts: FailoverHosts | None = None,
    timeout: float = 60.0,
    inner: tuple[Any, ...] = (),
    transport: Transport | None = None,
) -> Exchange:
    own = transport or Transport("test/1")
    again = retry(exchange, policy, hosts)
    try:
        await own.send(exchange, (*(() if again is None else (again,)), *inner), timeout)
    finally:
        if transport is None:
            await own.close()
    return exchange


@pytest.mark.parametrize("bad", [answers(500), answers(502, "<html>"), answers(503), answers(429), drops, truncates])
async def test_a_call_that_is_safe_to_repeat_is_sent_again(bad: Step) -> None:
    async with serving(bad, bad, answers()) as server:
        exchange = await send(exchange_for(server.origin, safe=True))
    assert exchange.received.status == 200
    assert exchange.attempts == len(server.seen) == 3


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_call_that_may_do_something_is_sent_once_whatever_the_answer(status: int) -> None:
    async with serving(answers(status), answers()) as server:
        exchange = await send(exchange_for(server.origin, safe=False, body=b"{}"))
    assert exchange.received.status == status
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("bad", "error"),
    [(drops, ConnectionFailedError), (truncates, ResponseTruncatedError), (hangs, RequestTimeoutError)],
)
async def test_a_lost_answer_to_a_call_that_may_do_something_is_reported_never_repeated(bad: Step, error: Any) -> None:
    async with serving(bad, answers()) as server, serving(answers()) as backup:
        hosts = FailoverHosts(server.origin, backup.origin)
        task = asyncio.ensure_future(send(exchange_for(server.origin, safe=False, body=b"{}"), hosts=hosts))
        await server.arrived(1)
        if bad is hangs:
            leap(60)
        with pytest.raises(error) as caught:
            await task
    assert caught.value.outcome_unknown
    assert "outcome is unknown" in str(caught.value)
    assert (len(server.seen), len(backup.seen)) == (1, 0)


async def test_other_refusals_are_answers_and_not_repeated() -> None:
    async with serving(answers(400), answers()) as server:
        exchange = await send(exchange_for(server.origin, safe=True))
    assert exchange.received.status == 400
    assert len(server.seen) == 1


async def test_after_the_last_attempt_the_last_answer_is_given_whole() -> None:
    async with serving(answers(500, "1"), answers(502, "2"), answers(503, "3"), answers()) as server:
        exchange = await send(exchange_for(server.origin, safe=True))
    assert (exchange.received.status, exchange.received.body) == (503, b"3")


async def test_an_error_says_how_often_it_was_tried() -> None:
    async with serving(drops) as server:
        with pytest.raises(ConnectionFailedError, match=r"after 3 attempts") as caught:
            await send(exchange_for(server.origin, safe=True))
    assert not caught.value.outcome_unknown
    assert len(server.seen) == 3


async def test_attempts_of_one_switch_it_off() -> None:
    assert retry(exchange_for("http://127.0.0.1:1", safe=True), RetryPolicy(attempts=1)) is None
    async with serving(answers(500), answers()) as server:
        exchange = await send(exchange_for(server.origin, safe=True), RetryPolicy(attempts=1))
    assert exchange.received.status == 500


async def test_nothing_but_the_policy_repeats_a_request() -> None:
    """aiohttp by itself would retry GET, PUT and DELETE after a broken kept-alive connection."""
    async with serving(answers(), drops) as server:
        transport = Transport("test/1")
        await send(exchange_for(server.origin, safe=True), transport=transport)
        with pytest.raises(ConnectionFailedError):
            await send(exchange_for(server.origin, safe=True), RetryPolicy(attempts=1), transport=transport)
        await transport.close()
    assert len(server.seen) == 2


async def test_each_attempt_passes_the_inner_middlewares_anew_with_the_same_bytes() -> None:
    count = 0

    async def stamp(wire: Any, handler: Any) -> Any:
        nonlocal count
        count += 1
        wire.headers["Stamp"] = str(count)
        return await handler(wire)

    exchange = exchange_for("", safe=True, body=b'{"a":1}')
    async with serving(answers(500), answers(500), answers()) as server:
        exchange = exchange_for(server.origin, safe=True, body=b'{"a":1}')
        await send(exchange, inner=(stamp,))
    assert [request.headers.getall("Stamp") for request in server.seen] == [["1"], ["2"], ["3"]]
    assert server.bodies == [b'{"a":1}'] * 3


async def test_the_connection_is_given_back_before_the_next_attempt() -> None:
    transport = Transport("test/1", limit=1)
    async with serving(answers(500), answers(500), answers()) as server:
        exchange = await send(exchange_for(server.origin, safe=True), transport=transport)
        await transport.close()
    assert exchange.received.status == 200
    ports = {request.transport for request in server.seen}
    assert len(ports) == 1


async def test_retry_after_is_waited_for() -> None:
    async with serving(answers(429, Retry_After="1"), answers()) as server:
        began = time.monotonic()
        await send(exchange_for(server.origin, safe=True))
        assert time.monotonic() - began >= 1.0
    assert len(server.seen) == 2


@pytest.mark.parametrize("asked", ["60", "Fri, 31 Dec 2125 23:59:59 GMT"])
async def test_a_retry_after_beyond_the_cap_is_left_to_the_caller(asked: str) -> None:
    async with serving(answers(429, Retry_After=asked), answers()) as server:
        began = time.monotonic()
        exchange = await send(exchange_for(server.origin, safe=True), timeout=90)
        assert time.monotonic() - began < 60
    assert exchange.received.status == 429
    assert exchange.received.headers["Retry-After"] == asked
    assert len(server.seen) == 1


async def test_a_pause_that_would_outlast_the_call_is_not_begun() -> None:
    """The caller gets the error of the service rather than a timeout that hides it."""
    patient = RetryPolicy(attempts=3, longest_retry_after=1e6)
    async with serving(answers(503, Retry_After="61"), answers()) as server:
        exchange = await send(exchange_for(server.origin, safe=True), patient, timeout=60)
    assert exchange.received.status == 503
    assert len(server.seen) == 1


async def test_the_timeout_is_the_whole_calls_attempts_included() -> None:
    async with serving(answers(500), hangs) as server:
        task = asyncio.ensure_future(send(exchange_for(server.origin, safe=True), timeout=60))
        await server.arrived(2)
        leap(60)
        with pytest.raises(RequestTimeoutError, match="no complete response within 60 s"):
            await task
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}, lambda: datetime(2026, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("safe", [True, False])
async def test_without_a_connection_the_second_origin_serves_any_call(safe: bool) -> None:
    dead = dead_origin()
    async with serving(answers()) as backup:
        exchange = await send(exchange_for(dead, safe=safe, body=b"{}"), hosts=FailoverHosts(dead, backup.origin))
    assert exchange.received.status == 200
    assert exchange.url == f"{backup.origin}/thing/a%2Fb?q=%E4%B8%AD"
    assert backup.seen[0].path_qs == "/thing/a%2Fb?q=%E4%B8%AD"
    assert backup.seen[0].headers["Host"] == URL(backup.origin).host_port_subcomponent


async def test_the_second_origin_does_not_repeat_what_may_do_something() -> None:
    dead = dead_origin()
    async with serving(answers(500), answers()) as backup:
        exchange = await send(exchange_for(dead, safe=False, body=b"{}"), hosts=FailoverHosts(dead, backup.origin))
    assert exchange.received.status == 500
    assert len(backup.seen) == 1


async def test_with_both_origins_dead_the_error_says_that_nothing_was_sent() -> None:
    first, second = dead_origin(), dead_origin()
    with pytest.raises(ConnectionFailedError) as caught:
        await send(exchange_for(first, safe=False), hosts=FailoverHosts(first, second))
    assert (caught.value.sent, caught.value.outcome_unknown) == (False, False)


async def test_without_a_second_origin_an_unsafe_call_is_tried_once() -> None:
    dead = dead_origin()
    exchange = exchange_for(dead, safe=False)
    with pytest.raises(ConnectionFailedError):
        await send(exchange, hosts=FailoverHosts(dead))
    assert exchange.attempts == 1


async def test_after_a_later_failure_only_a_safe_call_changes_origin() -> None:
    async with serving(drops) as primary, serving(answers()) as backup:
        hosts = FailoverHosts(primary.origin, backup.origin)
        exchange = await send(exchange_for(primary.origin, safe=True), hosts=hosts)
        assert exchange.received.status == 200
        assert (len(primary.seen), len(backup.seen)) == (1, 1)
        # One broken connection does not make the client leave the primary for good.
        assert hosts.first() == URL(primary.origin)


async def test_a_refusal_does_not_change_the_origin() -> None:
    async with serving(answers(500), answers()) as primary, serving(answers()) as backup:
        await send(exchange_for(primary.origin, safe=True), hosts=FailoverHosts(primary.origin, backup.origin))
    assert (len(primary.seen), len(backup.seen)) == (2, 0)


async def test_an_unreachable_primary_is_left_alone_for_a_while() -> None:
    now = 1000.0
    dead = dead_origin()
    async with serving(answers()) as backup:
        hosts = FailoverHosts(dead, backup.origin, cooldown=60, clock=lambda: now)
        first = await send(exchange_for(dead, safe=False), hosts=hosts)
        second = await send(exchange_for(dead, safe=False), hosts=hosts)
        now += 61
        third = await send(exchange_for(dead, safe=False), hosts=hosts)
    assert [first.attempts, second.attempts, third.attempts] == [2, 1, 2]


async def test_other_origins_have_no_stand_in() -> None:
    async with serving(answers()) as overseas:
        hosts = FailoverHosts("http://127.0.0.1:1", "http://127.0.0.1:2")
        assert retry(exchange_for(overseas.origin, safe=False), QUICK, hosts) is None
        exchange = await send(exchange_for(overseas.origin, safe=True), hosts=hosts)
    assert exchange.url.startswith(overseas.origin)


async def test_cancelling_a_call_ends_its_attempts_and_gives_the_connection_back() -> None:
    transport = Transport("test/1", limit=1)
    async with serving(answers(503), hangs, answers()) as server:
        task = asyncio.ensure_future(
            send(exchange_for(server.origin, safe=True), transport=transport),
        )
        await server.arrived(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        exchange = await send(exchange_for(server.origin, safe=True), transport=transport)
        await transport.close()
    assert exchange.received.status == 200
    assert len(server.seen) == 3


async def test_closing_ends_the_attempts() -> None:
    transport = Transport("test/1")
    slow = RetryPolicy(attempts=3, longest_retry_after=100)
    async with serving(answers(503, Retry_After="50")) as server:
        task = asyncio.ensure_future(send(exchange_for(server.origin, safe=True), slow, transport=transport))
        await server.arrived(1)
        await asyncio.sleep(0.05)
        await transport.close()
        while not task.done():
            leap(50)  # the pause is over
            await asyncio.sleep(0.01)
        with pytest.raises((ClosedError, ConnectionFailedError)):
            await task
    assert len(server.seen) == 1
