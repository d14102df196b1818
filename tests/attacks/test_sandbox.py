"""The sandbox on a developer's machine cannot be controlled by web pages of other origins."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from wxpay_dsl.sandbox import Sandbox

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}</title></style>"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@asynccontextmanager
async def connected(sandbox: Sandbox) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = URL(sandbox.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def said(sandbox: Sandbox, request: str) -> bytes:
    """What is answered to these bytes; ``PORT`` in them is the sandbox's."""
    async with asyncio.timeout(60), connected(sandbox) as (reader, writer):
        port = sandbox.url.rpartition(":")[2]
        writer.write(request.replace("PORT", port).replace("\n", "\r\n").encode("latin-1"))
        return await reader.read()


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


CONTROLS = [
    ("GET", "/sandbox"),
    ("GET", "/"),
    ("GET", "/sandbox/merchants"),
    ("POST", "/sandbox/merchants"),
    ("GET", "/sandbox/transactions"),
    ("POST", "/sandbox/pay"),
    ("POST", "/sandbox/clock"),
    ("POST", "/sandbox/faults"),
    ("DELETE", "/sandbox/faults"),
    ("POST", "/sandbox/reset"),
    ("GET", "/sandbox/explorer/operations"),
    ("POST", "/sandbox/explorer/send"),
    ("POST", "/sandbox/explorer/code"),
]
STRANGERS = [
    "Host: evil.example:PORT",
    "Host: 127.0.0.1.evil.example:PORT",
    "Host: 127.0.0.1:PORT\nOrigin: https://evil.example",
    "Host: 127.0.0.1:PORT\nOrigin: http://127.0.0.1",
    "Host: 127.0.0.1:PORT\nOrigin: http://127.0.0.1:PORT.evil.example",
    "Host: 127.0.0.1:PORT\nOrigin: null",
    "Host: 127.0.0.1:PORT\nOrigin: http://[",
    "Host: 0.0.0.0:PORT",
    "Host: 169.254.169.254",
    "Host: [",
]


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_no_page_of_somebody_elses_reaches_the_control(stranger: str, sandbox: Sandbox) -> None:
    for method, path in CONTROLS:
        body = "{}"
        head = (
            f"{method} {path} HTTP/1.1\n{stranger}\nContent-Type: text/plain\nContent-Length: 2\nConnection: close\n\n"
        )
        answer = await said(sandbox, head + body)
        status = int(answer.split(b" ")[1])
        assert status in (400, 403), (method, path, answer[:200])
        for secret in (sandbox.merchant.apiv3_key, sandbox.merchant.apiv2_key):
            assert secret.encode() not in answer


async def test_nor_may_such_a_page_read_an_answer(sandbox: Sandbox) -> None:
    """No answer says that a foreign page may read it, whoever asks."""
    asks = "Origin: https://evil.example\nAccess-Control-Request-Method: POST\n"
    for method, path in (
        *CONTROLS,
        ("OPTIONS", "/sandbox/pay"),
        ("OPTIONS", "/v3/certificates"),
        ("GET", "/v3/certificates"),
    ):
        answer = await said(sandbox, f"{method} {path} HTTP/1.1\nHost: 127.0.0.1:PORT\n{asks}Connection: close\n\n")
        assert b"access-control-" not in answer.lower()


@pytest.mark.parametrize(
    "path",
    [
        "../server.py",
        "..%2fserver.py",
        "%2e%2e/%2e%2e/server.py",
        "....//server.py",
        "..\\server.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "assets/../routes.py",
        "routes.py",
        "__init__.py",
        "vendor/../../routes.py",
        "explorer.js%00.css",
        "",
        ".",
        "vendor",
        "index.html",
    ],
)
async def test_files_are_served_by_name_alone(path: str, sandbox: Sandbox) -> None:
    for prefix in ("/sandbox/explorer/", "/", "/sandbox/"):
        answer = await said(sandbox, f"GET {prefix}{path} HTTP/1.1\nHost: 127.0.0.1:PORT\nConnection: close\n\n")
        if (prefix, path) in (("/", ""), ("/sandbox/", "")):
            continue  # pages of its own
        assert int(answer.split(b" ")[1]) in (400, 401, 403, 404), answer[:200]
        assert b"root:" not in answer
        assert b"from __future__" not in answer


