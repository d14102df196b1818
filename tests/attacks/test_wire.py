"""Ambiguous or endless HTTP and JSON: only one reading is possible, that of the verified bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.core.raw_server import RawServer, Say, for_ever, json_answer, then_close
from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, Platform, keys, serving, wechatpay
from wxpay_dsl import SdkError, ServiceError, ValidationError, Wechatpay
from wxpay_dsl.core.errors import FileCorruptedError, ResponseDecodeError, TransportError
from wxpay_dsl.wechat.errors import BadSignatureError, MissingHeaderError, UnknownSerialError, VerificationError

CERTS = {PUB_KEY_ID: keys()[1].public_key()}
HEADERS = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")
PAID = b'{"trade_state":"SUCCESS"}'


def raw_client(server: RawServer, **settings: Any) -> Wechatpay:
    given: dict[str, Any] = {"mchid": MCHID, "serial": SERIAL, "private_key": keys()[0], "platform_keys": CERTS}
    given |= {"base_url": server.url, "timeout": 30.0, "retries": 0}
    return Wechatpay(**{**given, **settings})


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


async def call(wxpay: Wechatpay) -> Any:
    return await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


def lines(body: bytes) -> str:
    """The headers that vouch for a body."""
    whole = Platform().signed(body)
    return "".join(f"{name}: {whole.headers[name]}\r\n" for name in HEADERS)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def answer(head: str, body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{head}\r\n".encode() + body


class TestFraming:
    """Where a body ends is a question that two readers may answer in two ways."""

    @pytest.mark.parametrize(
        ("framing", "body"),
        [
            (f"Content-Length: {len(PAID)}\r\nTransfer-Encoding: chunked\r\n", chunked(PAID)),
            (f"Transfer-Encoding: chunked\r\nContent-Length: {len(PAID)}\r\n", PAID),
            (f"Content-Length: {len(PAID)}\r\nContent-Length: 2\r\n", PAID),
            (f"Content-Length: {len(PAID)}, 2\r\n", PAID),
            (f"Content-Length: +{len(PAID)}\r\n", PAID),
            ("Content-Length: -1\r\n", PAID),
            (f"Content-Length: {len(PAID)}_0\r\n", PAID),
            ("Content-Length: 99999999999999999999999\r\n", PAID),
            ("Transfer-Encoding: xchunked\r\n", chunked(PAID)),
            ("Transfer-Encoding: chunked, identity\r\n", chunked(PAID)),
            (f"Content-Length : {len(PAID)}\r\n", PAID),
            ("Transfer-Encoding: chunked\r\n", b"ffffffffffffffff1\r\n" + PAID),
            ("Transfer-Encoding: chunked\r\n", b"-1\r\n" + PAID + b"\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", b"0x19\r\n" + PAID + b"\r\n0\r\n\r\n"),
        ],
        ids=range(14),
    )
    async def test_what_is_read_is_what_was_signed_or_nothing(
        self, framing: str, body: bytes, server: RawServer
    ) -> None:
        server.script = [then_close(answer(framing + lines(PAID), body))]
        async with raw_client(server) as wxpay:
            try:
                response = await call(wxpay)
            except SdkError:
                return
        assert response.exchange.received.body == PAID

    async def test_a_folded_header_is_no_second_one(self, server: RawServer) -> None:
        folded = lines(PAID) + f"X-A: b\r\n Wechatpay-Serial: {PUB_KEY_ID}\r\n"
        server.script = [then_close(answer(f"Content-Length: {len(PAID)}\r\n{folded}", PAID))]
        async with raw_client(server) as wxpay:
            try:
                response = await call(wxpay)
            except SdkError:
                return
        assert response.headers["Wechatpay-Serial"] == PUB_KEY_ID

    async def test_headers_at_the_end_vouch_for_nothing(self, server: RawServer) -> None:
        body = chunked(PAID)[:-2] + lines(PAID).encode() + b"\r\n"
        server.script = [then_close(answer("Transfer-Encoding: chunked\r\nTrailer: Wechatpay-Signature\r\n", body))]
        async with raw_client(server) as wxpay:
            with pytest.raises((MissingHeaderError, TransportError)):
                await call(wxpay)

    @pytest.mark.parametrize("body", [PAID, b""])
    async def test_an_answer_of_no_content_has_none(self, body: bytes, server: RawServer) -> None:
        """What follows a 204 is not its body, and not the answer to the next call."""
        said = answer(f"Content-Length: {len(body)}\r\n{lines(b'')}", body, "204 No Content")
        server.script = [said, json_answer(b"", "404 Not Found")]
        async with raw_client(server, max_connections=1) as wxpay:
            close = wxpay.v3.pay.transactions.outTradeNo["42"].close
            try:
                response = await close.post(mchid=MCHID)
            except SdkError:
                pass
            else:
                assert response.data is None
            with pytest.raises((ServiceError, TransportError)):
                await call(wxpay)

    async def test_a_tunnel_is_not_entered(self, server: RawServer) -> None:
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        server.script = [then_close((upgrade + lines(PAID) + "\r\n").encode() + PAID)]
        async with raw_client(server) as wxpay:
            with pytest.raises(SdkError):
                await call(wxpay)


ENDLESS: dict[str, Say] = {
    "early hints": for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", 0.001),
    "continue": for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
    "chunks of one byte": for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 1000),
    "a chunk's extension": for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", b"y" * 65536),
    "a chunk's size": for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    "trailers": for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000),
    "the reason": for_ever(b"HTTP/1.1 200 ", b"y" * 65536),
    "the version": for_ever(b"HTTP/1.", b"1" * 65536),
    "empty lines": for_ever(b"", b"\r\n" * 1000),
    "noise": for_ever(b"", b"\x16\x03\x01" * 1000),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDLESS)
async def test_what_never_ends_is_ended(kind: str, server: RawServer) -> None:
    import tracemalloc

    server.script = [ENDLESS[kind]]
    tracemalloc.start()
    try:
        async with asyncio.timeout(60), raw_client(server, timeout=1.5) as wxpay:
            with pytest.raises(SdkError) as raised:
                await call(wxpay)
        assert tracemalloc.get_traced_memory()[1] < 48 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert len(str(raised.value)) < 2000
    assert str(raised.value).isprintable()


class TestJson:
    """Signed, so that it came from the service; what a parser might make of it is bounded all the same."""

    async def response(self, body: bytes, **more: str) -> Any:
        async def say(request: web.Request, _: bytes) -> web.StreamResponse:
            whole = platform.signed(body)
            whole.headers.update(more)
            return whole

        platform = Platform(answer=say)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            return await call(wxpay)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":NaN}',
            b'{"a":Infinity}',
            b'{"a":-Infinity}',
            b'{"a":' + b"9" * 5000 + b"}",
            b"{} {}",
            b"\xff",
            b"{'a':1}",
        ],
        ids=range(7),
    )
    async def test_what_is_no_json_is_not_read(self, body: bytes) -> None:
        with pytest.raises(ResponseDecodeError) as raised:
            await self.response(body)
        assert raised.value.body == body

    async def test_money_is_exact_however_much_it_is(self) -> None:
        response = await self.response(b'{"amount":{"total":90071992547409931}}')
        assert response.data["amount"]["total"] == 90071992547409931

    async def test_a_name_that_is_there_twice_has_one_value(self) -> None:
        response = await self.response(b'{"trade_state":"SUCCESS","trade_state":"NOTPAY"}')
        assert response.data == {"trade_state": "NOTPAY"}

    @pytest.mark.parametrize("charset", ["utf-16", "utf-7", "gbk", "x", "utf-8; charset=utf-16", "\u00e9"])
    async def test_the_charset_that_is_claimed_does_not_matter(self, charset: str) -> None:
        """The claim is in no signature."""
        body = '{"name":"茶"}'.encode()
        try:
            response = await self.response(body, **{"Content-Type": f"application/json; charset={charset}"})
        except ResponseDecodeError:
            return
        assert response.data == {"name": "茶"}

    @pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
    @pytest.mark.parametrize("over", ["packed", "plain"])
    async def test_an_answer_packed_on_its_way(self, pack: Any, over: str) -> None:
        """Nobody asked for it: what came is what is verified, and nothing is unpacked for it."""

        async def say(request: web.Request, _: bytes) -> web.StreamResponse:
            whole = platform.signed(packed if over == "packed" else PAID)
            headers = {name: whole.headers[name] for name in HEADERS} | {"Content-Encoding": "gzip"}
            assert request.headers["Accept-Encoding"] == "identity"
            return web.Response(body=packed, headers=headers)

        packed = pack(PAID)
        platform = Platform(answer=say)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(ResponseDecodeError if over == "packed" else BadSignatureError):
                await call(wxpay)


HOSTILE_NUMBERS = ["9" * 5000, "²", "٣٣", "-1", "1e9", "0x1", " ", "+5", "1_0", "NaN", "inf"]
HOSTILE_DATES = [
    "Mon, 01 Jan 2024 00:00:00 +99999999999999",
    "1 Jan 99999999999999999999 00:00:00",
    "1 Jan 2024 99999999999999999999:00",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "(" * 3000,
    ":" * 3000,
]


class TestNumbersOfARefusal:
    """Nobody signs a refusal: what it says in figures raises what a refusal raises, and nothing else."""

    @pytest.mark.parametrize("said", HOSTILE_NUMBERS + HOSTILE_DATES, ids=lambda said: ascii(said)[:30])
    async def test_when_to_come_again(self, said: str, server: RawServer) -> None:
        server.script = [json_answer(b"", "503 Busy", f"Retry-After: {said}\r\n")] * 3
        async with asyncio.timeout(60), raw_client(server, retries=1) as wxpay:
            with pytest.raises((ServiceError, TransportError)):
                await call(wxpay)

    @pytest.mark.parametrize("said", [*HOSTILE_NUMBERS, 10**300, 1e300, True, None, [1], {"a": 1}], ids=ascii)
    @pytest.mark.parametrize("message", ["GET\n/v3/x\n1\nN\n\n", "\ud800\n\n\n\n\ud800", "\n" * 3000, ""], ids=range(4))
    async def test_how_long_the_signed_message_was(self, message: str, said: Any, server: RawServer) -> None:
        information = {"truncated_sign_message": message, "sign_message_length": said, "method": said}
        body = {"code": "SIGN_ERROR", "message": "x", "detail": {"sign_information": information}}
        server.script = [json_answer(json.dumps(body).encode(), "401 Unauthorized")]
        async with raw_client(server) as wxpay:
            with pytest.raises(ServiceError) as raised:
                await call(wxpay)
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 2000

    @pytest.mark.parametrize("said", HOSTILE_NUMBERS, ids=lambda said: ascii(said)[:30])
    async def test_where_a_download_goes_on(self, said: str, server: RawServer) -> None:
        first = then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1,2,")
        rest = f"HTTP/1.1 206 Partial\r\nContent-Range: bytes {said}-7/8\r\nContent-Length: 4\r\n\r\n3,4\n"
        server.script = [first, rest.encode()]
        link = {"download_url": f"{server.url}/x", "hash_type": "SHA1", "hash_value": "00" * 20}
        async with asyncio.timeout(60), raw_client(server) as wxpay, wxpay.download(link) as file:
            with pytest.raises(SdkError):
                await file.read()


class TestSerial:
    async def test_its_case_names_the_same_key(self) -> None:
        async def say(request: web.Request, _: bytes) -> web.StreamResponse:
            whole = platform.signed(PAID)
            whole.headers["Wechatpay-Serial"] = PUB_KEY_ID.lower()
            return whole

        platform = Platform(answer=say)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            assert (await call(wxpay)).data == {"trade_state": "SUCCESS"}

    @pytest.mark.parametrize("serial", ["../../x", "a" * 5000, "*", "%00", "PUB_KEY_ID_", "0", "-1"])
    async def test_it_is_a_key_of_nothing_but_keys(self, serial: str) -> None:
        async def say(request: web.Request, _: bytes) -> web.StreamResponse:
            whole = platform.signed(PAID)
            whole.headers["Wechatpay-Serial"] = serial
            return whole

        platform = Platform(answer=say)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(UnknownSerialError) as raised:
                await call(wxpay)
            assert platform.downloads == 0
        assert len(str(raised.value)) < 1000


class TestDownloads:
    """A file is not signed: the hash that came with its link is."""

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_leads_nowhere(self, status: int, server: RawServer) -> None:
        async with RawServer() as elsewhere, raw_client(server) as wxpay:
            server.script = [json_answer(b"", f"{status} Moved", f"Location: {elsewhere.url}/steal\r\n")] * 3
            with pytest.raises(SdkError):
                async with wxpay.download({"download_url": f"{server.url}/v3/billdownload/file?token=x"}) as file:
                    await file.read()
            assert elsewhere.connections == 0

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("SHA1", "00" * 20),
            ("SHA1", "00" * 32),
            ("SHA256", "00" * 32),
            ("SHA1", "0"),
            ("SHA1", "é" * 40),
            ("MD5", "0"),
        ],
        ids=range(6),
    )
    async def test_another_file_is_not_it(self, kind: str, value: str, server: RawServer) -> None:
        server.script = [json_answer(b"a,b\n1,2\n")] * 3
        link = {"download_url": f"{server.url}/v3/billdownload/file?token=x", "hash_type": kind, "hash_value": value}
        async with raw_client(server) as wxpay:
            with pytest.raises((FileCorruptedError, ValidationError)):
                async with wxpay.download(link) as file:
                    await file.read()

    async def test_without_a_hash_nothing_is_proven_and_it_says_so(self, server: RawServer) -> None:
        link = {"download_url": f"{server.url}/v3/billdownload/file?token=x", "hash_type": "SHA1", "hash_value": ""}
        async with raw_client(server) as wxpay, wxpay.download(link) as file:
            assert file.digest is None

    @pytest.mark.parametrize("kind", ["SHAKE_128", "shake_256", "CRC32", "../x", "NONE", "", "a" * 5000])
    async def test_a_hash_that_is_none_is_refused(self, kind: str, server: RawServer) -> None:
        link = {"download_url": f"{server.url}/x", "hash_type": kind, "hash_value": "00"}
        async with raw_client(server) as wxpay:
            with pytest.raises(SdkError) as raised:
                async with wxpay.download(link) as file:
                    await file.read()
        assert len(str(raised.value)) < 1000

    async def test_a_bomb_is_not_unpacked_beyond_its_limit(self, server: RawServer) -> None:
        bomb = gzip.compress(b"\0" * 200_000_000)
        server.script = [json_answer(bomb)]
        async with raw_client(server) as wxpay:
            download = wxpay.download({"download_url": f"{server.url}/v3/billdownload/file"}, limit=1_000_000)
            async with download as file:
                with pytest.raises(SdkError):
                    async for _ in file:
                        pass

    async def test_a_file_in_pieces_of_two_answers_is_one_file(self, server: RawServer) -> None:
        """Another file's second half, after the connection broke, shows in the hash."""
        import hashlib

        first = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1,2,"
        rest = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-7/8\r\nContent-Length: 4\r\n\r\n9,9\n"
        server.script = [then_close(first), rest]
        digest = hashlib.sha1(b"1,2,3,4\n", usedforsecurity=False).hexdigest()
        link = {"download_url": f"{server.url}/x", "hash_type": "SHA1", "hash_value": digest}
        async with raw_client(server) as wxpay, wxpay.download(link) as file:
            with pytest.raises(FileCorruptedError):
                await file.read()
        assert b"Range: bytes=4-" in server.requests[1]


async def test_an_answer_that_was_signed_for_nobody_is_not_read_as_json(server: RawServer) -> None:
    """Verified before it is parsed: what would break a parser does not reach it."""
    server.script = [json_answer(b"[" * 5_000_000)]
    async with raw_client(server) as wxpay:
        with pytest.raises(VerificationError):
            await call(wxpay)
