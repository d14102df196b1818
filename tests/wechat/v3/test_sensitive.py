"""Sensitive fields: encrypted once, on a copy, for the key that the request names; decrypted at any depth; masked."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.wechat.platform_server import PUB_KEY_ID, Platform, cert, keys, newer_key, serving, wechatpay
from wxpay_dsl import ValidationError, Wechatpay
from wxpay_dsl.core.specs.model import Operation, Schema
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.crypto.ciphers import oaep_decrypt, oaep_encrypt, pkcs1_decrypt
from wxpay_dsl.wechat.crypto.decryptor import LocalDecryptor
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.platform_keys.keyring import StaticKeyring
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys
from wxpay_dsl.wechat.v3.sensitive import Ciphertext, SensitiveText, decrypt_fields, encrypt_sensitive, padding

MERCHANT, PLATFORM = keys()
DAY = timedelta(days=1)
RECEIVERS = [
    {"type": "PERSONAL_OPENID", "account": "o1", "name": "张三", "amount": 1, "description": "a"},
    {"type": "PERSONAL_OPENID", "account": "o2", "amount": 2, "description": "b"},
    {"type": "PERSONAL_OPENID", "account": "o3", "name": "李四 😀", "amount": 3, "description": "c"},
]
ORDER = {"appid": "wx1", "transaction_id": "4", "out_order_no": "P1", "receivers": RECEIVERS, "unfreeze_unsplit": True}


@asynccontextmanager
async def public_key_mode(**settings: Any) -> AsyncIterator[tuple[Platform, Wechatpay]]:
    certs = {PUB_KEY_ID: PLATFORM.public_key()}
    async with (
        serving(Platform()) as platform,
        wechatpay(platform, platform_keys=certs, validate=False, **settings) as wxpay,
    ):
        yield platform, wxpay


class TestOut:
    async def test_fields_in_a_list_are_encrypted_and_the_key_is_named(self) -> None:
        async with public_key_mode() as (platform, wxpay):
            await wxpay.v3.profitsharing.orders.post(ORDER)
        _, headers, body = platform.requests[0]
        sent = json.loads(body)["receivers"]
        assert [oaep_decrypt(sent[i]["name"], PLATFORM) for i in (0, 2)] == ["张三", "李四 😀"]
        assert "name" not in sent[1]
        assert headers["Wechatpay-Serial"] == PUB_KEY_ID
        assert [{**receiver, "name": ""} for receiver in sent] == [{**receiver, "name": ""} for receiver in RECEIVERS]

    async def test_the_callers_data_is_never_touched(self) -> None:
        before = copy.deepcopy(ORDER)
        async with public_key_mode() as (_, wxpay):
            await wxpay.v3.profitsharing.orders.post(ORDER)
            await wxpay.v3.profitsharing.orders.post(ORDER)
        assert before == ORDER

    async def test_a_retry_sends_the_same_bytes_with_the_same_key_named(self) -> None:
        async def busy(request: web.Request, body: bytes) -> web.StreamResponse | None:
            return web.Response(status=500) if platform.calls < 3 else None

        async with public_key_mode() as (platform, wxpay):
            platform.answer = busy
            await wxpay.v3.profitsharing.orders.post(ORDER)
        bodies = [body for _, _, body in platform.requests]
        assert len(bodies) == 3
        assert len(set(bodies)) == 1
        name = json.loads(bodies[0])["receivers"][0]["name"]
        assert oaep_decrypt(name, PLATFORM) == "张三"
        assert len({headers["Authorization"] for _, headers, _ in platform.requests}) == 3

    async def test_a_field_of_the_query_is_encrypted_and_then_percent_encoded(self) -> None:
        async with public_key_mode() as (platform, wxpay):
            await wxpay.v3.smartguide.guides.get(store_id=1, mobile="13800138000", limit=5, offset=0)
        target, headers, _ = platform.requests[0]
        query = parse_qs(urlsplit(target).query, strict_parsing=True)
        assert oaep_decrypt(query["mobile"][0], PLATFORM) == "13800138000"
        assert headers["Wechatpay-Serial"] == PUB_KEY_ID
        assert "+" not in target

    async def test_below_v3_global_the_padding_is_pkcs1(self) -> None:
        async with public_key_mode() as (platform, wxpay):
            await wxpay.v3.global_.profitSharing.receivers.post(type="PERSONAL_OPENID", account="o", name="Bob Zhang")
        assert pkcs1_decrypt(json.loads(platform.requests[0][2])["name"], PLATFORM) == "Bob Zhang"

    async def test_what_is_encrypted_already_is_sent_as_it_is(self) -> None:
        given_name = Ciphertext(oaep_encrypt("张三", PLATFORM.public_key()))
        order = {**ORDER, "receivers": [{**RECEIVERS[0], "name": given_name}, RECEIVERS[2]]}
        async with public_key_mode() as (platform, wxpay):
            await wxpay.v3.profitsharing.orders.post(order)
        sent = json.loads(platform.requests[0][2])["receivers"]
        assert sent[0]["name"] == str(given_name)
        assert oaep_decrypt(sent[1]["name"], PLATFORM) == "李四 😀"

    async def test_nothing_to_encrypt_asks_for_no_key(self) -> None:
        class NoKey:
            async def find(self, serial: str) -> PlatformKey | None:
                raise AssertionError("asked")

            async def preferred(self) -> PlatformKey:
                raise AssertionError("asked")

            def key_ids(self) -> list[str]:
                return []

        sections = {"body": {"plain": "x", "absent": None}}
        operation = Operation("post", "/v3/x", "v3", (), body=schema(plain=Schema(), apiv2_key=Schema(encrypted=True)))
        assert await encrypt_sensitive(NoKey())(operation, sections) is sections

    async def test_all_faults_come_at_once_and_show_no_value(self) -> None:
        operation = Operation(
            "post", "/v3/x", "v3", (), body=schema(a=Schema(encrypted=True), b=Schema(encrypted=True), c=Schema())
        )
        keyring = StaticKeyring(PlatformKeys([PlatformKey(PUB_KEY_ID, PLATFORM.public_key())]))
        sections = {"body": {"a": 330821198809085211, "b": "秘" * 100, "c": "x"}}
        with pytest.raises(ValidationError) as caught:
            await encrypt_sensitive(keyring)(operation, sections)
        assert [fault.path for fault in caught.value.errors] == ["body.a", "body.b"]
        assert "330821198809085211" not in str(caught.value)
        assert "秘" not in str(caught.value)

    async def test_a_value_of_the_wrong_type_is_not_shown_by_validation_either(self) -> None:
        async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
            with pytest.raises(ValidationError) as caught:
                await wxpay.v3.profitsharing.receivers.add.post(
                    appid="wx1", type="PERSONAL_OPENID", account="o", name=330821198809085211, relation_type="USER"
                )
        assert "body.name" in str(caught.value)
        assert "330821198809085211" not in str(caught.value)


class TestWhichKey:
    FIRST, NEWER = cert(1), cert(2, start=-DAY / 2, key=newer_key())

    def clients(self, platform: Platform, **settings: Any) -> Wechatpay:
        certs = {self.FIRST.id: self.FIRST.certificate, self.NEWER.id: self.NEWER.certificate}
        return wechatpay(platform, platform_keys=certs, apiv3_key=None, validate=False, **settings)

    async def test_the_newest_valid_certificate(self) -> None:
        async with serving(Platform(signing=self.FIRST)) as platform, self.clients(platform) as wxpay:
            await wxpay.v3.profitsharing.orders.post(ORDER)
        _, headers, body = platform.requests[0]
        assert headers["Wechatpay-Serial"] == self.NEWER.id
        assert oaep_decrypt(json.loads(body)["receivers"][0]["name"], newer_key()) == "张三"

    async def test_the_one_that_the_caller_names_in_a_header(self) -> None:
        async with serving(Platform(signing=self.FIRST)) as platform, self.clients(platform) as wxpay:
            await wxpay.v3.profitsharing.orders.post(ORDER, wechatpay_serial=self.FIRST.id)
        _, headers, body = platform.requests[0]
        assert headers["Wechatpay-Serial"] == self.FIRST.id
        assert oaep_decrypt(json.loads(body)["receivers"][0]["name"], PLATFORM) == "张三"

    async def test_the_one_that_a_ciphertext_names(self) -> None:
        name = Ciphertext(oaep_encrypt("张三", PLATFORM.public_key()), self.FIRST.id)
        order = {**ORDER, "receivers": [{**RECEIVERS[0], "name": name}, RECEIVERS[2]]}
        async with serving(Platform(signing=self.FIRST)) as platform, self.clients(platform) as wxpay:
            await wxpay.v3.profitsharing.orders.post(order)
        _, headers, body = platform.requests[0]
        assert headers["Wechatpay-Serial"] == self.FIRST.id
        assert oaep_decrypt(json.loads(body)["receivers"][1]["name"], PLATFORM) == "李四 😀"

    async def test_a_call_with_two_keys_and_one_with_an_unknown_key_are_refused(self) -> None:
        text = oaep_encrypt("张三", PLATFORM.public_key())
        two = [{**RECEIVERS[0], "name": Ciphertext(text, one.id)} for one in (self.FIRST, self.NEWER)]
        async with serving(Platform(signing=self.FIRST)) as platform, self.clients(platform) as wxpay:
            with pytest.raises(ValidationError, match="different keys"):
                await wxpay.v3.profitsharing.orders.post({**ORDER, "receivers": two})
            with pytest.raises(ValidationError, match="not a loaded platform key"):
                await wxpay.v3.profitsharing.orders.post(ORDER, wechatpay_serial="5" * 40)
        assert platform.calls == 0

    async def test_a_bare_header_cannot_name_another_key_than_the_fields_are_encrypted_for(self) -> None:
        async with serving(Platform(signing=self.FIRST)) as platform, self.clients(platform) as wxpay:
            with pytest.raises(ValidationError, match="given twice"):
                await wxpay.v3.profitsharing.orders.post(ORDER, headers={"wechatpay-serial": self.FIRST.id})
        assert platform.calls == 0

    async def test_while_a_merchant_migrates_key_and_name_agree_on_every_call(self) -> None:
        private = {PUB_KEY_ID: newer_key(), self.FIRST.id: PLATFORM}
        certs = {PUB_KEY_ID: newer_key().public_key(), self.FIRST.id: self.FIRST.certificate}
        options: dict[str, Any] = {"apiv3_key": None, "public_key_ratio": 0.5, "validate": False}
        async with (
            serving(Platform(signing=self.FIRST)) as platform,
            wechatpay(platform, platform_keys=certs, **options) as wx,
        ):
            for _ in range(40):
                await wx.v3.profitsharing.orders.post(ORDER)
        named = [headers["Wechatpay-Serial"] for _, headers, _ in platform.requests]
        assert set(named) == set(private)
        for serial, (_, _, body) in zip(named, platform.requests, strict=True):
            assert oaep_decrypt(json.loads(body)["receivers"][0]["name"], private[serial]) == "张三"


class TestIn:
    async def test_fields_of_the_answer_are_decrypted_in_lists_too(self) -> None:
        phones = ["13800138000", "+8613633334444"]
        data = [{"complaint_id": str(i), "payer_phone": seal(phone)} for i, phone in enumerate(phones)]

        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            return platform.signed(json.dumps({"data": data, "limit": 2}).encode())

        async with public_key_mode() as (platform, wxpay):
            platform.answer = answer
            response = await wxpay.v3.merchantService.complaintsV2.get(begin_date="2026-01-01", end_date="2026-01-02")
        assert [entry["payer_phone"] for entry in response.data["data"]] == phones

    async def test_the_sandbox_and_the_client_understand_each_other(self) -> None:
        async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
            response = await wxpay.v3.profitsharing.receivers.add.post(
                appid="wx1", type="PERSONAL_OPENID", account="o1", name="张三", relation_type="USER"
            )
        assert response.data["name"] == "张三"

    async def test_they_do_so_overseas(self) -> None:
        async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
            response = await wxpay.v3.global_.profitSharing.receivers.post(
                type="PERSONAL_OPENID", account="o", name="Bob Zhang", relation_type="CUSTOM", validate=False
            )
        assert isinstance(response.data["name"], SensitiveText)

    async def test_what_does_not_decrypt_stays_and_is_logged_without_its_value(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        foreign = oaep_encrypt("张三", PLATFORM.public_key())
        given_data = {"a": foreign, "b": "not base64!", "c": "", "d": None, "e": seal("好")}
        shape = schema(**{name: Schema(encrypted=True, nullable=True) for name in "abcde"})
        with caplog.at_level(logging.WARNING):
            data = await decrypt_fields(shape, given_data, LocalDecryptor(MERCHANT), "oaep", "GET /x")
        assert data == {**given_data, "e": "好"}
        assert [type(data[name]) for name in "abe"] == [Ciphertext, Ciphertext, SensitiveText]
        assert caplog.text.count("stays encrypted") == 2
        assert foreign not in caplog.text

    async def test_a_decrypted_value_is_text_whose_repr_is_masked(self) -> None:
        value = SensitiveText("张三")
        assert (value, f"{value}", json.dumps({"name": value}, ensure_ascii=False)) == (
            "张三",
            "张三",
            '{"name": "张三"}',
        )
        assert repr({"name": value}) == "{'name': '***'}"
        assert repr(pickle.loads(pickle.dumps(value))) == "'***'"  # noqa: S301 (our own)

    async def test_a_reply_in_a_log_shows_nothing_sensitive(self, caplog: pytest.LogCaptureFixture) -> None:
        async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
            with caplog.at_level(logging.DEBUG):
                response = await wxpay.v3.profitsharing.receivers.add.post(
                    appid="wx1", type="PERSONAL_OPENID", account="o1", name="张三丰", relation_type="USER"
                )
                logging.getLogger("shop").info("%r %r", response, response.exchange)
        assert "张三丰" not in caplog.text


class TestMarks:
    def test_a_ciphertext_keeps_the_name_of_its_key(self) -> None:
        value = Ciphertext("c" * 400, PUB_KEY_ID)
        for other in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):  # noqa: S301 (our own)
            assert (other, other.serial) == (value, PUB_KEY_ID)
        assert len(repr(value)) < 40

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/v3/global/merchants", "pkcs1"),
            ("/v3/globalx/merchants", "oaep"),
            ("/v3/merchants", "oaep"),
            ("/hk/v3/merchants", "oaep"),
            ("/global/v3/customs/verify-certificate", "oaep"),
        ],
    )
    def test_the_padding_goes_by_the_path(self, path: str, expected: str) -> None:
        assert padding(Operation("post", path, "v3", ())) == expected


def schema(**fields: Schema) -> Schema:
    return Schema(type="object", properties=fields)


def seal(text: str) -> str:
    return oaep_encrypt(text, MERCHANT.public_key())


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.sampled_from("abc")
BODIES = st.dictionaries(NAMES, TEXTS | st.lists(TEXTS, max_size=3) | st.dictionaries(NAMES, TEXTS), min_size=1)


def shape_of(value: Any) -> Schema:
    """A schema that marks every text of a value as sensitive."""
    if isinstance(value, dict):
        return schema(**{name: shape_of(below) for name, below in value.items()})
    return Schema(type="array", items=Schema(encrypted=True)) if isinstance(value, list) else Schema(encrypted=True)


@given(BODIES, st.sampled_from(["/v3/x", "/v3/global/x"]))
async def test_what_goes_out_comes_back_whatever_its_shape(body: Any, path: str) -> None:
    """One key is both the platform's and the merchant's."""
    keyring = StaticKeyring(PlatformKeys([PlatformKey(PUB_KEY_ID, MERCHANT.public_key())]))
    before, shape = copy.deepcopy(body), shape_of(body)
    operation = Operation("post", path, "v3", (), body=shape)
    sections = await encrypt_sensitive(keyring)(operation, {"body": body})
    assert body == before
    assert await decrypt_fields(shape, sections["body"], LocalDecryptor(MERCHANT), padding(operation), "x") == body
