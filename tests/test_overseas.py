"""Overseas (境外): hosts, certificates and statements of their own."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

import pytest
from aiohttp import web

from tests.wechat.platform_server import APIV3_KEY, PUB_KEY_ID, Platform, cert, keys, serving, wechatpay
from wxpay_dsl import BadSignatureError, FileCorruptedError, MissingHeaderError, VerificationError, Wechatpay
from wxpay_dsl.client import tree
from wxpay_dsl.sandbox import Sandbox

CERTS = {PUB_KEY_ID: keys()[1].public_key()}
STATEMENT = "﻿交易时间,公众账号ID\r\n`2018-01-03,`wx1\r\n".encode() * 50


def statement(platform: Platform, content: bytes = STATEMENT, **changes: Any) -> Any:
    """An answer whose digest is signed in its place."""
    digest = hashlib.sha1(changes.get("digest_of", content), usedforsecurity=False).hexdigest()

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        vouched = changes.get("vouched", f'{{"sha1":"{digest}"}}').encode()
        headers = {**platform.signed(vouched).headers, "Wechatpay-Statement-Sha1": digest}
        headers = {name: value for name, value in headers.items() if name.startswith("Wechatpay")}
        for name in changes.get("without", ()):
            del headers[name]
        return web.Response(body=content, content_type="text/plain", headers=headers)

    return answer


@pytest.mark.parametrize("chain", ["v3.global", "hk.v3", "global.v3"])
def test_all_that_is_overseas_is_served_by_its_own_host(chain: str) -> None:
    branch = tree().find(tuple(chain.split(".")))
    assert branch is not None
    operations = [declared.operation() for declared in branch.walk()]
    assert operations
    assert {operation.host for operation in operations} == {"https://apihk.mch.weixin.qq.com"}


async def test_a_client_of_the_real_service_calls_each_at_its_host() -> None:
    settings = {"mchid": "1900000109", "serial": "0A" * 20, "private_key": keys()[0], "platform_keys": CERTS}
    async with Wechatpay(**settings) as wxpay:
        for node, expected in [
            (wxpay["v3"]["global"]["statements"].get, "https://apihk.mch.weixin.qq.com/v3/global/statements"),
            (wxpay["hk"]["v3"]["statements"].get, "https://apihk.mch.weixin.qq.com/hk/v3/statements"),
            (wxpay["v3"]["bill"]["tradebill"].get, "https://api.mch.weixin.qq.com/v3/bill/tradebill"),
        ]:
            fields = {"date": "20180103", "bill_date": "2018-01-03"}
            prepared = await wxpay.client.prepare(node._target(), fields, {"validate": False})
            assert prepared.url.startswith(expected)


class TestStatements:
    @pytest.mark.parametrize("region", ["v3.global_", "hk.v3"])
    async def test_the_digest_is_verified_and_the_file_held_against_it(self, region: str) -> None:
        platform = Platform()
        platform.answer = statement(platform)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            node: Any = wxpay
            for name in region.split("."):
                node = getattr(node, name)
            assert (await node.statements.get(date="20180103")).data == STATEMENT

    async def test_it_is_streamed_as_well(self) -> None:
        platform = Platform()
        platform.answer = statement(platform)
        async with (
            serving(platform),
            wechatpay(platform, platform_keys=CERTS) as wxpay,
            wxpay.download(wxpay.v3.global_.statements.get, date="20180103") as download,
        ):
            assert await download.read() == STATEMENT

    async def test_a_packed_one_has_the_digest_of_what_is_inside(self) -> None:
        platform = Platform()
        platform.answer = statement(platform, gzip.compress(STATEMENT), digest_of=STATEMENT)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            response = await wxpay.hk.v3.statements.get(date="20180103", accept_encoding="gzip")
        assert response.data == STATEMENT

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"digest_of": b"another file"}, BadSignatureError),
            ({"vouched": "{}"}, BadSignatureError),
            ({"vouched": STATEMENT.decode()}, BadSignatureError),
            ({"without": ["Wechatpay-Statement-Sha1"]}, MissingHeaderError),
            ({"without": ["Wechatpay-Signature"]}, MissingHeaderError),
        ],
    )
    async def test_what_nobody_vouches_for_is_refused(self, changes: dict[str, Any], error: Any) -> None:
        platform = Platform()
        platform.answer = statement(platform, **changes)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(error):
                await wxpay.v3.global_.statements.get(date="20180103")

    async def test_a_streamed_one_that_was_changed_is_found_at_its_end(self) -> None:
        platform = Platform()
        platform.answer = statement(platform, digest_of=b"another file")
        async with (
            serving(platform),
            wechatpay(platform, platform_keys=CERTS) as wxpay,
            wxpay.download(wxpay.v3.global_.statements.get, date="20180103") as download,
        ):
            with pytest.raises(FileCorruptedError, match="SHA1"):
                await download.read()

    async def test_a_streamed_one_whose_digest_nobody_signed_is_not_begun(self) -> None:
        platform = Platform()
        platform.answer = statement(platform, vouched="{}")
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(VerificationError):
                async with wxpay.download(wxpay.v3.global_.statements.get, date="20180103"):
                    raise AssertionError("it was begun")

    async def test_the_sandbox_signs_as_the_service_does(self) -> None:
        async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
            response = await wxpay.v3.global_.statements.get(date="20180103")
        assert isinstance(response.data, bytes)
        assert response.headers["Wechatpay-Statement-Sha1"] == hashlib.sha1(response.data).hexdigest()  # noqa: S324 (theirs)


class TestCertificates:
    async def test_they_come_from_a_path_of_their_own(self) -> None:
        platform = Platform(signing=cert(1))
        async with serving(platform), wechatpay(platform, certificates_path="/v3/global/certificates") as wxpay:
            await wxpay["v3"]["global"]["transactions"]["1"].get()
        assert platform.requests[0][0] == "GET /v3/global/certificates"

    def test_a_client_of_the_overseas_host_needs_no_setting_for_it(self) -> None:
        settings: dict[str, Any] = {"mchid": "1900000109", "serial": "0A" * 20, "private_key": keys()[0]}
        wxpay = Wechatpay(**settings, apiv3_key=APIV3_KEY, base_url="https://apihk.mch.weixin.qq.com")
        assert wxpay.settings.platform_keys.certificates_path == "/v3/global/certificates"
