"""品牌直连: ``wxpay.brand.…`` is signed with the brand's own key under a scheme of its own."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from wxpay_dsl import ConfigurationError, Notifications, ServiceError, SignatureError, Wechatpay
from wxpay_dsl.core.errors import ValidationError
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.identity import BRAND_ID, make_platform_public_key, throwaway_merchant
from wxpay_dsl.sandbox.notices import notice, rendered
from wxpay_dsl.sandbox.state import Event
from wxpay_dsl.wechat import authorization, signing_v3

SPEC = """
title: 品牌
path: /brand/my
family: brand
operations:
  /stores:
    post:
      checked: {source: official, date: 2026-08-26}
      body: {name: Name, phone?: {encrypted: true}}
      returns: {store_id: {example: '7'}, phone?: {encrypted: true, example: '13800000000'}}
  /stores/{store_id}:
    get: {returns: {store_id: ID}}
"""


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    (tmp_path / "brand").mkdir()
    (tmp_path / "brand" / "my.yaml").write_text(SPEC, "utf-8")
    async with Sandbox(specs=[tmp_path]) as serving:
        yield serving


@pytest.fixture
async def wxpay(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Any]:
    async with Wechatpay(**sandbox.credentials, **sandbox.brand_credentials, specs=[tmp_path]) as client:
        yield client


async def test_a_call_is_signed_by_the_brand_and_verified(wxpay: Any, sandbox: Sandbox) -> None:
    reply = await wxpay["brand"].my.stores.post(name="A", phone="13800000000")
    assert reply.data == {"store_id": "7", "phone": "13800000000"}
    exchange = reply.exchange
    header = exchange.request_headers["Authorization"]
    assert header.startswith(f'WECHATPAY-BRAND-SHA256-RSA2048 brand_id="{BRAND_ID}",nonce_str="')
    assert "mchid" not in header
    given = authorization.parse(header)
    brand = throwaway_merchant(BRAND_ID)
    assert (given.mchid, given.serial) == (BRAND_ID, brand.serial)
    assert signing_v3.verify(exchange.signed_message, given.signature, brand.private_key.public_key())
    assert not signing_v3.verify(exchange.signed_message, given.signature, sandbox.merchant.private_key.public_key())
    assert exchange.request_headers["Wechatpay-Serial"] == sandbox.platform.public_key.id
    assert reply.headers["Wechatpay-Signature-Type"] == "WECHATPAY-BRAND-SHA256-RSA2048"
    assert "13800000000" not in exchange.request.body.decode()


async def test_the_merchants_own_calls_are_signed_as_ever(wxpay: Any) -> None:
    reply = await wxpay.v3.certificates.get()
    assert reply.exchange.request_headers["Authorization"].startswith('WECHATPAY2-SHA256-RSA2048 mchid="')


async def test_an_undeclared_path_of_brands_is_signed_by_the_brand(wxpay: Any) -> None:
    with pytest.raises(ServiceError) as raised:
        await wxpay["brand"].my.nothing.post({})
    assert raised.value.status == 404


async def test_the_sandbox_refuses_another_scheme_and_another_key(sandbox: Sandbox, tmp_path: Path) -> None:
    other = {"brand_private_key": sandbox.merchant.private_key}
    async with Wechatpay(**sandbox.credentials, **{**sandbox.brand_credentials, **other}, specs=[tmp_path]) as wxpay:
        with pytest.raises(ServiceError) as raised:
            await wxpay["brand"].my.stores.post(name="A")
    assert (raised.value.status, raised.value.code) == (401, "SIGN_ERROR")


async def test_an_answer_is_believed_by_the_brands_public_key_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    stranger = make_platform_public_key()
    wrong = {"brand_certs": {sandbox.platform.public_key.id: stranger.private_key.public_key()}}
    async with Wechatpay(**sandbox.credentials, **{**sandbox.brand_credentials, **wrong}, specs=[tmp_path]) as wxpay:
        with pytest.raises(SignatureError):
            await wxpay["brand"].my.stores.post(name="A")


async def test_without_a_brand_nothing_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    async with Wechatpay(**sandbox.credentials, specs=[tmp_path]) as wxpay:
        for call in (
            wxpay["brand"].my.stores.post(name="A"),
            wxpay["brand"].my.stores.post(name="A", phone="138"),
            wxpay["brand"].my.stores["7"].get(),
        ):
            with pytest.raises(ConfigurationError, match="brand_private_key"):
                await call
        with pytest.raises(ConfigurationError, match="no brand"):
            _ = wxpay.brand_recipient


async def test_a_field_that_every_page_requires_is_refused(wxpay: Any) -> None:
    with pytest.raises(ValidationError, match=r"body\.name: missing"):
        await wxpay["brand"].my.stores.post({})


async def test_notifications_are_opened_with_the_brands_key(wxpay: Any, sandbox: Sandbox) -> None:
    brand = throwaway_merchant(BRAND_ID)
    event = Event(BRAND_ID, "BRAND.CHANGED", "brand", {"brand_id": BRAND_ID}, "", "品牌", "v3")
    now = time.time()
    headers, body = rendered(notice(event, brand, now), brand, sandbox.platform, int(now))
    headers |= sandbox.platform.sign(sandbox.platform.public_key, body, int(now))
    parsed = await Notifications(wxpay, wxpay.brand_recipient, store="memory").parse(headers, body)
    assert parsed.resource == {"brand_id": BRAND_ID}
    assert json.loads(body)["resource"]["algorithm"] == "AEAD_AES_256_GCM"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"brand_id": None}, "`brand_id`"),
        ({"brand_id": "x y"}, "`brand_id` .* digits only"),
        ({"brand_serial": None}, "`brand_serial`"),
        ({"brand_private_key": None}, "`brand_private_key`"),
        ({"brand_private_key": "nonsense"}, "`brand_private_key`"),
        ({"brand_certs": None}, "`brand_certs` is missing"),
        ({"brand_api_key": "short"}, "`brand_api_key` .* 32 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_settings_that_cannot_work(sandbox: Sandbox, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Wechatpay(**sandbox.credentials, **{**sandbox.brand_credentials, **changes})
