"""Forged, altered and replayed notifications cause no change of state."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.notify.conftest import PAYMENT, PAYMENT_V2, Sender, Wire, make_sender
from tests.wechat.platform_server import Platform, cert, serving, wechatpay
from wxpay_dsl import MerchantKeys, Notifications, SdkError
from wxpay_dsl.notify.notification import MalformedNotificationError, NotificationError
from wxpay_dsl.wechat.errors import BadSignatureError, ClockSkewError, UnknownSerialError, VerificationError
from wxpay_dsl.wechat.v2 import xml
from wxpay_dsl.wechat.v3 import signing as signing_v3

SENDER = make_sender()
MERCHANT = SENDER.merchant
NAMES = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")


class Books:
    """A shop: what it has booked, by what it was told."""

    def __init__(self, *merchants: MerchantKeys) -> None:
        self.notifications = Notifications(*(merchants or (SENDER.merchant_keys,)), store="memory")
        self.booked: list[Any] = []

        @self.notifications.fallback
        async def book(notification: Any) -> None:
            self.booked.append(notification)

    async def hear(self, wire: Wire, merchant: str = "") -> int:
        answer = await self.notifications.handle(wire.headers, wire.body, merchant)
        return answer.status


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    books = Books()
    yield books
    await books.notifications.close()


def changed(wire: Wire, **headers: str) -> Wire:
    return Wire({**wire.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}, wire.body)


async def test_the_true_one_is_booked(books: Books) -> None:
    assert await books.hear(SENDER.event()) == 204
    assert [one.resource["out_trade_no"] for one in books.booked] == [PAYMENT["out_trade_no"]]


class TestReplay:
    async def test_of_the_same_bytes_however_often_and_at_once(self, books: Books) -> None:
        wire = SENDER.event()
        statuses = await asyncio.gather(*(books.hear(wire) for _ in range(200)))
        assert 204 in statuses
        assert await books.hear(wire) == 204
        assert len(books.booked) == 1

    async def test_signed_anew_by_the_service_it_is_still_the_same(self, books: Books) -> None:
        wire = SENDER.event(now=time.time() - 100)
        await books.hear(wire)
        again = SENDER.envelope(wire.body)
        assert again.headers["Wechatpay-Signature"] != wire.headers["Wechatpay-Signature"]
        assert await books.hear(again) == 204
        assert len(books.booked) == 1

    @pytest.mark.parametrize("age", [301, 3600, -301])
    async def test_after_its_time(self, age: int, books: Books) -> None:
        wire = SENDER.event(now=time.time() - age)
        with pytest.raises(ClockSkewError):
            await books.notifications.parse(wire.headers, wire.body)
        assert await books.hear(wire) >= 400
        assert books.booked == []

    @pytest.mark.parametrize(
        "change",
        [
            lambda wire: changed(wire, Wechatpay_Timestamp=str(int(time.time()))),
            lambda wire: changed(wire, Wechatpay_Nonce="another"),
            lambda wire: changed(SENDER.event(), Wechatpay_Signature=wire.headers["Wechatpay-Signature"]),
            lambda wire: Wire(wire.headers, SENDER.event().body),
            lambda wire: Wire(wire.headers, wire.body + b"\n"),
            lambda wire: Wire(wire.headers, b"\xef\xbb\xbf" + wire.body),
            lambda wire: Wire(wire.headers, wire.body.replace(b'"id"', b'"Id"')),
            lambda wire: Wire(wire.headers, json.dumps(json.loads(wire.body)).encode()),
            lambda wire: Wire(wire.headers, gzip.compress(wire.body)),
        ],
        ids=["date", "nonce", "other's signature", "other body", "line feed", "BOM", "id", "written again", "gzip"],
    )
    async def test_under_another_name(self, change: Callable[[Wire], Wire], books: Books) -> None:
        forged = change(SENDER.event(now=time.time() - 200))
        with pytest.raises((VerificationError, MalformedNotificationError)):
            await books.notifications.parse(forged.headers, forged.body)
        assert await books.hear(forged) >= 400
        assert books.booked == []

    async def test_a_line_moved_between_header_and_body(self, books: Books) -> None:
        """``timestamp\\nnonce\\nbody\\n``: a nonce with the body's first line in it would be signed the same."""
        plain = json.dumps({"id": "1"}).encode()
        stamp = str(int(time.time()))
        signature = signing_v3.sign(
            signing_v3.response_message(stamp, "N", b"first\n" + plain), SENDER.pair.private_key
        )
        values = (stamp, "N\nfirst", signature, SENDER.pair.id)
        with pytest.raises(BadSignatureError):
            await books.notifications.parse(dict(zip(NAMES, values, strict=True)), plain)


