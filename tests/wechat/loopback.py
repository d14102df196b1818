"""A loopback server that answers APIv2 calls as a test says, and records the requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from wxpay_dsl import Wechatpay
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

__all__ = ["APPID", "MCHID", "SECRET", "Loopback", "answering", "signed", "wechatpay"]

MCHID, APPID = "1900000109", "wx8888888888888888"
SECRET = "192006250b4c09247ec02edce69f6a2d"

Answer = bytes | web.StreamResponse
Handler = Callable[[web.Request, bytes], Answer | Awaitable[Answer]]


class Loopback:
    """The server's URL and its recorded requests: method, path with query, headers, body."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the last request's body."""
        return xml.loads(self.requests[-1][3])


@asynccontextmanager
async def answering(answer: Handler | bytes) -> AsyncIterator[Loopback]:
    """Serves while the block runs; ``answer`` is a body, or makes one of the request and its body."""
    loopback = Loopback()

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        loopback.requests.append((request.method, request.raw_path, request.headers, body))
        made: Any = answer(request, body) if callable(answer) else answer
        if isinstance(made, Awaitable):
            made = await made
        return web.Response(body=made, content_type="text/xml") if isinstance(made, bytes) else made

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    loopback.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield loopback
    finally:
        await runner.cleanup()


def signed(sign_type: str = "MD5", **fields: str) -> bytes:
    """A successful answer of APIv2 with these fields."""
    whole = {"return_code": "SUCCESS", "return_msg": "OK", "result_code": "SUCCESS", "mch_id": MCHID, **fields}
    return xml.dumps({**whole, "sign": signing_v2.sign(whole, SECRET, sign_type)})


def wechatpay(loopback: Loopback, **settings: Any) -> Wechatpay:
    """A client, configured for APIv2 only, that calls the server."""
    return Wechatpay(mchid=MCHID, apiv2_key=SECRET, base_url=loopback.url, **settings)
