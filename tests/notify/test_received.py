"""What frameworks hand over of a request is taken, or refused with the words that help."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from tests.notify.conftest import PAYMENT, PAYMENT_V2, Sender
from wxpay_dsl import Notifications
from wxpay_dsl.wechat.errors import BadSignatureError, MissingHeaderError


@pytest.fixture
def notifications(sender: Sender) -> Notifications:
    return Notifications(sender.merchant_keys, store="memory")


@pytest.mark.parametrize("body", [{"id": "EV"}, "{}", None, [b"{}"], 5], ids=lambda body: type(body).__name__)
@pytest.mark.parametrize("method", ["parse", "handle"])
async def test_a_body_that_is_no_bytes(method: str, body: Any, sender: Sender, notifications: Notifications) -> None:
    with pytest.raises(TypeError, match=f"the body is {type(body).__name__}.*raw bytes.*request.get_data"):
        await getattr(notifications, method)(sender.event().headers, body)
    with pytest.raises(TypeError, match="raw bytes"):
        notifications.handle_sync(sender.event().headers, body)


@pytest.mark.parametrize("headers", [None, [("a", "b")], "a: b", b"a: b"], ids=lambda headers: type(headers).__name__)
@pytest.mark.parametrize("method", ["parse", "handle"])
async def test_headers_that_are_no_mapping(
    method: str, headers: Any, sender: Sender, notifications: Notifications
) -> None:
    for wire in (sender.event(), sender.xml(PAYMENT_V2)):
        with pytest.raises(TypeError, match=f"the headers are {type(headers).__name__}.*request.headers"):
            await getattr(notifications, method)(headers, wire.body)


class Fields:
    """Headers as a framework may have them: no Mapping, but asked like one."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.get = headers.get
        self.items = headers.items


async def test_headers_that_are_asked_like_a_mapping_are_taken(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    fields: Any = Fields(wire.headers)
    assert (await notifications.parse(fields, wire.body)).resource == PAYMENT
    for lacking in ("get", "items"):
        less: Any = Fields(wire.headers)
        delattr(less, lacking)
        with pytest.raises(TypeError, match="the headers are Fields"):
            await notifications.parse(less, wire.body)


async def test_a_merchant_is_text_or_nothing(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    nothing: Any = None
    assert (await notifications.parse(wire.headers, wire.body, nothing)).resource == PAYMENT
    number: Any = 1900000109
    with pytest.raises(TypeError, match="the merchant is int"):
        await notifications.parse(wire.headers, wire.body, number)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview], ids=lambda kind: kind.__name__)
async def test_bytes_in_any_container_are_handled(kind: Any, sender: Sender, notifications: Notifications) -> None:
    done: list[Any] = []
    notifications.fallback(done.append)
    wire = sender.event()
    assert (await notifications.handle(wire.headers, kind(wire.body))).status == 204
    assert len(done) == 1


async def test_a_wsgi_environment_is_a_mapping_of_headers(sender: Sender, notifications: Notifications) -> None:
    """As Django's ``request.META`` is."""
    wire = sender.event()
    meta = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in wire.headers.items()}
    environment: Any = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "1", "wsgi.version": (1, 0), **meta}
    assert (await notifications.parse(environment, wire.body)).resource == PAYMENT
    del environment["HTTP_WECHATPAY_NONCE"]
    with pytest.raises(MissingHeaderError, match="Wechatpay-Nonce"):
        await notifications.parse(environment, wire.body)


PACKINGS = {
    "gzip": (gzip.compress, "gzip"),
    "deflate": (zlib.compress, "deflate"),
    "zstd": (lambda body: b"\x28\xb5\x2f\xfd" + body, "zstd"),
}


@pytest.mark.parametrize("packing", PACKINGS)
async def test_a_body_that_a_proxy_packed_is_named_so(
    packing: str, sender: Sender, notifications: Notifications
) -> None:
    pack, name = PACKINGS[packing]
    wire = sender.event()
    with pytest.raises(BadSignatureError, match=rf"packed \({name}\).*a proxy"):
        await notifications.parse(wire.headers, pack(wire.body))
    with pytest.raises(MissingHeaderError, match=rf"compressed \({name}\).*a proxy"):
        await notifications.parse({}, pack(sender.xml(PAYMENT_V2).body))


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({"content-encoding": "br"}, b"\x8b\x02\x80", r"packed \(br\)"),
        ({"HTTP_CONTENT_ENCODING": "br"}, b"\x8b\x02\x80", r"packed \(br\)"),
        ({"Content-Encoding": "identity"}, b"\x8b\x02\x80", "changed on its way"),
        ({"Content-Encoding": "gzip"}, b'{"a": 1}', "changed on its way"),
        ({}, b'{"a": 1}', "changed on its way"),
        ({}, b"", "the body is empty"),
    ],
)
async def test_what_happened_to_a_body_is_told_by_what_it_looks_like(
    headers: dict[str, str], body: bytes, said: str, sender: Sender, notifications: Notifications
) -> None:
    with pytest.raises(BadSignatureError, match=said):
        await notifications.parse({**sender.event().headers, **headers}, body)


async def test_what_was_signed_is_read_whatever_its_encoding_is_called(
    sender: Sender, notifications: Notifications
) -> None:
    wire = sender.event()
    assert json.loads(wire.body)["id"]
    headers = {**wire.headers, "Content-Encoding": "gzip"}
    assert (await notifications.parse(headers, wire.body)).resource == PAYMENT
