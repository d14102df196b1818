"""Measures the sandbox: how long it takes to start, and how many signed calls it answers per second on one core.

``start_s`` is the median time from the first import to serving, in a new process. ``calls_per_s`` counts orders, each
of which is verified, validated, stored and answered with a signature by a server that has one core. The callers have
another core and sign their requests in advance; the signatures of all responses are verified afterwards.
``cpu_calls_per_s`` counts only the CPU time of the server, which is independent of the load of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp

from wxpay_dsl.settings.settings import Settings
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

_START: Final = """
import time
began = time.perf_counter()
import asyncio
from wxpay_dsl.sandbox import Sandbox
async def main():
    async with Sandbox():
        print(time.perf_counter() - began)
asyncio.run(main())
"""
_SERVE: Final = """
import asyncio, sys
from wxpay_dsl.sandbox import serve
asyncio.run(serve(home=sys.argv[1], ready=lambda line: print(line, flush=True)))
"""
_TARGET: Final = "/v3/pay/transactions/native"
_AT_ONCE: Final = 10

Request = tuple[dict[str, str], bytes]
SignedResponse = tuple[int, dict[str, str], bytes]


def run(*, quick: bool) -> dict[str, Any]:
    """The figures."""
    _start()  # compiles
    starts = [_start() for _ in range(3 if quick else 9)]
    with tempfile.TemporaryDirectory() as home, _served(home) as server:
        calls = 500 if quick else 5000
        requests = _signed(Path(home), calls)
        asyncio.run(_send(Path(home), requests[: calls // 10]))
        before, began = _cpu(server.pid), time.perf_counter()
        responses = asyncio.run(_send(Path(home), requests[calls // 10 :]))
        took, cpu = time.perf_counter() - began, _cpu(server.pid) - before
        _verify(Path(home), responses)
    return {
        "start_s": round(statistics.median(starts), 3),
        "calls_per_s": round(len(responses) / took),
        "cpu_calls_per_s": round(len(responses) / cpu) if cpu else None,
        "calls": len(responses),
    }


def _start() -> float:
    done = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    return float(done.stdout)


@contextlib.contextmanager
def _served(home: str) -> Iterator[subprocess.Popen[str]]:
    """Runs a sandbox on one core, and this process on the others."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    with subprocess.Popen([sys.executable, "-c", _SERVE, home], stdout=subprocess.PIPE, text=True) as server:
        if len(cores) > 1:
            os.sched_setaffinity(server.pid, {cores[0]})
            os.sched_setaffinity(0, set(cores[1:]))
        try:
            if server.stdout is None or not server.stdout.readline().startswith("ready"):
                raise RuntimeError("the sandbox does not serve")
            yield server
        finally:
            server.terminate()
            if len(cores) > 1:
                os.sched_setaffinity(0, set(cores))


def _signed(home: Path, count: int) -> list[Request]:
    settings = Settings.load({}, {}, home / "wxpay.toml")
    signer = settings.signer
    if not isinstance(signer, LocalSigner):
        raise TypeError("the sandbox's profile has a key in a file")
    requests = []
    for number in range(count):
        order = {
            "appid": "wx8888888888888888",
            "mchid": settings.mchid,
            "description": "bench",
            "out_trade_no": f"bench-{number}",
            "notify_url": "https://example.com/notify",
            "amount": {"total": 100, "currency": "CNY"},
        }
        body = json.dumps(order).encode()
        timestamp, nonce = int(time.time()), authorization.nonce()
        message = signing_v3.request_message("POST", _TARGET, timestamp, nonce, body)
        signature = signing_v3.sign(message, signer.private_key)
        headers = {
            "Authorization": authorization.build(settings.mchid, settings.serial, timestamp, nonce, signature),
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Wechatpay-Serial": next(key.id for key in settings.keys if key.id.startswith("PUB_KEY_ID_")),
        }
        requests.append((headers, body))
    return requests


async def _send(home: Path, requests: list[Request]) -> list[SignedResponse]:
    url = Settings.load({}, {}, home / "wxpay.toml").base_url + _TARGET
    waiting = iter(requests)
    responses: list[SignedResponse] = []
    async with aiohttp.ClientSession() as session:

        async def caller() -> None:
            for headers, body in waiting:
                async with session.post(url, data=body, headers=headers) as response:
                    responses.append((response.status, dict(response.headers), await response.read()))

        await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
    return responses


def _verify(home: Path, responses: list[SignedResponse]) -> None:
    keys = Settings.load({}, {}, home / "wxpay.toml").keys
    for status, headers, body in responses:
        key = keys.get(headers.get("Wechatpay-Serial", ""))
        message = signing_v3.response_message(
            headers.get("Wechatpay-Timestamp", ""), headers.get("Wechatpay-Nonce", ""), body
        )
        signature = headers.get("Wechatpay-Signature", "")
        if status != 200 or key is None or not signing_v3.verify(message, signature, key.public_key):
            raise RuntimeError(f"a wrong response: {status} {body[:200]!r}")


def _cpu(pid: int) -> float:
    """CPU seconds that a process has used; 0 if the system does not provide them."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