async def test_what_a_caller_names_stands_in_no_page_as_markup(sandbox: Sandbox) -> None:
    client, mchid = sandbox.client, sandbox.merchant.mchid
    order: dict[str, Any] = {"appid": "wx8888888888888888", "mchid": mchid, "description": SCRIPT, "attach": SCRIPT}
    order |= {"out_trade_no": "A-1", "notify_url": "https://shop.example/n", "amount": {"total": 1}}
    await client.v3.pay.transactions.native.post(order, validate=False)
    contract = {"appid": "wx8888888888888888", "openid": "o", "plan_id": SCRIPT, "user_id": SCRIPT}
    contract |= {"period_start_date": "2026-03-19", "trade_scene": "EDUCATION_PERIOD"}
    await client.v3.eduPapay.contracts.presign.post(contract, validate=False)
    pages = 0
    async with aiohttp.ClientSession(sandbox.url) as session:

        async def page(path: str, **how: Any) -> str:
            nonlocal pages
            async with session.request(how.pop("method", "GET"), path, **how) as response:
                assert response.content_type == "text/html"
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "script-src 'unsafe" not in policy
                pages += 1
                return await response.text()

        listed = await page("/sandbox")
        assert "alert(1)" in listed
        links = re.findall(r'href="(/sandbox/[^"]+)"', listed)
        texts = [listed, *[await page(link) for link in links]]
        texts.append(await page(f"/sandbox/pay/{SCRIPT.replace('/', '')}"))
        texts.append(await page(links[0], method="POST", data={"do": SCRIPT}, headers={"Origin": sandbox.url}))
    assert pages >= 5
    for text in texts:
        assert "<script" not in text
        assert "<img" not in text
        assert "onerror=alert(1)>" not in text


async def test_an_answer_is_of_the_type_that_it_says(sandbox: Sandbox) -> None:
    """A refusal repeats what was asked: as JSON, whatever stands in it."""
    evil = "/v3/%3Cscript%3Ealert(1)%3C/script%3E"
    answer = await said(sandbox, f"GET {evil} HTTP/1.1\nHost: 127.0.0.1:PORT\nAccept: text/html\nConnection: close\n\n")
    assert b"Content-Type: application/json" in answer
    assert json.loads(body_of(answer))["code"]


