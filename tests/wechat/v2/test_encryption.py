"""Sensitive fields of APIv2 are encrypted automatically, with the key that the operation requires."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

import pytest

from wxpay_dsl import ConfigurationError, ReturnCodeError, ValidationError, Wechatpay
from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.v2 import bank_key
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.v2 import xml

PAYMENT: dict[str, Any] = {
    "partner_trade_no": "1212121221227",
    "enc_bank_no": "6222020200112233445",
    "enc_true_name": "张三",
    "bank_code": "1001",
    "amount": 500,
}


async def test_a_bank_card_is_encrypted_under_the_key_that_was_asked_for_once() -> None:
    given = dict(PAYMENT)
    async with Sandbox(tls=True) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        responses = await asyncio.gather(*(wxpay.v2.mmpaysptrans.pay_bank(given) for _ in range(4)))
        sent = xml.loads(responses[0].exchange.request_body)
        assert sent["enc_bank_no"] != PAYMENT["enc_bank_no"]
        assert ciphers.oaep_decrypt(sent["enc_bank_no"], bank_key()) == PAYMENT["enc_bank_no"]
        assert ciphers.oaep_decrypt(sent["enc_true_name"], bank_key()) == "张三"
        assert given == PAYMENT
        assert "6222" not in repr(responses[0].exchange)


class Card(str, Enum):  # noqa: UP042 - what people still write
    MINE = "6222020200112233445"


async def test_a_member_of_an_enumeration_is_encrypted_unchecked_too() -> None:
    async with Sandbox(tls=True) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        response = await wxpay.v2.mmpaysptrans.pay_bank({**PAYMENT, "enc_bank_no": Card.MINE}, validate=False)
        sent = xml.loads(response.exchange.request_body)
        assert ciphers.oaep_decrypt(sent["enc_bank_no"], bank_key()) == PAYMENT["enc_bank_no"]


@pytest.mark.parametrize(
    "number", [6222020200112233445, True, 6222.0, ["6222020200112233445"], {"a": "6222020200112233445"}, b"6222"]
)
async def test_what_cannot_be_encrypted_does_not_leave_in_the_clear(number: Any) -> None:
    async with Sandbox(tls=True) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        with pytest.raises((ValidationError, TypeError), match="enc_bank_no") as caught:
            await wxpay.v2.mmpaysptrans.pay_bank({**PAYMENT, "enc_bank_no": number}, validate=False)
        assert "6222" not in str(caught.value)


async def test_the_key_is_not_asked_for_where_nothing_is_encrypted() -> None:
    async with Sandbox(tls=True) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        response = await wxpay.v2.mmpaysptrans.query_bank(partner_trade_no="1")
        assert response.exchange.attempts == 1


async def test_fields_for_a_platform_certificate_are_encrypted_and_it_is_named() -> None:
    async with Sandbox(tls=True) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        response = await wxpay.v2.mchrisk.querymchrisk(certificates_name="张三", validate=False)
        sent = xml.loads(response.exchange.request_body)
        pair = sandbox.platform.find(sent["cert_serial_number"])
        assert pair is not None
        assert ciphers.oaep_decrypt(sent["certificates_name"], pair.private_key) == "张三"
        with pytest.raises(ValidationError, match="cert_serial_number: '5663476' is not a loaded platform key"):
            await wxpay.v2.mchrisk.querymchrisk(certificates_name="张三", cert_serial_number="5663476")
        plain = await wxpay.v2.mchrisk.querymchrisk(company_name="XXXXX有限公司")
        assert "cert_serial_number" not in xml.loads(plain.exchange.request_body)


async def test_without_a_certificate_not_even_the_key_is_asked_for() -> None:
    async with Sandbox(tls=True) as sandbox:
        names = ("mchid", "apiv2_key", "base_url", "ca")
        async with Wechatpay(**{name: sandbox.credentials[name] for name in names}) as wxpay:
            with pytest.raises(ConfigurationError, match="getpublickey requires"):
                await wxpay.v2.mmpaysptrans.pay_bank(PAYMENT)


@pytest.mark.parametrize("changes", [{"enc_bank_no": "9" * 300}, {"enc_bank_no": 6222}, {"enc_true_name": 7}])
async def test_a_value_that_cannot_be_encrypted_is_not_shown(changes: dict[str, Any]) -> None:
    async with Sandbox(tls=True) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        with pytest.raises(SdkError) as caught:
            await wxpay.v2.mmpaysptrans.pay_bank({**PAYMENT, **changes})
        assert "6222" not in f"{caught.value}{caught.value!r}"
        assert "999" not in f"{caught.value}{caught.value!r}"
        assert not isinstance(caught.value, ReturnCodeError)
