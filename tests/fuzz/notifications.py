"""Fuzzes ``Notifications.parse`` and the acknowledgements, guided by coverage, until it is stopped or an input fails.

    pip install atheris
    python -m tests.fuzz.notifications -max_total_time=600 -rss_limit_mb=512 -max_len=4096

By the first byte of its input: anything as headers and body; anything as a body that is truly signed; anything inside
that is truly encrypted; fields of APIv2, truly signed or not; an APIv2 refund that truly decrypts. Nothing but errors
of this package may come out, and no input may take more memory than the limit.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["wxpay_dsl.wechat", "wxpay_dsl.notify", "json", "defusedxml"]):
    from tests.notify.conftest import Wire, make_sender
    from wxpay_dsl import Notifications, SdkError
    from wxpay_dsl.wechat.crypto import ciphers
    from wxpay_dsl.wechat.v2 import xml

SENDER = make_sender()
NOTIFICATIONS = Notifications(SENDER.merchant_keys)
NAMES = [
    *("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"),
    *("wechatpay-timestamp", "WECHATPAY_NONCE", "x"),
]
FIELDS = [
    *("mch_id", "mchid", "combine_mch_id", "sign", "req_info", "event_ciphertext", "event_type", "event_nonce"),
    *("transaction_id", "out_trade_no", "result_code", "trade_state", "time_end", "total_fee", "sub_order_list"),
    *("change_type", "vehicle_event_type", "combine_out_trade_no", "operate_time", "a"),
]
LOOP = asyncio.new_event_loop()
HANDLED: list[Any] = []
NOTIFICATIONS.default(HANDLED.append)


def anything(data: atheris.FuzzedDataProvider) -> Wire:
    """Input that any peer can send."""
    signed = SENDER.envelope(b"{}").headers
    headers = {name: data.ConsumeUnicode(64) for name in NAMES if data.ConsumeBool()}
    return Wire({**signed, **headers} if data.ConsumeBool() else headers, data.ConsumeBytes(4096))


def signed(data: atheris.FuzzedDataProvider) -> Wire:
    """Input that only the service can send: signed."""
    return SENDER.envelope(data.ConsumeBytes(4096))


def sealed(data: atheris.FuzzedDataProvider) -> Wire:
    """A resource that decrypts to anything."""
    changes = {name: data.ConsumeUnicode(20) for name in ("original_type", "algorithm", "x") if data.ConsumeBool()}
    return SENDER.sealed(data.ConsumeUnicodeNoSurrogates(4096), **changes)


def fields(data: atheris.FuzzedDataProvider) -> Wire:
    """APIv2's fields, signed or not."""
    found = {name: data.ConsumeUnicodeNoSurrogates(40) for name in FIELDS if data.ConsumeBool()}
    if data.ConsumeBool():
        found["mch_id"] = SENDER.merchant.mchid
    return SENDER.xml(found, "MD5" if data.ConsumeBool() else None)


def document(data: atheris.FuzzedDataProvider) -> Wire:
    """Anything that begins like XML."""
    return Wire({}, b"<" + data.ConsumeBytes(4096))


def refund(data: atheris.FuzzedDataProvider) -> Wire:
    """An APIv2 refund that decrypts to anything."""
    plaintext = data.ConsumeBytes(2048)
    sealed = ciphers.ecb_encrypt(plaintext, SENDER.merchant.apiv2_key)
    return SENDER.xml({"mch_id": SENDER.merchant.mchid, "req_info": sealed}, None)


WAYS = [anything, signed, sealed, fields, document, refund]


def run(raw: bytes) -> None:
    """Runs one input."""
    data = atheris.FuzzedDataProvider(raw)
    way = WAYS[data.ConsumeIntInRange(0, len(WAYS) - 1)]
    try:
        wire = way(data)
    except xml.XmlError:
        return  # what XML cannot carry cannot be sent
    refusal = ""
    try:
        LOOP.run_until_complete(NOTIFICATIONS.parse(wire.headers, wire.body))
    except SdkError as error:
        refusal = str(error)
    assert len(refusal) < 2000, "an error repeats what was sent"
    answer = LOOP.run_until_complete(NOTIFICATIONS.handle(wire.headers, wire.body))
    assert 200 <= answer.status < 600
    assert len(answer.body) < 1000
    HANDLED.clear()


def main() -> None:
    """Runs until libFuzzer's options end it."""
    logging.disable(logging.CRITICAL)
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