class TestHeaders:
    @pytest.mark.parametrize("missing", NAMES)
    async def test_signature_stripping(self, missing: str, books: Books) -> None:
        wire = SENDER.event()
        for left in ({}, {name: value for name, value in wire.headers.items() if name != missing}):
            assert await books.hear(Wire(left, wire.body)) >= 400
        assert books.booked == []

    @pytest.mark.parametrize(
        "text",
        [
            "٣" * 10,
            "１" * 10,
            "²" * 10,
            "1e9",
            "-1",
            "+{now}",
            " {now}",
            "{now} ",
            "{now}.0",
            "0x10",
            "{now}\n",
            "9" * 13,
        ],
        ids=ascii,
    )
    async def test_a_date_in_another_writing(self, text: str, books: Books) -> None:
        stamp = text.format(now=int(time.time()))
        wire = SENDER.event()
        message = f"{stamp}\n{wire.headers['Wechatpay-Nonce']}\n".encode() + wire.body + b"\n"
        signature = signing_v3.sign(message, SENDER.pair.private_key)
        forged = changed(wire, Wechatpay_Timestamp=stamp, Wechatpay_Signature=signature)
        with pytest.raises(VerificationError):
            await books.notifications.parse(forged.headers, forged.body)
        assert books.booked == []

    @pytest.mark.parametrize("order", [1, -1])
    async def test_a_header_in_two_spellings_is_not_two_truths(self, order: int, books: Books) -> None:
        """One of them is taken, for all that is asked of it: a forged one spoils the message, and adds nothing."""
        wire = SENDER.event()
        pairs = [*wire.headers.items(), ("wechatpay-timestamp", "1"), ("WECHATPAY_SIGNATURE", "QUJD")][::order]
        status = await books.hear(Wire(dict(pairs), wire.body))
        assert (status == 204) == bool(books.booked)
        for booked in books.booked:
            assert booked.resource == PAYMENT

    async def test_two_signatures_in_one_header_are_none(self, books: Books) -> None:
        wire = SENDER.event()
        good = wire.headers["Wechatpay-Signature"]
        for joined in (f"{good}, {good}", f"QUJD,{good}", f"{good}\n", f" {good}", good.rstrip("="), good + "=="):
            assert await books.hear(changed(wire, Wechatpay_Signature=joined)) >= 400
        assert books.booked == []

    async def test_a_serial_in_lower_case_names_the_same_certificate_and_no_other(self) -> None:
        sender = make_sender(mode="certificate")
        books = Books(sender.merchant_keys)
        wire = sender.event()
        serial = wire.headers["Wechatpay-Serial"]
        assert serial != serial.lower()
        assert await books.hear(changed(wire, Wechatpay_Serial=serial.lower())) in (204, 401)
        for other in (f"0{serial}", f"{serial} ", f" {serial}", serial[:-1], f"{serial}\n", f"0x{serial}", "0"):
            with pytest.raises(VerificationError):
                await books.notifications.parse(changed(wire, Wechatpay_Serial=other).headers, wire.body)


async def test_a_storm_of_forged_serials_costs_one_download_at_most() -> None:
    platform = Platform(signing=cert(1))
    async with serving(platform), wechatpay(platform) as wxpay:
        notifications = Notifications(wxpay, store="memory")
        wires = [changed(SENDER.event(), Wechatpay_Serial=f"{number:040X}") for number in range(200)]
        storm = (notifications.parse(wire.headers, wire.body) for wire in wires)
        errors = await asyncio.gather(*storm, return_exceptions=True)
        assert {type(error) for error in errors} == {UnknownSerialError}
        assert platform.downloads <= 2
        await notifications.close()


