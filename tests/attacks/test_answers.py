"""Forged and altered responses: refused unless a platform key signed exactly their bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from tests.core.raw_server import RawServer, for_ever, json_answer, then_close
from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, Platform, cert, keys, serving, wechatpay
from wxpay_dsl import SdkError, ServiceError, Wechatpay
from wxpay_dsl.core.errors import ConnectionFailedError, ResponseDecodeError, ResponseTooLargeError, TransportError
from wxpay_dsl.wechat.errors import (
    BadSignatureError,
    ClockSkewError,
    MissingHeaderError,
    UnknownSerialError,
    VerificationError,
)
from wxpay_dsl.wechat.v3 import signing as signing_v3

CERTS = {PUB_KEY_ID: keys()[1].public_key()}
#: A hundred megabytes of nothing.
BOMB = gzip.compress(b" " * 100_000_000)
HEADERS = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")


def raw_client(server: RawServer, **settings: Any) -> Wechatpay:
    given = {"mchid": MCHID, "serial": SERIAL, "private_key": keys()[0], "platform_keys": CERTS, "base_url": server.url}
    return Wechatpay(**{**given, "timeout": 30.0, "retries": 0, **settings})


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


class TestReplay:
    async def test_an_answer_of_six_minutes_ago_is_refused(self) -> None:
        old = Platform().signed(b'{"trade_state":"SUCCESS"}')
        stamp = str(int(time.time()) - 360)
        message = signing_v3.response_message(stamp, old.headers["Wechatpay-Nonce"], b'{"trade_state":"SUCCESS"}')
        old.headers["Wechatpay-Timestamp"] = stamp
        old.headers["Wechatpay-Signature"] = signing_v3.sign(message, keys()[1])

        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            return web.Response(body=b'{"trade_state":"SUCCESS"}', headers=dict(old.headers))

        async with serving(Platform(answer=answer)) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(ClockSkewError, match="a replay"):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)

    async def test_nor_does_a_new_date_help_it(self) -> None:
        kept: list[web.Response] = []

        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            if not kept:
                kept.append(Platform().signed(b"{}"))
            headers = {**kept[0].headers, "Wechatpay-Timestamp": str(int(time.time()) + 1)}
            return web.Response(body=b"{}", headers=headers)

        async with serving(Platform(answer=answer)) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(BadSignatureError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


class TestStripping:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
    @pytest.mark.parametrize("missing", [*HEADERS, "all"])
    async def test_a_success_without_its_signature_is_none(self, status: int, missing: str) -> None:
        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            whole = platform.signed(b"" if status == 204 else b"{}")
            headers = {k: v for k, v in whole.headers.items() if missing not in ("all", k)}
            return web.Response(status=status, body=whole.body if status != 204 else None, headers=headers)

        platform = Platform(answer=answer)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS, validate=False) as wxpay:
            for call in (
                wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID),
                wxpay.v3.pay.transactions.outTradeNo["42"].close.post(mchid=MCHID),
                wxpay.v3.no.spec.declares.this.post({}),
            ):
                with pytest.raises(MissingHeaderError):
                    await call

    @pytest.mark.parametrize(
        "change",
        [
            {"Wechatpay-Signature": ""},
            {"Wechatpay-Signature": "WECHATPAY/SIGNTEST/QUJD"},
            {"Wechatpay-Signature": "A" * 344},
            {"Wechatpay-Serial": SERIAL},
            {"Wechatpay-Serial": "PUB_KEY_ID_OF_MINE"},
            {"Wechatpay-Nonce": "another"},
            {"Wechatpay-Timestamp": "0"},
            {"Wechatpay-Timestamp": "1e9"},
            {"Wechatpay-Timestamp": "٣" * 10},
        ],
        ids=str,
    )
    async def test_nor_with_another(self, change: Mapping[str, str]) -> None:
        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            whole = platform.signed(b"{}")
            return web.Response(body=b"{}", headers={**whole.headers, **change})

        platform = Platform(answer=answer)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(VerificationError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)

    async def test_what_the_merchants_own_key_signed_is_not_the_services(self) -> None:
        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            stamp = str(int(time.time()))
            signature = signing_v3.sign(signing_v3.response_message(stamp, "N", b"{}"), keys()[0])
            values = (stamp, "N", signature, PUB_KEY_ID)
            return web.Response(body=b"{}", headers=dict(zip(HEADERS, values, strict=True)))

        async with serving(Platform(answer=answer)) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(BadSignatureError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)

    async def test_who_strips_it_from_a_payments_answer_makes_nobody_pay_twice(self, server: RawServer) -> None:
        """It may have been paid: the error says so, and nothing is sent again."""
        server.script = [json_answer(b'{"code_url":"weixin://x"}')] * 5
        async with raw_client(server, retries=5) as wxpay:
            with pytest.raises(MissingHeaderError) as raised:
                await wxpay.v3.pay.transactions.native.post({"amount": {"total": 1}}, validate=False)
        assert raised.value.outcome_unknown
        assert len(server.requests) == 1

    async def test_two_signatures_are_not_chosen_between(self, server: RawServer) -> None:
        whole = Platform().signed(b"{}")
        good = "".join(f"{name}: {whole.headers[name]}\r\n" for name in HEADERS)
        server.script = [json_answer(b'{"forged":1}', headers="Wechatpay-Signature: QUJD\r\n" + good)]
        async with raw_client(server) as wxpay:
            with pytest.raises(SdkError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


async def test_a_storm_of_forged_serials_costs_one_download_at_most() -> None:
    number = 0

    async def forged(request: web.Request, body: bytes) -> web.StreamResponse:
        nonlocal number
        number += 1
        answer = platform.signed(b"{}")
        answer.headers["Wechatpay-Serial"] = f"{number:040X}"
        return answer

    platform = Platform(signing=cert(1))
    async with serving(platform), wechatpay(platform) as wxpay:
        await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)
        platform.answer = forged
        calls = (wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID) for _ in range(200))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in errors} == {UnknownSerialError}
        assert platform.downloads <= 2  # the first, which every client needs, and one for all of these
        platform.answer = None
        await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("verb", ["get", "post"])
async def test_a_redirect_takes_no_signature_elsewhere(status: int, verb: str, server: RawServer) -> None:
    async with RawServer() as elsewhere, raw_client(server) as wxpay:
        server.script = [json_answer(b"", f"{status} Moved", f"Location: {elsewhere.url}/steal\r\n")]
        query = wxpay.v3.pay.transactions.id["42"]
        call = query.get(mchid=MCHID) if verb == "get" else query.post({}, validate=False)
        with pytest.raises(ServiceError, match="redirects are not followed"):
            await call
        assert elsewhere.requests == []


class TestBounds:
    """Whatever is sent: bounded in memory and time, an error of ours, and the next call works."""

    @pytest.fixture(autouse=True)
    def bounded(self) -> Any:
        tracemalloc.start()
        begun = time.thread_time()
        yield
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 48 * 1024 * 1024
        assert time.thread_time() - begun < 20

    async def test_a_decompression_bomb_is_not_unpacked(self, server: RawServer) -> None:
        server.script = [
            json_answer(BOMB, headers="Content-Encoding: gzip\r\n"),
            json_answer(BOMB, "400 Bad", "Content-Encoding: gzip\r\n"),
        ]
        async with raw_client(server) as wxpay:
            with pytest.raises(VerificationError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)
            with pytest.raises(ServiceError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)

    @pytest.mark.parametrize(
        "head",
        [
            b"X: " + b"y" * 2_000_000,
            b"x" * 2_000_000 + b": y",
            b"".join(b"X-%d: y\r\n" % number for number in range(200_000)),
            b"".join(b"X-%d: %b\r\n" % (number, b"y" * 8000) for number in range(1000)),
        ],
        ids=["value", "name", "200,000 of them", "1,000 large ones"],
    )
    async def test_oversized_headers(self, head: bytes, server: RawServer) -> None:
        server.script = [then_close(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nContent-Length: 2\r\n\r\n{}")]
        async with raw_client(server) as wxpay:
            with pytest.raises(SdkError) as raised:
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)
            assert len(str(raised.value)) < 2000

    async def test_headers_without_end(self, server: RawServer) -> None:
        server.script = [for_ever(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 8000 + b"\r\n")]
        async with raw_client(server) as wxpay:
            with pytest.raises(TransportError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)

    @pytest.mark.parametrize("status", ["200 OK", "400 Bad", "502 Bad Gateway"])
    async def test_a_body_without_end(self, status: str, server: RawServer) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n".encode()
        server.script = [for_ever(head, b" " * 65536)]
        async with raw_client(server) as wxpay:
            with pytest.raises(ResponseTooLargeError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)

    @pytest.mark.parametrize("slow", ["head", "body", "certificates"])
    async def test_a_slow_answer_ends_in_time(self, slow: str, server: RawServer) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n"
        server.script = [for_ever(head + b"\r\n", b" ", 0.02) if slow == "body" else for_ever(head, b"X: y\r\n", 0.02)]
        settings = {"platform_keys": None, "apiv3_key": "0" * 32} if slow == "certificates" else {}
        async with asyncio.timeout(60), raw_client(server, timeout=0.5, **settings) as wxpay:
            with pytest.raises(TransportError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 1_000_000,
            b'{"a":' * 500_000,
            b"1" * 1_000_000,
            b'{"a":1e999999999}',
            b'"\\ud800"',
            b"[" + b"{}," * 1_000_000 + b"{}]",
        ],
        ids=["arrays", "objects", "digits", "exponent", "half a character", "a million objects"],
    )
    async def test_json_that_is_hostile_and_signed_all_the_same(self, body: bytes) -> None:
        if len(body) > 2_500_000:
            tracemalloc.stop()  # a million real objects take what they take: they are signed, and bounded by 8 MB
            tracemalloc.start()
            body = body[:600_000].rstrip(b",{}") + b"{}]"

        async def answer(request: web.Request, _: bytes) -> web.StreamResponse:
            return platform.signed(body)

        platform = Platform(answer=answer)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            try:
                response = await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)
            except SdkError as error:
                assert isinstance(error, (ResponseDecodeError, ServiceError))  # noqa: PT017 (some of these are JSON)
            else:
                assert response.exchange.received.body == body


class TestForgedRefusals:
    """A refusal is signed by nobody: it is shown, and does nothing else."""

    async def test_it_writes_no_line_of_a_log_and_no_escape_to_a_terminal(
        self, server: RawServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        evil = "x\r\n2026-01-01 INFO paid 1,000,000\x1b]0;owned\x07\u2028\x9b2J"
        body = json.dumps({"code": evil, "message": evil, "detail": evil}).encode()
        server.script = [json_answer(body, "400 Bad", f"Request-ID: {'r' * 3000}\r\n")]
        with caplog.at_level("DEBUG"):
            async with raw_client(server) as wxpay:
                with pytest.raises(ServiceError) as raised:
                    await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 2000
        assert all(record.getMessage().isprintable() for record in caplog.records if record.name.startswith("wxpay"))
        assert raised.value.message == evil, "the error itself keeps every byte"

    @pytest.mark.parametrize("name", ["Content-Encoding", "Content-Type", "Request-ID", *HEADERS])
    async def test_nor_does_any_header_of_an_answer(
        self, name: str, server: RawServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The headers of an answer, but for the signature's own, are in no signature."""
        caplog.set_level("DEBUG", "wxpay_dsl")
        whole = Platform().signed(b"x").headers
        sent = {**{each: whole[each] for each in HEADERS}, name: "\x85\u2028\u202e\x9b2J" * 100}
        head = "".join(f"{each}: {value}\r\n" for each, value in sent.items())
        for status in ("200 OK", "400 Bad"):
            server.script = [f"HTTP/1.1 {status}\r\nContent-Length: 1\r\n{head}\r\nx".encode()]
            async with raw_client(server) as wxpay:
                call = wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)
                (found,) = await asyncio.gather(call, return_exceptions=True)
            if isinstance(found, SdkError):
                assert str(found).isprintable()
                assert len(str(found)) < 2000
            else:
                assert (name, found.data) == ("Content-Type", b"x"), "of another type than JSON: as it came"
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("wxpay")]
        assert len(lines) >= 2
        assert all(line.isprintable() and len(line) < 10_000 for line in lines), lines

    async def test_nor_what_a_payer_wrote(self, server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
        """The service passes it on, and signs it."""
        caplog.set_level("DEBUG", "wxpay_dsl")
        evil = "\x85INFO paid\u2028\u202e\x9b2J\x7f茶"
        body = json.dumps({"attach": evil}, ensure_ascii=False).encode()
        whole = Platform().signed(body).headers
        head = "".join(f"{each}: {whole[each]}\r\n" for each in HEADERS) + "Request-ID: \x85INFO paid\u2028\r\n"
        server.script = [json_answer(body, headers=head)]
        async with raw_client(server) as wxpay:
            # Declared, as no value is logged of what no spec describes.
            response = await wxpay.v3.pay.transactions.native.post({"attach": evil}, validate=False)
        assert response.data == {"attach": evil}
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("wxpay")]
        assert len(lines) == 3
        assert all(line.isprintable() for line in lines), lines
        assert "茶" in lines[0]

    async def test_it_does_not_make_a_payment_be_sent_again(self, server: RawServer) -> None:
        server.script = [json_answer(b"", "503 Busy", "Retry-After: 0\r\n")] * 5
        async with raw_client(server, retries=5) as wxpay:
            with pytest.raises(ServiceError):
                await wxpay.v3.my.payment.post({"amount": 1})
        assert len(server.requests) == 1

    async def test_it_does_not_make_a_client_wait_for_ever(self, server: RawServer) -> None:
        server.script = [json_answer(b"", "503 Busy", "Retry-After: 86400\r\n")] * 5
        async with raw_client(server, retries=2) as wxpay, asyncio.timeout(60):
            with pytest.raises(ServiceError):
                await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


