"""The examples in docs/examples, each on its real server: aiohttp.web, uvicorn, gunicorn."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.notify.conftest import PAYMENT, Sender, Wire, make_sender
from tests.ports import free_port
from wxpay_dsl.sandbox.keys import home
from wxpay_dsl.sandbox.keys.platform import Platform

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

ROOT = Path(__file__).parents[2]
SERVERS = {
    "notify_aiohttp": [sys.executable, "notify_aiohttp.py"],
    "notify_fastapi": [sys.executable, "-m", "uvicorn", "--port", "{port}", "notify_fastapi:app"],
    "notify_flask": [
        *(sys.executable, "-m", "gunicorn", "--workers", "2", "--no-control-socket"),
        *("--bind", "127.0.0.1:{port}", "notify_flask:app"),
    ],
}


class Server:
    """An example that serves, in a folder of its own."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/wxpay/notify"
        self.output = folder / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [word.format(port=self.port) for word in command],
                cwd=folder,
                env={**os.environ, **environment, "PORT": str(self.port), "PYTHONPATH": f"{ROOT}:{folder}"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 100
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.process.kill()
                    self.process.wait()
                    raise RuntimeError(self.output.read_text()) from None
                time.sleep(0.05)
            else:
                return

    def lines(self, beginning: str) -> list[str]:
        return [line for line in self.output.read_text().splitlines() if line.startswith(beginning)]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(100)


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path: Path, sender: Sender) -> Iterator[Server]:
    platform = Platform("both", sender.pair, ())
    home.write(tmp_path, sender.merchant, sender.pair, platform.certificates[-1], "http://127.0.0.1:1")
    name = request.param
    (tmp_path / f"{name}.py").write_bytes((ROOT / "docs" / "examples" / f"{name}.py").read_bytes())
    serving = Server(SERVERS[name], tmp_path, {"WXPAY_PROFILE": str(tmp_path / "wxpay.toml")})
    yield serving
    serving.process.kill()
    serving.process.wait()


async def post(url: str, wire: Wire, session: aiohttp.ClientSession) -> tuple[int, bytes]:
    async with session.post(url, data=io.BytesIO(wire.body), headers=wire.headers, allow_redirects=False) as response:
        return response.status, await response.read()


async def accepted(url: str, wire: Wire, session: aiohttp.ClientSession) -> bytes:
    """What it says when it says yes: whoever has much to do may say later before."""
    async with asyncio.timeout(100):
        while (answer := await post(url, wire, session))[0] in (408, 503):  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.05)
    status, body = answer
    assert status == 204
    return body


async def test_a_payment_is_booked_once_however_often_it_comes(server: Server, sender: Sender) -> None:
    wire, named = sender.event(), sender.event(resource={**PAYMENT, "out_trade_no": "by-url"})
    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(post(server.url, wire, session) for _ in range(8)))
        assert {status for status, _ in answers} <= {204, 503}
        assert await accepted(server.url, wire, session) == b""
        assert await accepted(f"{server.url}/1900000109", named, session) == b""
    assert len(server.lines(f"paid {PAYMENT['out_trade_no']}: 100 fen")) == 1
    assert len(server.lines("paid by-url")) == 1
    assert server.stop() in (0, -signal.SIGTERM, 143)
    assert "Traceback" not in server.output.read_text()
    errors = [line for line in server.output.read_text().splitlines() if "Error" in line]
    assert [line for line in errors if "postponed" not in line] == []


async def test_a_body_without_a_length_is_read_to_its_end_and_no_further(server: Server, sender: Sender) -> None:
    async def chunks(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    wire = sender.event()
    async with aiohttp.ClientSession() as session:
        async with session.post(server.url, data=chunks(wire.body), headers=wire.headers) as response:
            assert response.status in (204, 503)
        await accepted(server.url, wire, session)
        assert len(server.lines("paid ")) == 1
        with suppress(aiohttp.ClientConnectionError):
            async with session.post(server.url, data=chunks(b"x" * (3 << 20)), headers=wire.headers) as response:
                assert response.status == 413


async def test_what_is_refused_has_its_status(server: Server, sender: Sender) -> None:
    wire = sender.event()
    spoilt = Wire(wire.headers, wire.body + b" ")
    huge = Wire(wire.headers, b"x" * (1025 << 10))
    async with aiohttp.ClientSession() as session:
        assert (await post(server.url, spoilt, session))[0] == 401
        assert (await post(server.url, Wire({}, wire.body), session))[0] == 401
        assert (await post(f"{server.url}/1900009999", wire, session))[0] == 404
        with suppress(aiohttp.ClientConnectionError):  # it may answer and hang up before it was all sent
            assert (await post(server.url, huge, session))[0] == 413
        async with session.get(server.url) as response:
            assert response.status == 405
        status, body = await post(server.url, make_sender().xml({"mch_id": "1900000109"}, None), session)
        assert status == 401
        assert b"FAIL" in body
        assert body.startswith(b"<xml>")
        await accepted(server.url, wire, session)