async def test_with_many_merchants_it_costs_each_one_download_at_most_and_none_where_the_url_names_another() -> None:
    platforms = [Platform(signing=cert(number)) for number in range(1, 4)]
    async with AsyncExitStack() as stack:
        clients = []
        for number, platform in enumerate(platforms):
            await stack.enter_async_context(serving(platform))
            clients.append(await stack.enter_async_context(wechatpay(platform, mchid=f"190000010{number}")))
        notifications = Notifications(*clients, store="memory")
        wires = [changed(SENDER.event(), Wechatpay_Serial=f"{number:040X}") for number in range(60)]
        named = (notifications.parse(wire.headers, wire.body, "1900000102") for wire in wires)
        errors = await asyncio.gather(*named, return_exceptions=True)
        assert {type(error) for error in errors} == {UnknownSerialError}
        assert [platform.downloads for platform in platforms][:2] == [0, 0]
        storm = (notifications.parse(wire.headers, wire.body) for wire in wires)
        errors = await asyncio.gather(*storm, return_exceptions=True)
        assert {type(error) for error in errors} == {UnknownSerialError}
        assert all(platform.downloads <= 2 for platform in platforms)
        await notifications.close()


class TestOtherWorlds:
    """What is true in one place is not in another."""

    async def test_apiv2_is_no_way_round_apiv3(self) -> None:
        """A merchant without an APIv2 key takes no XML, signed with whatever: with nothing, say."""
        certs = {SENDER.pair.id: SENDER.pair.private_key.public_key()}
        books = Books(MerchantKeys.of(MERCHANT.mchid, platform_keys=certs, apiv3_key=MERCHANT.apiv3_key))
        for wire in (SENDER.xml(PAYMENT_V2), SENDER.xml(PAYMENT_V2, None), SENDER.xml({"mch_id": MERCHANT.mchid})):
            with pytest.raises(SdkError):
                await books.notifications.parse(wire.headers, wire.body)
            assert await books.hear(Wire({**SENDER.event().headers, **wire.headers}, wire.body)) >= 400
        assert books.booked == []

    async def test_nor_apiv3_round_apiv2(self) -> None:
        books = Books(MerchantKeys.of(MERCHANT.mchid, apiv2_key=MERCHANT.apiv2_key))
        assert await books.hear(SENDER.event()) >= 400
        assert books.booked == []

    @pytest.mark.parametrize("sign", ["", "0" * 32, "0" * 64, "D41D8CD98F00B204E9800998ECF8427E"])
    async def test_an_apiv2_signature_by_no_key(self, sign: str, books: Books) -> None:
        wire = SENDER.xml({**PAYMENT_V2, "sign": sign}, None)
        assert await books.hear(wire) >= 400
        assert books.booked == []

    async def test_an_apiv2_refund_says_nothing_outside_of_what_is_encrypted(self, books: Books) -> None:
        """A payment beside something that looks like a refund needs its signature all the same."""
        for sealed in ("", "QUJD", "QUJD" * 8):
            assert await books.hear(SENDER.xml({**PAYMENT_V2, "req_info": sealed}, None)) >= 400
        assert books.booked == []

    async def test_another_merchants_notification_is_nobody_elses(self) -> None:
        other = make_sender("1900000999")
        books = Books(SENDER.merchant_keys, other.merchant_keys)
        for wire in (SENDER.event(), SENDER.xml(PAYMENT_V2)):
            assert await books.hear(wire, "1900000999") >= 400
        assert books.booked == []
        for wire in (SENDER.event(), SENDER.xml(PAYMENT_V2)):
            assert await books.hear(wire) in (200, 204)
        assert {one.merchant for one in books.booked} == {MERCHANT.mchid}

    async def test_one_merchant_who_shares_the_platforms_key_cannot_speak_for_another(self) -> None:
        """The platform's certificates may be the same for all: then it is the APIv3 key that tells them apart."""
        shared = Sender(make_sender("1900000999").merchant, SENDER.platform, SENDER.pair)
        books = Books(SENDER.merchant_keys)
        wire = shared.event(resource={**PAYMENT, "mchid": MERCHANT.mchid})
        for merchant in ("", MERCHANT.mchid):
            assert await books.hear(wire, merchant) >= 400
        assert books.booked == []

    async def test_an_answer_of_the_service_is_no_notification(self, books: Books) -> None:
        for body in (
            b"{}",
            b"[]",
            b"null",
            b"",
            json.dumps(PAYMENT).encode(),
            json.dumps({"data": [PAYMENT]}).encode(),
        ):
            with pytest.raises(NotificationError):
                await books.notifications.parse(*_pair(SENDER.envelope(body)))
        assert books.booked == []


