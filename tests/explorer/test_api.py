"""The HTTP API of the explorer's page, and access to it."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from wxpay_dsl.client import tree
from wxpay_dsl.core.chain.describe import dotted
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.explorer.description import describe
from wxpay_dsl.wechat.chains import CHAINS, DEFAULT

Ask = Callable[..., Awaitable[Any]]
PRESIGN = "v3.eduPapay.contracts.presign.post"


async def test_every_operation_is_listed_by_the_chain_that_calls_it(ask: Ask) -> None:
    listed = await ask("operations")
    assert {row[3] for row in listed} == {dotted(operation) for operation in tree().operations()}
    assert ["POST", "/v3/edu-papay/contracts/presign", "预签约", PRESIGN, "教育续费通"] in listed


async def test_an_operations_fields_and_examples(ask: Ask, sandbox: Sandbox) -> None:
    found = await ask("operation?chain=v3.fundApp.mchTransfer.transferBills.post")
    assert found["verb"] == "POST"
    body = next(section for section in found["sections"] if section["name"] == "body")
    name = next(field for field in body["fields"] if field["name"] == "user_name")
    assert name["optional"]
    assert any(note.startswith("encrypted") for note in name["notes"])
    assert "user_name" in found["all"]
    assert "user_name" not in found["required"]
    query = await ask("operation?chain=v3.pay.transactions.id._transaction_id_.get")
    assert query["required"]["mchid"] == sandbox.merchant.mchid


async def test_what_most_people_look_for_comes_first(ask: Ask) -> None:
    dialects = [row[3].partition(".")[0] for row in await ask("operations")]
    assert list(dict.fromkeys(dialects))[:2] == ["v3", "v2"]


async def test_every_operation_can_be_describe(ask: Ask) -> None:
    for row in (await ask("operations"))[::29]:
        found = await ask(f"operation?chain={row[3]}")
        assert (found["verb"], found["path"]) == (row[0], row[1])


async def test_what_was_signed_is_what_was_sent(ask: Ask) -> None:
    fields = (await ask(f"operation?chain={PRESIGN}"))["required"]
    told = await ask("send", {"chain": PRESIGN, "fields": fields})
    request, answer = told["request"], told["response"]
    assert (answer["status"], answer["verified"], told["error"]) == (200, True, None)
    signed = request["authorization"]
    path = "/v3/edu-papay/contracts/presign"
    message = f"POST\n{path}\n{signed['timestamp']}\n{signed['nonce_str']}\n{request['body']}\n"
    assert request["message"] == message
    assert told["data"]["presign_token"] in answer["body"]
    assert answer["message"].endswith(answer["body"] + "\n")


async def test_an_answer_that_cannot_be_believed_is_shown_as_that(ask: Ask, sandbox: Sandbox) -> None:
    fields = (await ask(f"operation?chain={PRESIGN}"))["required"]
    sandbox.control.faults.add("bad-signature", times=1)
    told = await ask("send", {"chain": PRESIGN, "fields": fields})
    assert told["response"]["verified"] is False
    assert told["error"]["kind"] == "BadSignatureError"
    assert told["data"] is None


async def test_the_environments_of_apiv2_have_their_own_key(ask: Ask) -> None:
    chain = "v2.sandboxnew.pay.orderquery.post"
    fields = (await ask(f"operation?chain={chain}"))["required"]
    told = await ask("send", {"chain": chain, "fields": fields})
    assert told["error"] is None or "签名" not in told["error"]["text"]
    assert told["response"]["verified"] is True
    code = await ask("code", {"chain": chain, "fields": fields})
    assert 'v2_sandbox="sandboxnew"' in code["python"]


async def test_what_apiv2_did_not_understand_is_not_called_verified(ask: Ask) -> None:
    told = await ask("send", {"chain": "v2.pay.unifiedorder.post", "fields": {"trade_type": "NATIVE"}, "check": False})
    assert told["error"]["kind"] == "ReturnCodeError"
    assert told["response"]["verified"] is None


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_example_of_every_operation_can_be_sent(ask: Ask) -> None:
    """The sandbox may refuse it (for an unknown order); but it is sent, and signed responses are verified."""
    failed = []
    for *_, chain, _ in await ask("operations"):
        operation = await ask(f"operation?chain={chain}")
        for example in ("required", "all"):
            told = await ask("send", {"chain": chain, "fields": operation[example]})
            if told["response"] is None or told["response"]["verified"] is False:
                failed.append((chain, example, told["error"]))
    assert failed == []


async def test_a_file_is_bytes_and_never_a_path(ask: Ask) -> None:
    upload = "v3.merchant.media.upload.post"
    told = await ask("send", {"chain": upload, "fields": {}})
    assert told["data"]["media_id"]
    content = base64.b64encode(b"%PDF-1.4 x").decode()
    told = await ask(
        "send", {"chain": upload, "fields": {}, "files": {"file": {"name": "a.pdf", "base64": content}}, "check": False}
    )
    assert '"filename":"a.pdf"' in told["request"]["message"]
    told = await ask("send", {"chain": upload, "fields": {"file": "/etc/passwd"}})
    assert "root:" not in str(told)
    assert "passwd" not in str(told["request"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "["}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/sandbox/explorer/operations", "/sandbox/explorer/explorer.js"])
async def test_only_a_page_of_its_own_may_ask(
    headers: dict[str, str], status: int, path: str, sandbox: Sandbox
) -> None:
    async with aiohttp.ClientSession() as session, session.get(sandbox.url + path, headers=headers) as response:
        assert response.status in ((status, 400) if status == 403 else (status,))
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers.get("X-Content-Type-Options") == "nosniff" or response.status == 400


async def test_another_page_cannot_send(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/sandbox/explorer/send"
    body = {"chain": PRESIGN, "fields": {}}
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=body, headers={"Origin": "https://evil.example"}) as response:
            assert response.status == 403
        async with session.options(url, headers={"Origin": "https://evil.example"}) as response:
            assert response.status == 403


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("send", {"chain": "v3.nowhere.post", "fields": {}}, 404),
        ("send", {"chain": PRESIGN, "fields": []}, 400),
        ("send", {"chain": PRESIGN}, 400),
        ("send", [], 400),
        ("code", {"chain": "", "fields": {}}, 404),
        ("nothing", {}, 404),
        ("send", {"chain": PRESIGN, "fields": {}, "fault": "no-such-fault"}, 400),
        ("code", {"chain": PRESIGN, "fields": {}, "fault": "a\r\nb"}, 400),
        ("send", {"chain": "v3.merchant.media.upload.post", "fields": {}, "files": {"file": {"name": "x"}}}, 400),
        ("send", {"chain": "v3.merchant.media.upload.post", "fields": {}, "files": {"file": "/etc/passwd"}}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(name: str, body: Any, status: int, sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/sandbox/explorer/{name}"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        assert response.status == status
        assert set(await response.json()) == {"code", "message"}


@pytest.mark.parametrize(
    "path", ["../routes.py", "..%2froutes.py", "vendor/lit-html/LICENSE", "index.html", "vendor//lit-html/lit-html.js"]
)
async def test_only_what_the_page_needs_is_served(path: str, sandbox: Sandbox) -> None:
    from yarl import URL

    url = URL(f"{sandbox.url}/sandbox/explorer/{path}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 404


async def test_the_page_may_load_its_own_only(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as session, session.get(sandbox.url) as response:
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_only_web_pages_are_given_to_link_to() -> None:
    """A ``javascript:`` URL in a spec's ``docs`` is not shown as a link."""
    specs = Tree([str(Path(__file__).parents[1] / "site" / "hostile")], CHAINS, DEFAULT)
    docs = {page for operation in specs.operations() for page in describe(operation, "1900000109")["docs"]}
    assert len(docs) == 2
    assert all(page.startswith("https://example.com/") for page in docs)
