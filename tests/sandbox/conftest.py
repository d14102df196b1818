"""Fixtures of the sandbox's tests: a running sandbox, and a merchant that calls it over plain HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from wxpay_dsl.client import tree
from wxpay_dsl.core.request.mismatch import SHAPES, Kind
from wxpay_dsl.core.request.validate import check
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.routing import find
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3


class Shop:
    """Signs as the sandbox's merchant and sends bytes without this package's client."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session

    def authorization(self, method: str, target: str, body: bytes = b"", **changes: Any) -> str:
        merchant = self.sandbox.merchant
        timestamp = changes.get("timestamp", int(time.time()))
        nonce = authorization.nonce()
        message = signing_v3.request_message(method, target, timestamp, nonce, body)
        signature = changes.get("signature") or signing_v3.sign(message, merchant.private_key)
        serial, mchid = changes.get("serial", merchant.serial), changes.get("mchid", merchant.mchid)
        return authorization.build(mchid, serial, timestamp, nonce, signature)

    async def send(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None, **changes: Any
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        sent = {
            "Accept": "application/json",
            "Authorization": self.authorization(method, target, body, **changes),
            **({"Content-Type": "application/json"} if body else {}),
            **(headers or {}),
        }
        async with self.session.request(
            method, self.sandbox.url + target, data=body or None, headers={k: v for k, v in sent.items() if v}
        ) as response:
            return response, await response.read()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as serving:
        yield serving


@pytest.fixture
async def shop(sandbox: Sandbox) -> AsyncIterator[Shop]:
    async with aiohttp.ClientSession() as session:
        yield Shop(sandbox, session)


#: ``await api("POST /v3/…", field=value)``: status and response; the fields of a GET or DELETE are its query.
Api = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def api(shop: Shop) -> Api:
    """Calls the sandbox as its merchant, without checks before sending."""

    async def call(line: str, **fields: Any) -> tuple[int, Any]:
        method, _, path = line.partition(" ")
        if method in ("GET", "DELETE"):
            response, body = await shop.send(method, f"{path}?{urlencode(fields)}" if fields else path)
        else:
            response, body = await shop.send(method, path, json.dumps(fields).encode())
        answer = json.loads(body) if body else None
        if response.status < 300:
            check_response(method, path, answer)
        return response.status, answer

    return call


#: Fields that pages list as always present, though they have no value yet: the payer's amount of an unpaid order, the
#: end of what is pending, the package of an order that needs no confirmation.
LATER = (".amount.payer_total", ".finish_time", ".package")


def check_response(method: str, path: str, answer: Any) -> None:
    """Check a successful response against its spec."""
    operation = find(tree(), method, path.partition("?")[0]).operation
    if operation.returns is not None:
        found = check(operation.returns, answer, operation.name)
        # The service sends more fields than its pages list, and some fields only later.
        wrong = [each for each in found if each.kind in SHAPES - {Kind.UNKNOWN}]
        assert [each for each in wrong if not each.path.endswith(LATER)] == []


def order(sandbox: Sandbox, number: str, total: int = 100, **more: Any) -> dict[str, Any]:
    """The fields of a native order."""
    return {
        "appid": "wx8888888888888888",
        "mchid": sandbox.merchant.mchid,
        "description": "一杯茶",
        "out_trade_no": number,
        "notify_url": "https://example.com/notify",
        "amount": {"total": total, "currency": "CNY"},
        **more,
    }