def _pair(wire: Wire) -> tuple[Mapping[str, str], bytes]:
    return wire.headers, wire.body


class TestJson:
    """Signed, and hostile all the same: read in one way, or refused."""

    @pytest.mark.parametrize(
        "plaintext",
        [
            '{"amount": NaN}',
            '{"amount": Infinity}',
            '{"amount": -Infinity}',
            '{"amount": ' + "9" * 5000 + "}",
            "[" * 100_000,
            '{"a":' * 100_000,
            '{"a": 1} {"a": 2}',
            '{"a": 01}',
            "{'a': 1}",
            '{"a": "\t"}',
            '{"a": 1,}',
            "",
        ],
        ids=range(12),
    )
    @pytest.mark.parametrize("where", ["envelope", "resource", "score"])
    async def test_what_is_no_json_is_refused(self, where: str, plaintext: str, books: Books) -> None:
        match where:
            case "envelope":
                wire = SENDER.envelope(plaintext.encode())
            case "resource":
                wire = SENDER.sealed(plaintext)
            case _:
                wire = _score(plaintext)
        with pytest.raises(NotificationError):
            await books.notifications.parse(wire.headers, wire.body)
        assert await books.hear(wire) >= 400
        assert books.booked == []

    async def test_a_name_that_is_there_twice_is_read_once(self, books: Books) -> None:
        """By everybody who reads the bytes with Python, the later holds; nothing else was looked at before."""
        notification = await books.notifications.parse(*_pair(SENDER.sealed('{"total": 1, "total": 2}')))
        assert notification.resource == {"total": 2}

    async def test_a_large_number_is_exact(self, books: Books) -> None:
        notification = await books.notifications.parse(*_pair(SENDER.sealed('{"total": 90071992547409931}')))
        assert notification.resource == {"total": 90071992547409931}

    async def test_a_name_means_nothing_to_python(self, books: Books) -> None:
        notification = await books.notifications.parse(*_pair(SENDER.sealed('{"__class__": "x", "__proto__": {}}')))
        assert notification.resource == {"__class__": "x", "__proto__": {}}
        assert type(notification).__name__ == "Notification"


def _score(plaintext: str) -> Wire:
    from wxpay_dsl.wechat.crypto import ciphers

    sealed = ciphers.aead_encrypt(plaintext, MERCHANT.apiv3_key, "0123456789ab", "x")
    fields = {"mch_id": MERCHANT.mchid, "event_type": "payscore", "event_ciphertext": sealed}
    return SENDER.xml({**fields, "event_nonce": "0123456789ab", "event_associated_data": "x"})


ENTITIES = '<!DOCTYPE xml [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><xml><a>&b;</a></xml>'
OUTSIDE = '<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><a>&a;</a></xml>'


@pytest.mark.parametrize(
    "body",
    [
        ENTITIES,
        OUTSIDE,
        OUTSIDE.replace("file:///etc/passwd", "http://127.0.0.1:9/x"),
        '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x"><xml/>',
        '<?xml version="1.0" encoding="utf-16"?><xml/>',
        "<xml><a><b/></a></xml>",
        "<xml><a>1</a><a>2</a></xml>",
        "<xml>" + "<a>" * 50_000,
        "<xml>" + "".join(f"<a{n}>1</a{n}>" for n in range(5000)) + "</xml>",
        "<xml><xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/></xml>",
        "<html/>",
    ],
    ids=range(11),
)
async def test_xml_that_is_more_than_fields_is_not_read(body: str, books: Books) -> None:
    with pytest.raises(MalformedNotificationError) as raised:
        await books.notifications.parse({}, body.encode())
    assert "root:" not in str(raised.value)
    assert await books.hear(Wire({}, body.encode())) >= 400