async def test_an_answer_to_one_call_is_never_another_calls(server: RawServer) -> None:
    """A second answer that nobody asked for closes the connection: it does not wait there for the next call."""
    whole = Platform().signed(b'{"trade_state":"SUCCESS"}')
    extra = "".join(f"{name}: {whole.headers[name]}\r\n" for name in HEADERS)
    smuggled = json_answer(b'{"trade_state":"SUCCESS"}', headers=extra)
    server.script = [json_answer(b"{}", headers=extra) + smuggled, json_answer(b"", "404 Not Found")]
    async with raw_client(server, max_connections=1) as wxpay:
        with pytest.raises((VerificationError, ConnectionFailedError)):
            await wxpay.v3.pay.transactions.id["1"].get(mchid=MCHID)
        await asyncio.sleep(0.05)
        with pytest.raises((ServiceError, ConnectionFailedError)):
            await wxpay.v3.pay.transactions.id["2"].get(mchid=MCHID)


async def test_an_answer_that_a_proxy_packed_says_so_first() -> None:
    async def packing(request: web.Request, body: bytes) -> web.StreamResponse:
        whole = platform.signed(b'{"a":1}')
        headers = {**{name: whole.headers[name] for name in whole.headers if name.startswith("Wechatpay-")}}
        headers |= {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=gzip.compress(b'{"a":1}'), headers=headers)

    platform = Platform(answer=packing)
    async with serving(platform), wechatpay(platform, platform_keys={PUB_KEY_ID: keys()[1].public_key()}) as wxpay:
        with pytest.raises(BadSignatureError) as raised:
            await wxpay["v3"]["pay"]["orders"]["1"].get()
    assert raised.value.message.startswith(
        "the response is packed with 'gzip', although the request asked for no encoding"
    )
    assert gzip.decompress(raised.value.body) == b'{"a":1}'
