"""Hostile responses are rejected within bounds of memory and time."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from aiohttp import web

from tests.wechat.loopback import APPID, answering, signed, wechatpay
from wxpay_dsl import ResponseDecodeError, ResponseTooLargeError, ResponseTruncatedError, SdkError, TransportError
from wxpay_dsl.core.http.transport import MAX_RESPONSE

QUERY = {"appid": APPID, "out_trade_no": "1217752501201407033233368018"}
MEBI = 1 << 20
#: Bytes that one answer may make this process hold beyond what it held before, the loopback server's own included.
MEMORY = 48 * MEBI
#: Seconds of this thread's own time for one such call, however busy the machine is.
TIME = 5.0

BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (c, b"&%c;" % (c - 1) * 10) for c in range(ord("b"), ord("l")))
    + b"]><xml><return_code>&k;</return_code></xml>"
)
QUADRATIC = b'<!DOCTYPE xml [<!ENTITY a "' + b"a" * 50_000 + b'">]><xml><b>' + b"&a;" * 50_000 + b"</b></xml>"

WHOLE = {
    "a DTD": b"<!DOCTYPE xml>" + signed(),
    "a DTD from elsewhere": b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:1/x.dtd">' + signed(),
    "a billion laughs": BILLION_LAUGHS,
    "a quadratic blow-up": QUADRATIC,
    "an entity of a file": b'<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><a>&e;</a></xml>',
    "latin-1": '<?xml version="1.0" encoding="latin-1"?><xml><a>é</a></xml>'.encode("latin-1"),
    "UTF-16": '<?xml version="1.0" encoding="utf-16"?><xml><a>1</a></xml>'.encode("utf-16"),
    "UTF-16 without a mark": "<xml><a>1</a></xml>".encode("utf-16-le"),
    "bytes that are no UTF-8": b"<xml><a>\xff\xfe</a></xml>",
    "null characters": b"<xml><a>\x00</a></xml>",
    "nulls alone": b"\x00" * MEBI,
    "cut off": signed()[:-10],
    "cut off in a character": "<xml><a>微".encode()[:-1],
    "two roots": signed() + signed(),
    "an element twice": b"<xml><return_code>SUCCESS</return_code><return_code>FAIL</return_code></xml>",
    "deep": b"<xml>" + b"<a>" * 100_000,
    "wide": b"<xml>" + b"".join(b"<a%d/>" % n for n in range(60_000)),
    "a name of a mebibyte": b"<xml><" + b"a" * (MEBI - 20) + b"/>",
    "many attributes": b"<xml " + b"".join(b'a%d="" ' % n for n in range(60_000)) + b"/>",
    "nearly as much as is read": b"<xml><a>" + b"x" * (MAX_RESPONSE - 20) + b"</a>",
}


@pytest.fixture
def bounded() -> Iterator[Callable[[], None]]:
    """Returns a check that memory and time stayed within bounds since the test started."""
    tracemalloc.start()
    begun = time.thread_time()

    def check() -> None:
        assert time.thread_time() - begun < TIME
        assert tracemalloc.get_traced_memory()[1] < MEMORY

    yield check
    tracemalloc.stop()


@pytest.mark.parametrize("title", WHOLE)
async def test_a_hostile_document_is_refused(title: str, bounded: Callable[[], None]) -> None:
    body = WHOLE[title]
    async with answering(body) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ResponseDecodeError) as caught:
            await wxpay.v2.pay.orderquery(QUERY)
        bounded()
        assert caught.value.body == body
        assert len(str(caught.value)) < 1_500


async def test_a_gibibyte_is_not_read_to_its_end(bounded: Callable[[], None]) -> None:
    sent = 0

    async def flood(request: web.Request, body: bytes) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "text/xml"})
        await response.prepare(request)
        while sent < 1 << 30:
            await response.write(b"<a>" * 21_845)
            sent += 65_535
        return response

    async with answering(flood) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ResponseTooLargeError, match=f"larger than {MAX_RESPONSE} bytes"):
            await wxpay.v2.pay.orderquery(QUERY)
    bounded()
    assert sent < 64 * MEBI


async def test_a_gibibyte_that_is_announced_is_not_read_at_all(bounded: Callable[[], None]) -> None:
    async def announced(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(1 << 30)})
        await response.prepare(request)
        await response.write(b"<a>")
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 (no event says it)
            await asyncio.sleep(0.01)
        return response

    async with answering(announced) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ResponseTooLargeError):
            await wxpay.v2.pay.orderquery(QUERY)
        bounded()


async def test_an_answer_that_stops_coming_ends_in_time(bounded: Callable[[], None]) -> None:
    async def drip(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"<xml>")
            await asyncio.sleep(0.1)
        return response

    async with answering(drip) as loopback, wechatpay(loopback, timeout=0.5) as wxpay:
        with pytest.raises(TransportError, match=r"0\.5 s"):
            await wxpay.v2.pay.orderquery(QUERY)
        bounded()


async def test_an_answer_shorter_than_announced_is_truncated() -> None:
    async def short(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(signed())
        assert request.transport is not None
        request.transport.close()
        return response

    async with answering(short) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ResponseTruncatedError):
            await wxpay.v2.pay.micropay(QUERY, validate=False)


@pytest.mark.parametrize("status", [200, 400, 500, 502])
async def test_the_same_holds_for_every_status(status: int, bounded: Callable[[], None]) -> None:
    async with (
        answering(lambda request, body: web.Response(status=status, body=BILLION_LAUGHS)) as loopback,
        wechatpay(loopback) as wxpay,
    ):
        with pytest.raises(SdkError) as caught:
            await wxpay.v2.pay.micropay(QUERY, validate=False)
    bounded()
    assert "aaaaaaaaaaaaaaaaaaaa" not in str(caught.value)