class TestServers:
    """The adapters: slow, endless and oddly announced bodies."""

    async def test_a_body_that_never_comes_is_not_waited_for_by_aiohttp(self) -> None:
        notifications = Notifications(SENDER.merchant_keys, store="memory", ack_timeout=0.2)
        app = web.Application()
        app.router.add_post("/notify", notifications.aiohttp)
        async with TestServer(app) as server, asyncio.timeout(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST /notify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await notifications.close()

    async def test_nor_by_asgi(self) -> None:
        notifications = Notifications(SENDER.merchant_keys, store="memory", ack_timeout=0.2)
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if not sent:
                await asyncio.sleep(0.05)
            return {"type": "http.request", "body": b"{", "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/notify", "headers": []}
        async with asyncio.timeout(60):
            await notifications.asgi(scope, receive, send)
        assert sent[0]["status"] == 408
        await notifications.close()

    @pytest.mark.parametrize(
        "length", ["²", "٣", "-1", "+1", "1e3", " 1", "1_0", "9" * 5000, str(2**63), "0x1", "", "1,1"], ids=ascii
    )
    def test_wsgi_is_told_no_length_that_is_none(self, length: str) -> None:
        notifications = Notifications(SENDER.merchant_keys, store="memory")
        said: list[Any] = []
        wire = SENDER.event()
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/n", "CONTENT_LENGTH": length}
        environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in wire.headers.items()}
        body = io.BytesIO(wire.body)
        notifications.wsgi({**environ, "wsgi.input": body}, lambda *given: said.append(given))
        assert said[0][0].partition(" ")[0] in ("411", "413")
        assert body.tell() == 0


async def test_a_refusal_tells_a_stranger_nothing(books: Books) -> None:
    """Neither keys nor paths nor what is known here."""
    for wire in (SENDER.xml(PAYMENT_V2, None), Wire({}, b"{}"), changed(SENDER.event(), Wechatpay_Serial="0A")):
        answer = await books.notifications.handle(wire.headers, wire.body)
        said = answer.body.decode()
        assert len(said) < 400
        for secret in (MERCHANT.apiv3_key, MERCHANT.apiv2_key, SENDER.pair.id, "/wxpay_dsl", "Traceback"):
            assert secret not in said


@pytest.mark.parametrize(
    "evil", ["x\r\nINFO paid", "x\nINFO paid", "\x1b]0;owned\x07", "\u2028x", "\x9b2J", "%s%n", "\udc80"]
)
async def test_a_stranger_writes_one_line_of_the_log(evil: str, books: Books, caplog: pytest.LogCaptureFixture) -> None:
    wire = SENDER.event()
    wires = [changed(wire, **{name.replace("-", "_"): evil}) for name in NAMES]
    for fields in ({"mch_id": evil, "sign": "A" * 32}, {"mch_id": MERCHANT.mchid, "sign": evil, evil: evil}):
        body = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
        wires.append(Wire({}, f"<xml>{body}</xml>".encode("utf-8", "surrogatepass")))
    wires.append(Wire(wire.headers, evil.encode("utf-8", "surrogatepass")))
    with caplog.at_level("DEBUG"):
        for each in wires:
            assert await books.hear(each) >= 400
            assert await books.hear(each, evil) >= 400
    assert len(caplog.records) >= 7
    for record in caplog.records:
        assert record.getMessage().isprintable(), record.getMessage()
        assert len(record.getMessage()) < 1000


async def test_apiv2s_fields_are_text_whatever_they_look_like(books: Books) -> None:
    body = xml.dumps({"attach": "<script>", "total_fee": "1"})
    assert xml.loads(body) == {"attach": "<script>", "total_fee": "1"}
