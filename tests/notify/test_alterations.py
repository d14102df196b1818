"""A notification that does not verify is told by what was done to it; the key is blamed last."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.notify.conftest import Sender, Wire
from wxpay_dsl import MerchantKeys
from wxpay_dsl.diagnosis.notification import diagnose_v3
from wxpay_dsl.sandbox.keys.identity import make_platform_public_key
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey

Keys = Mapping[str, PlatformKey]


@pytest.fixture
def keys(sender: Sender) -> Keys:
    return {sender.pair.id: PlatformKey(sender.pair.id, sender.pair.private_key.public_key())}


def verdict(wire: Wire, merchant_keys: MerchantKeys, keys: Keys, body: bytes | None = None) -> str:
    """What the last step says: why the signature is wrong."""
    steps = list(diagnose_v3(wire.headers, wire.body if body is None else body, merchant_keys, keys, time.time()))
    assert (steps[-1].title, steps[-1].good) == ("signature", False)
    return steps[-1].text


def reordered(body: bytes) -> bytes:
    document = json.loads(body)
    whole = {**document, "resource": dict(reversed(document["resource"].items()))}
    return json.dumps(dict(reversed(whole.items())), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda body: json.dumps(json.loads(body), indent=2).encode(), "serialised again"),
        (reordered, "put into another order"),
        (lambda body: body.decode().encode("gb18030"), "written as GBK"),
        (gzip.compress, "a proxy compressed the body"),
        (zlib.compress, "a proxy compressed the body"),
        (lambda body: gzip.compress(body)[:-20], r"compressed \(gzip\)"),
        (lambda body: gzip.compress(body + bytes(2 << 20)), r"compressed \(gzip\)"),
        (lambda body: b"\x28\xb5\x2f\xfd" + body, r"compressed \(zstd\)"),
        (lambda body: b"", "the body is empty"),
        (lambda body: body.decode("ascii", "replace").encode(), r"U\+FFFD"),
        (lambda body: body.replace("支".encode(), b"\xff"), r"not UTF-8 \(byte 0xff at \d+\)"),
        (lambda body: "".join(chr(c) if c < 128 else f"\\x{c:02x}" for c in body).encode(), r"\\x escapes"),
        (lambda body: body[:-1], "JSON ends in the middle: the body was cut"),
        (lambda body: body[: len(body) // 2], "JSON ends in the middle: the body was cut"),
        (lambda body: body[:1], "JSON ends in the middle: the body was cut"),
        (lambda body: body.replace(b'"id":', b'"id"'), "is broken at character 5"),
        (lambda body: b"[" * 100_000, "JSON"),
        (lambda body: body.replace(b"TRANSACTION", b"transaction"), "so it is from WeChat Pay.*changed on its way"),
        (lambda body: body.replace(b'"nonce":"', b'"nonce":"0'), "for another merchant, or not from WeChat Pay"),
        (lambda body: b'{"id": "1"}', "parts of it are missing or changed"),
    ],
)
def test_what_was_done_to_the_body(spoil: Callable[[bytes], bytes], said: str, sender: Sender, keys: Keys) -> None:
    wire = sender.event()
    told = verdict(wire, sender.merchant_keys, keys, spoil(wire.body))
    assert re.search(said, told), told
    if "it is from WeChat Pay" not in told:
        assert "compare the key" not in told


def test_more_bytes_than_came_were_announced(sender: Sender, keys: Keys) -> None:
    wire = sender.event()
    headers = {**wire.headers, "content-length": f" {len(wire.body) + 7} "}
    told = verdict(Wire(headers, wire.body[:-7] + b"}}}}}}}"), sender.merchant_keys, keys)
    assert f"the body was cut: it has {len(wire.body)} of the {len(wire.body) + 7} bytes of Content-Length" in told


@pytest.mark.parametrize("length", ["", "soon", "9" * 30, "-1", "1"])
def test_what_is_no_greater_length_says_nothing(length: str, sender: Sender, keys: Keys) -> None:
    wire = sender.event()
    headers = {**wire.headers, "Content-Length": length}
    changed = wire.body.replace(b"TRANSACTION", b"transaction")
    assert "it is from WeChat Pay" in verdict(Wire(headers, changed), sender.merchant_keys, keys)


def test_the_right_bytes_and_another_key_under_the_id(sender: Sender) -> None:
    other = PlatformKey(sender.pair.id, make_platform_public_key().private_key.public_key())
    told = verdict(sender.event(), sender.merchant_keys, {other.id: other})
    assert "Only if these are the raw bytes, compare the key" in told


def test_without_an_apiv3_key_nothing_can_be_told_of_the_sender(sender: Sender, keys: Keys) -> None:
    merchant_keys = MerchantKeys.of("1900000109", platform_keys={key.id: key.rsa for key in keys.values()})
    wire = sender.event()
    changed = wire.body.replace(b"TRANSACTION", b"transaction")
    told = verdict(wire, merchant_keys, keys, changed)
    assert "compare the key with the merchant platform's" in told
    assert "wrote it" not in told


def test_where_the_key_is_not_at_hand_it_is_to_be_given(sender: Sender) -> None:
    assert "give the platform key" in verdict(sender.event(), sender.merchant_keys, {})
    wire: Any = sender.event()
    assert "for another merchant" in verdict(
        wire, MerchantKeys.of("1", platform_keys={}, apiv3_key="x" * 32, apiv2_key="s"), {}
    )
