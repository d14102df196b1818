"""Compares handling a notification with the bare primitives it needs.

``bare_us`` is written by hand over ``cryptography`` and ``json``: it verifies the signature of the body, parses the
body, decrypts the resource and parses it, without looking up headers or keys or checking anything else. ``crypto_us``
is the cryptography alone. ``handle_us`` is the whole delivery of a new notification: parse it, claim it in memory, run
the handler in a task, mark it as done, and build the acknowledgement.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from wxpay_dsl.notify import MerchantKeys, Notification, Notifications
from wxpay_dsl.sandbox.keys.identity import throwaway_merchant, throwaway_public_key
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.sandbox.notifications.render import notice, rendered
from wxpay_dsl.sandbox.state.state import Event

#: A typical payment, without coupons.
_PAYMENT: Final = {
    "mchid": "1900000109",
    "appid": "wxd678efh567hg6787",
    "out_trade_no": "1217752501201407033233368018",
    "transaction_id": "4200001234202601021234567890",
    "trade_type": "JSAPI",
    "trade_state": "SUCCESS",
    "trade_state_desc": "支付成功",
    "bank_type": "OTHERS",
    "attach": "自定义数据",
    "success_time": "2026-01-02T15:04:05+08:00",
    "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
    "amount": {"total": 100, "payer_total": 100, "currency": "CNY", "payer_currency": "CNY"},
}


def run(*, quick: bool) -> dict[str, Any]:
    """The figures: each is the best of many alternating rounds, since the machine may be busy."""
    return asyncio.run(_measure(rounds=20 if quick else 100, calls=100))


async def _measure(*, rounds: int, calls: int) -> dict[str, Any]:
    merchant, pair = throwaway_merchant(), throwaway_public_key()
    event = Event(merchant.mchid, "TRANSACTION.SUCCESS", "transaction", _PAYMENT, "", "支付成功")
    platform = Platform("public-key", pair, ())

    def wire() -> tuple[dict[str, str], bytes]:
        return rendered(notice(event, merchant, time.time()), merchant, platform, int(time.time()))

    headers, body = wire()
    key, apiv3_key = pair.private_key.public_key(), merchant.apiv3_key.encode()
    sealed = json.loads(body)["resource"]

    def verify() -> None:
        message = b"%s\n%s\n%s\n" % (
            headers["Wechatpay-Timestamp"].encode(),
            headers["Wechatpay-Nonce"].encode(),
            body,
        )
        key.verify(base64.b64decode(headers["Wechatpay-Signature"]), message, PKCS1v15(), SHA256())

    def decrypt(resource: dict[str, str]) -> bytes:
        nonce, data = resource["nonce"].encode(), resource["associated_data"].encode()
        return AESGCM(apiv3_key).decrypt(nonce, base64.b64decode(resource["ciphertext"]), data)

    async def crypto() -> None:
        verify()
        decrypt(sealed)

    async def bare() -> None:
        verify()
        json.loads(decrypt(json.loads(body)["resource"]))

    merchant_keys = MerchantKeys.of(merchant.mchid, platform_keys={pair.id: key}, apiv3_key=apiv3_key)
    notifications = Notifications(merchant_keys, store="memory")
    routed: list[Notification[Any]] = []

    @notifications.on("TRANSACTION.SUCCESS")
    async def handler(event: Notification[Any]) -> None:
        routed.append(event)

    async def ours() -> None:
        notification = await notifications.parse(headers, body)
        assert notifications.handler_of(notification) is handler

    fresh = iter([wire() for _ in range(rounds * 10)])

    async def whole() -> None:
        assert (await notifications.handle(*next(fresh))).accepted

    best: dict[str, float] = dict.fromkeys(("crypto", "bare", "ours", "whole"), float("inf"))
    for _ in range(rounds):
        for name, function, count in (
            ("crypto", crypto, calls),
            ("bare", bare, calls),
            ("ours", ours, calls),
            ("whole", whole, 10),
        ):
            best[name] = min(best[name], await _time(function, count))
    assert len(routed) == rounds * 10
    return {
        "us": round(best["ours"], 1),
        "bare_us": round(best["bare"], 1),
        "ratio": round(best["ours"] / best["bare"], 3),
        "crypto_us": round(best["crypto"], 1),
        "handle_us": round(best["whole"], 1),
    }


async def _time(function: Callable[[], Awaitable[None]], calls: int) -> float:
    """Microseconds of one call."""
    begun = time.perf_counter()
    for _ in range(calls):
        await function()
    return (time.perf_counter() - begun) / calls * 1e6