async def test_strangers_endless_requests_hold_up_nobody_else(sandbox: Sandbox) -> None:
    async with asyncio.timeout(60), AsyncExitStack() as strangers:
        for _ in range(50):
            _, writer = await strangers.enter_async_context(connected(sandbox))
            writer.write(b"POST /v3/pay/transactions/native HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert (await sandbox.client.v3.certificates.get()).status == 200


async def test_a_huge_body_is_refused_before_it_is_read(sandbox: Sandbox) -> None:
    async with asyncio.timeout(60), connected(sandbox) as (reader, writer):
        writer.write(b"POST /v3/pay/transactions/native HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        answered = asyncio.ensure_future(reader.readline())
        sent = 0
        while not answered.done() and sent < 64:
            writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            try:
                await writer.drain()
            except ConnectionError:
                break
            sent += 1
            await asyncio.sleep(0)
        status = b""
        with suppress(ConnectionError):
            status = await answered
    assert status == b"" or b" 413 " in status
    assert sent < 64


async def test_a_merchant_reads_and_pays_with_nobody_elses_order(sandbox: Sandbox) -> None:
    other = sandbox.control.add_merchant("1900000999")
    from wxpay_dsl import ServiceError, Wechatpay

    mine = sandbox.client
    order: dict[str, Any] = {"appid": "wx8888888888888888", "mchid": sandbox.merchant.mchid, "description": "a"}
    order |= {"out_trade_no": "A-1", "notify_url": "https://shop.example/n", "amount": {"total": 1}}
    await mine.v3.pay.transactions.native.post(order)
    async with Wechatpay(**sandbox.credentials_of(other)) as thief:
        for mchid in ("1900000999", sandbox.merchant.mchid):
            with pytest.raises(ServiceError) as raised:
                await thief.v3.pay.transactions.outTradeNo["A-1"].get(mchid=mchid)
            assert raised.value.status in (400, 403, 404)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
async def test_its_home_is_written_through_no_link_that_was_waiting(tmp_path: Path) -> None:
    victim, home = tmp_path / "victim", tmp_path / "home"
    victim.write_text("mine")
    home.mkdir()
    names = ("apiclient_key.pem", "apiclient_cert.pem", "apiclient_cert.p12", "pub_key.pem", "wxpay.toml")
    for name in names:
        (home / f"{name}.new").symlink_to(victim)
    (home / "wxpay.toml").symlink_to(victim)
    async with Sandbox(home=home):
        pass
    assert victim.read_text() == "mine"
    for name in names:
        file = home / name
        assert not file.is_symlink()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


DEEP = "[" * 200_000
WRONG = [
    DEEP,
    '{"order": ' + DEEP + "}",
    '{"order": ' + "[" * 900 + "]" * 900 + "}",
    '{"advance": 1e999}',
    '{"advance": ' + "9" * 400 + "}",
    '{"mchid": "1900000109", "amount": 1e999}',
    '{"order": "\\ud800"}',
    "[1]",
    "null",
    "\xff",
]


@pytest.mark.parametrize("body", WRONG, ids=lambda body: ascii(body[:30]))
@pytest.mark.parametrize("name", ["pay", "clock", "balance", "faults", "notifications"])
async def test_no_body_breaks_its_control(name: str, body: str, sandbox: Sandbox) -> None:
    """It is answered as what it is, wrong, in JSON: no 500, and the sandbox goes on."""
    async with aiohttp.ClientSession() as session:
        url = f"{sandbox.url}/sandbox/{name}"
        async with session.post(url, data=body.encode("latin-1")) as response:
            assert response.status in (400, 404)
            assert (await response.json())["code"] in ("PARAM_ERROR", "RESOURCE_NOT_EXISTS", "ORDER_NOT_EXIST")
        async with session.get(f"{sandbox.url}/sandbox/status") as response:
            assert response.status == 200


async def test_half_a_character_in_a_fault_is_refused_or_told(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as session:
        fault = b'{"kind": "lost", "path": "\\ud800"}'
        async with session.post(f"{sandbox.url}/sandbox/faults", data=fault) as response:
            assert response.status in (200, 400)
            await response.json()
        async with session.get(f"{sandbox.url}/sandbox/status") as response:
            assert response.status == 200
            await response.json()


@pytest.mark.parametrize("name", ["send", "code"])
@pytest.mark.parametrize("fields", [DEEP, '{"a": "\\ud800"}', '{"\\ud800": 1}'], ids=["deep", "value", "name"])
async def test_nor_does_one_break_the_explorer(name: str, fields: str, sandbox: Sandbox) -> None:
    body = '{"chain": "v3.eduPapay.contracts.presign.post", "fields": ' + fields + "}"
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{sandbox.url}/sandbox/explorer/{name}", data=body) as response:
            assert response.status in (400, 404)
        for path in (
            "/sandbox/list/%ED%A0%80",
            "/sandbox/pay/%ED%A0%80",
            "/sandbox/explorer/operation?chain=%ED%A0%80",
        ):
            async with session.get(URL(sandbox.url + path, encoded=True)) as response:
                assert response.status in (400, 404)


async def test_a_deep_value_in_a_query_is_no_value_of_its_type(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as session:
        url = URL(f"{sandbox.url}/v3/certificates?x={'[' * 3000}", encoded=True)
        async with session.get(url) as response:
            assert response.status < 500
