"""Networks that fail silently: unresolvable names, peers that accept and do not respond, peers that vanish."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.leap import leap
from tests.patience import until
from tests.ports import free_port
from wxpay_dsl import ConnectionFailedError, RequestTimeoutError, TransportError, Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.background import BackgroundSandbox

#: Seconds that a call may take here, which pass at once where nothing comes; and how late it may be.
TIMEOUT, PATIENCE = 60, 60


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BackgroundSandbox]:
    with BackgroundSandbox() as sandbox:
        yield sandbox


def client(sandbox: BackgroundSandbox | Sandbox, **settings: Any) -> Wechatpay:
    return Wechatpay(**{**sandbox.credentials, "timeout": TIMEOUT, "max_connections": 1, **settings})


async def refund(wxpay: Wechatpay) -> Any:
    amount = {"refund": 100, "total": 100, "currency": "CNY"}
    return await wxpay.v3.refund.domestic.refunds.post(out_refund_no="R1", out_trade_no="T1", amount=amount)


async def query(wxpay: Wechatpay) -> Any:
    return await wxpay.v3.refund.domestic.refunds["{out_refund_no}"].get(out_refund_no="R1")


async def failure(call: Awaitable[Any]) -> TransportError:
    """The error of a call, which must be raised in time."""
    begun = time.monotonic()
    with pytest.raises(TransportError) as caught:
        await call
    assert time.monotonic() - begun < PATIENCE
    return caught.value


async def timed_out(call: Awaitable[Any], arrived: Awaitable[Any]) -> TransportError:
    """The error of a call that times out after its request was received."""
    failing = asyncio.ensure_future(failure(call))
    await arrived
    assert not failing.done()
    leap(TIMEOUT)
    return await failing


@contextlib.contextmanager
def deaf() -> Iterator[socket.socket]:
    """An address where the system accepts connections, and no program responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


async def heard(server: socket.socket) -> socket.socket:
    """The next connection there, once the head of a request has come over it."""
    connection, _ = await asyncio.get_running_loop().sock_accept(server)
    said = b""
    while b"\r\n\r\n" not in said:
        said += await asyncio.get_running_loop().sock_recv(connection, 65536)
    return connection


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def peer(serve: Serve) -> AsyncIterator[str]:
    """A server that treats each connection as the test says, and keeps it open until the end."""
    held = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in held:
            writer.transport.abort()


class TestNames:
    async def test_one_that_nobody_knows_was_not_sent(self, sandbox: BackgroundSandbox) -> None:
        async with client(sandbox, base_url="https://api.mch.invalid", timeout=30, retries=0) as wxpay:
            for call in (refund, query):
                error = await failure(call(wxpay))
                assert isinstance(error, ConnectionFailedError)
                assert (error.sent, error.outcome_unknown) == (False, False)
                assert "api.mch.invalid" in str(error)

    async def test_the_other_host_stands_in(self, sandbox: BackgroundSandbox) -> None:
        """Nothing was sent, so even a call that is not idempotent is sent to the next host."""
        settings = {"base_url": "https://api.mch.invalid", "backup_url": sandbox.url, "timeout": 30}
        async with client(sandbox, **settings) as wxpay:
            response = await wxpay.v3.eduPapay.contracts.presign.post(
                appid="wx8888888888888888",
                openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
                plan_id="12535",
                user_id="20190011",
                period_start_date="2026-03-19",
                trade_scene="EDUCATION_PERIOD",
            )
        assert response.status == 200


class TestSilence:
    async def test_of_a_peer_that_takes_the_connection(self, sandbox: BackgroundSandbox) -> None:
        with deaf() as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            async with client(sandbox, base_url=url) as wxpay, contextlib.AsyncExitStack() as held:

                async def arrived() -> None:
                    held.enter_context(await heard(server))

                error = await timed_out(refund(wxpay), arrived())
                assert isinstance(error, RequestTimeoutError)
                assert error.outcome_unknown
                assert not (await timed_out(query(wxpay), arrived())).outcome_unknown

    async def test_before_tls_is_agreed_on_nothing_was_sent(self, sandbox: BackgroundSandbox) -> None:
        with deaf() as server:
            url = f"https://127.0.0.1:{server.getsockname()[1]}"
            async with client(sandbox, base_url=url, timeout=0.5) as wxpay:
                error = await failure(refund(wxpay))
        assert not error.outcome_unknown

    @pytest.mark.parametrize(
        "said",
        [b"", b"HTTP/1.1 200 OK\r\nContent-Type: appl", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"],
        ids=["nothing", "half a head", "half a body"],
    )
    async def test_in_the_middle_of_an_answer(self, said: bytes, sandbox: BackgroundSandbox) -> None:
        seen = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(said)

        async with peer(serve) as url, client(sandbox, base_url=url, retries=0) as wxpay:
            error = await timed_out(refund(wxpay), until(lambda: len(seen) == 1))
            assert isinstance(error, RequestTimeoutError)
            assert error.outcome_unknown
            # Its connection is not reused: the next call opens another.
            await timed_out(query(wxpay), until(lambda: len(seen) == 2))
        assert len(seen) == 2


async def test_a_connection_whose_peer_vanished_while_it_was_idle_costs_one_timeout(tmp_path: Path) -> None:
    """Packets are dropped, as by a firewall that forgot the connection; the next call succeeds."""
    async with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        vanished, swallowed = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

            async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    if vanished.is_set() and not fresh:
                        swallowed.set()
                        return
                    target.write(data)

            fresh = vanished.is_set()
            try:
                await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))
            finally:
                far_writer.transport.abort()

        async with peer(serve) as url, client(sandbox, base_url=url, retries=0) as wxpay:
            certificates = wxpay.v3.certificates.get
            assert (await certificates()).status == 200
            vanished.set()
            assert isinstance(await timed_out(certificates(), swallowed.wait()), RequestTimeoutError)
            assert (await certificates()).status == 200


async def test_a_service_that_goes_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    async with Sandbox(port, home=tmp_path) as sandbox:
        wxpay = client(sandbox, retries=0)
        assert (await wxpay.v3.certificates.get()).status == 200
    assert isinstance(await failure(wxpay.v3.certificates.get()), ConnectionFailedError)
    async with Sandbox(port, home=tmp_path):
        statuses: list[int] = []

        async def ask() -> bool:
            with contextlib.suppress(TransportError):
                statuses.append((await wxpay.v3.certificates.get()).status)
            return bool(statuses)

        asked = asyncio.ensure_future(ask())
        await until(asked.done)
        assert statuses == [200] or (await ask())
    await wxpay.close()
