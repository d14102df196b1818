"""Fixtures for the tests of notifications: a merchant, the platform's keys, and any notification of the service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from attrs import frozen

from tests.notify.redis_server import running_redis
from wxpay_dsl import MerchantKeys
from wxpay_dsl.sandbox.keys.identity import Merchant, PlatformKeyPair, throwaway_merchant, throwaway_public_key
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.sandbox.notifications.render import notice, rendered
from wxpay_dsl.sandbox.state.state import Event
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

PAYMENT: Mapping[str, Any] = {
    "mchid": "1900000109",
    "appid": "wxd678efh567hg6787",
    "out_trade_no": "1217752501201407033233368018",
    "transaction_id": "1217752501201407033233368018",
    "trade_type": "JSAPI",
    "trade_state": "SUCCESS",
    "trade_state_desc": "支付成功",
    "bank_type": "CMC",
    "attach": "自定义数据",
    "success_time": "2018-06-08T10:34:56+08:00",
    "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
    "amount": {"total": 100, "payer_total": 100, "currency": "CNY", "payer_currency": "CNY"},
}

PAYMENT_V2: Mapping[str, str] = {
    "appid": "wx2421b1c4370ec43b",
    "attach": "支付测试",
    "bank_type": "CFT",
    "fee_type": "CNY",
    "is_subscribe": "N",
    "mch_id": "1900000109",
    "nonce_str": "5d2b6c2a8db53831f7eda20af46e531c",
    "openid": "oUpF8uMEb4qRXf22hE3X68TekukE",
    "out_trade_no": "1409811653",
    "result_code": "SUCCESS",
    "return_code": "SUCCESS",
    "total_fee": "1",
    "trade_type": "JSAPI",
    "transaction_id": "1004400740201409030005092168",
}


@frozen
class Wire:
    """An HTTP request as received."""

    headers: dict[str, str]
    body: bytes


@frozen
class Sender:
    """The service with its keys, for one merchant."""

    merchant: Merchant
    platform: Platform
    pair: PlatformKeyPair

    @property
    def merchant_keys(self) -> MerchantKeys:
        certs = {self.pair.id: self.pair.private_key.public_key()}
        merchant = self.merchant
        return MerchantKeys.of(
            merchant.mchid, platform_keys=certs, apiv3_key=merchant.apiv3_key, apiv2_key=merchant.apiv2_key
        )

    def event(
        self,
        kind: str = "TRANSACTION.SUCCESS",
        resource: Mapping[str, Any] = PAYMENT,
        original_type: str = "transaction",
        now: float | None = None,
    ) -> Wire:
        """A notification as the service sends it, signed ``now`` (Unix time)."""
        dialect = "v2" if kind.startswith("v2/") else "v3"
        moment = time.time() if now is None else now
        event = Event(self.merchant.mchid, kind, original_type, resource, "", "支付成功", dialect)
        return Wire(*rendered(notice(event, self.merchant, moment), self.merchant, self.platform, int(moment)))

    def envelope(self, data: Any, now: float | None = None) -> Wire:
        """A signed request with any body."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        return Wire(self.platform.sign(self.pair, body, int(time.time() if now is None else now)), body)

    def sealed(self, plaintext: str, **changes: Any) -> Wire:
        """A signed request with any encrypted plaintext; ``changes`` are made to the resource around it."""
        key, nonce = self.merchant.apiv3_key, "0123456789ab"
        resource = {
            "original_type": "transaction",
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": ciphers.aead_encrypt(plaintext, key, nonce, "transaction"),
            "associated_data": "transaction",
            "nonce": nonce,
            **changes,
        }
        return self.envelope({"id": "EV-1", "event_type": "TRANSACTION.SUCCESS", "resource": resource})

    def xml(self, fields: Mapping[str, str], sign_type: str | None = "MD5") -> Wire:
        """An APIv2 notification with these fields."""
        signed = dict(fields)
        if sign_type is not None:
            signed["sign"] = signing_v2.sign(signed, self.merchant.apiv2_key, sign_type)
        return Wire({"Content-Type": "text/xml"}, xml.dumps(signed))


def make_sender(mchid: str = "1900000109", mode: Any = "public-key") -> Sender:
    public_key = throwaway_public_key()
    platform = Platform(mode, public_key, ())
    pair = public_key if mode != "certificate" else platform.certificates[-1]
    return Sender(throwaway_merchant(mchid), platform, pair)


@pytest.fixture(scope="session")
def sender() -> Sender:
    return make_sender()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with running_redis() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The store's URL or file; each test runs with each store."""
    if request.param == "redis":
        return f"{request.getfixturevalue('redis_url')}"
    return str(tmp_path / "notifications.db") if request.param == "sqlite" else "memory"


@pytest.fixture
def open_store(store_url: str, request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Opens the store, each time with the same contents; in Redis, with a prefix for this test."""
    from wxpay_dsl.notify.stores import open_store
    from wxpay_dsl.notify.stores.redis import RedisStore
    from wxpay_dsl.notify.stores.sqlite import SqliteStore

    memory = open_store("memory")
    prefix = f"{request.node.nodeid}:{uuid4().hex}:"

    def opened() -> Any:
        if store_url == "memory":
            return memory
        # Timeouts that a busy machine does not reach.
        if store_url.startswith("redis"):
            return RedisStore(store_url, prefix=prefix, timeout=60)
        return SqliteStore(store_url, timeout=60)

    return opened
