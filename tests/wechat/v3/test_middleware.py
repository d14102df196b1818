"""The APIv3 middleware over loopback: the received bytes are the signed ones; unverified responses are rejected."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, Platform, keys, serving, wechatpay
from wxpay_dsl import (
    BadSignatureError,
    ClockSkewError,
    ConfigurationError,
    MalformedTimestampError,
    MissingHeaderError,
    ServiceError,
    UnknownSerialError,
    ValidationError,
    VerificationError,
    Wechatpay,
)
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

PRESIGN = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "plan_id": "12535",
    "user_id": "20190011",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}
TOKEN = b'{"presign_token":"tok"}'


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    """A loopback server in public-key mode."""
    async with serving(Platform()) as platform:
        yield platform


@pytest.fixture
async def wxpay(platform: Platform) -> AsyncIterator[Wechatpay]:
    async with wechatpay(
        platform, platform_keys={PUB_KEY_ID: keys()[1].public_key()}, apiv3_key=None, retries=0
    ) as wxpay:
        yield wxpay


def answers(platform: Platform, respond: Callable[[web.Request, bytes], web.StreamResponse]) -> None:
    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        return respond(request, body)

    platform.answer = answer


def check_request(platform: Platform, position: int = -1) -> authorization.Authorization:
    """Verifies what reached the server with the merchant's public key, byte for byte."""
    line, headers, body = platform.requests[position]
    method, _, target = line.partition(" ")
    said = authorization.parse(headers["Authorization"])
    message = signing_v3.request_message(method, target, said.timestamp, said.nonce, body)
    assert signing_v3.verify(message, said.signature, keys()[0].public_key())
    return said


class TestRequests:
    async def test_are_signed_over_the_bytes_that_are_sent(self, platform: Platform, wxpay: Wechatpay) -> None:
        answers(platform, lambda request, body: platform.signed(TOKEN))
        begun = int(time.time())
        response = await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
        assert response["presign_token"] == "tok"
        said = check_request(platform)
        assert (said.mchid, said.serial, said.scheme) == (MCHID, SERIAL, "WECHATPAY2-SHA256-RSA2048")
        assert begun <= said.timestamp <= time.time()
        line, headers, body = platform.requests[0]
        assert line == "POST /v3/edu-papay/contracts/presign"
        assert body.startswith(b'{"appid":"wx8888888888888888",')
        assert headers["Wechatpay-Serial"] == PUB_KEY_ID
        assert headers["Accept"] == headers["Content-Type"] == "application/json"
        assert headers["User-Agent"].startswith("wxpay-dsl/")

    async def test_a_get_is_signed_with_an_empty_body_and_says_its_type_too(
        self, platform: Platform, wxpay: Wechatpay
    ) -> None:
        await wxpay.v3.my.thing.get()
        check_request(platform)
        assert platform.requests[0][2] == b""
        assert platform.requests[0][1]["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        ("chain", "fields", "line"),
        [
            ('thing["中文 a/b?c#d"].get', {}, "GET /v3/my/thing/%E4%B8%AD%E6%96%87%20a%2Fb%3Fc%23d"),
            ("_id_.get", {"id": "1%2F2"}, "GET /v3/my/1%252F2"),
            (
                "thing.get",
                {"query": {"q": "中 &=+%/?", "e": ""}},
                "GET /v3/my/thing?q=%E4%B8%AD%20%26%3D%2B%25%2F%3F&e=",
            ),
            (
                "thing.post",
                {"name": "红楼梦 \U0001f600", "query": {"a": "'\"~!*()"}},
                "POST /v3/my/thing?a=%27%22~%21%2A%28%29",
            ),
            ("thing.delete", {}, "DELETE /v3/my/thing"),
            ("thing.patch", {"a": "\u2028\x7f\\"}, "PATCH /v3/my/thing"),
        ],
    )
    async def test_whatever_is_in_path_query_and_body(
        self, platform: Platform, wxpay: Wechatpay, chain: str, fields: dict[str, Any], line: str
    ) -> None:
        await eval(f"root.{chain}", {"root": wxpay.v3.my})(**fields)  # noqa: S307 (our own table)
        assert platform.requests[0][0] == line
        check_request(platform)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        segment=st.text(min_size=1, max_size=20),
        query=st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=20), max_size=3),
        body=st.dictionaries(st.text(max_size=9), st.text(max_size=20) | st.integers(), max_size=3),
    )
    async def test_any_unicode(
        self, platform: Platform, wxpay: Wechatpay, segment: str, query: dict[str, str], body: dict[str, Any]
    ) -> None:
        platform.requests.clear()
        try:
            await wxpay.v3.my[segment].post(body, query=query)
        except ValidationError:
            assert platform.requests == []
            return
        check_request(platform)

    async def test_each_has_a_nonce_of_its_own(self, platform: Platform, wxpay: Wechatpay) -> None:
        await asyncio.gather(*(wxpay.v3.my.thing.get() for _ in range(20)))
        said = [check_request(platform, position) for position in range(20)]
        assert len({one.nonce for one in said}) == 20
        assert {len(one.nonce) for one in said} == {32}

    async def test_each_attempt_has_one_too(self, platform: Platform) -> None:
        def busy(request: web.Request, body: bytes) -> web.StreamResponse:
            return web.Response(status=503) if len(platform.requests) < 3 else platform.signed(b"{}")

        answers(platform, busy)
        async with wechatpay(
            platform, platform_keys={PUB_KEY_ID: keys()[1].public_key()}, apiv3_key=None, retries=2
        ) as wxpay:
            response = await wxpay.v3.my.thing.get()
        said = [check_request(platform, position) for position in range(3)]
        assert len({one.nonce for one in said}) == 3
        assert response.exchange.attempts == 3
        # One header each, however often the request object was used.
        assert [line for line, _, _ in platform.requests] == ["GET /v3/my/thing"] * 3

    async def test_a_callers_own_authorization_is_not_sent(self, platform: Platform, wxpay: Wechatpay) -> None:
        await wxpay.v3.my.thing.get(headers={"Authorization": "Bearer x", "authorization": "Bearer y"})
        check_request(platform)

    async def test_a_signer_is_awaited(self, platform: Platform) -> None:
        class Vault:
            scheme = "WECHATPAY2-SHA256-RSA2048"
            messages: list[bytes] = []  # noqa: RUF012 (of this test)

            async def sign(self, message: bytes) -> str:
                await asyncio.sleep(0.01)
                self.messages.append(message)
                return signing_v3.sign(message, keys()[0])

        certs = {PUB_KEY_ID: keys()[1].public_key()}
        async with wechatpay(platform, private_key=Vault(), platform_keys=certs, apiv3_key=None) as wxpay:
            await wxpay.v3.my.thing.post(a=1)
        check_request(platform)
        assert Vault.messages[0].startswith(b"POST\n/v3/my/thing\n")

    async def test_what_a_signer_raises_is_raised_and_nothing_is_sent(self, platform: Platform) -> None:
        class Locked:
            scheme = "WECHATPAY2-SHA256-RSA2048"

            async def sign(self, message: bytes) -> str:
                raise PermissionError("the vault is locked")

        certs = {PUB_KEY_ID: keys()[1].public_key()}
        async with wechatpay(platform, private_key=Locked(), platform_keys=certs, apiv3_key=None) as wxpay:
            with pytest.raises(PermissionError, match="the vault is locked"):
                await wxpay.v3.my.thing.post(a=1)
        assert platform.requests == []


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    async def test_every_success_is_verified(self, platform: Platform, wxpay: Wechatpay, status: int) -> None:
        body = b"" if status == 204 else b'{"a":1}'
        answers(platform, lambda request, _: platform.signed(body, status=status))
        response = await wxpay.v3.my.thing.post(a=1)
        assert (response.status, response.data) == (status, None if status == 204 else {"a": 1})
        answers(platform, lambda request, _: web.Response(status=status, body=body))
        with pytest.raises(MissingHeaderError):
            await wxpay.v3.my.thing.post(a=1)

    @pytest.mark.parametrize(
        "header", ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"]
    )
    @pytest.mark.parametrize("empty", [True, False], ids=["empty", "missing"])
    async def test_a_missing_header(self, platform: Platform, wxpay: Wechatpay, header: str, empty: bool) -> None:
        def respond(request: web.Request, body: bytes) -> web.StreamResponse:
            response = platform.signed(TOKEN)
            del response.headers[header]
            if empty:
                response.headers[header] = ""
            return response

        answers(platform, respond)
        with pytest.raises(MissingHeaderError, match=f"the header {header} is missing") as raised:
            await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
        assert raised.value.header == header
        assert raised.value.subject == "POST /v3/edu-papay/contracts/presign"
        assert raised.value.outcome_unknown

    @pytest.mark.parametrize("timestamp", ["soon", "1e9", "12.5", "-5", "9" * 13])
    async def test_a_timestamp_that_is_none(self, platform: Platform, wxpay: Wechatpay, timestamp: str) -> None:
        def respond(request: web.Request, body: bytes) -> web.StreamResponse:
            response = platform.signed(b"{}")
            response.headers["Wechatpay-Timestamp"] = timestamp
            return response

        answers(platform, respond)
        with pytest.raises(MalformedTimestampError, match="not Unix time in seconds") as raised:
            await wxpay.v3.my.thing.get()
        assert raised.value.timestamp == timestamp
        assert not raised.value.outcome_unknown

    @pytest.mark.parametrize(("age", "says"), [(400, r"\d+ s ago"), (-400, r"\d+ s ahead of this machine's clock")])
    async def test_a_clock_that_is_wrong(self, platform: Platform, wxpay: Wechatpay, age: int, says: str) -> None:
        def respond(request: web.Request, body: bytes) -> web.StreamResponse:
            timestamp, nonce = str(int(time.time()) - age), authorization.nonce()
            message = signing_v3.response_message(timestamp, nonce, b"{}")
            headers = {
                "Wechatpay-Timestamp": timestamp,
                "Wechatpay-Nonce": nonce,
                "Wechatpay-Signature": signing_v3.sign(message, keys()[1]),
                "Wechatpay-Serial": PUB_KEY_ID,
            }
            return web.Response(body=b"{}", headers=headers)

        answers(platform, respond)
        begun = time.time()
        with pytest.raises(ClockSkewError, match=says) as raised:
            await wxpay.v3.my.thing.get()
        # Whatever the time it took.
        assert age <= raised.value.age <= age + time.time() - begun + 1
        assert f"{abs(raised.value.age)} s a" in str(raised.value)

    async def test_a_serial_that_nobody_knows(self, platform: Platform, wxpay: Wechatpay) -> None:
        platform.serial = "PUB_KEY_ID_9"
        with pytest.raises(UnknownSerialError, match=rf"'PUB_KEY_ID_9'.*loaded: {PUB_KEY_ID}") as raised:
            await wxpay.v3.my.thing.get()
        assert raised.value.serial == "PUB_KEY_ID_9"

    async def test_a_body_that_was_changed(self, platform: Platform, wxpay: Wechatpay) -> None:
        def respond(request: web.Request, body: bytes) -> web.StreamResponse:
            response = platform.signed(b'{"total":1}')
            response.body = b'{"total":2}'
            return response

        answers(platform, respond)
        with pytest.raises(BadSignatureError, match="over these 11 bytes: the body was changed on its way") as raised:
            await wxpay.v3.my.thing.get()
        assert raised.value.serial == PUB_KEY_ID

    @pytest.mark.parametrize(
        ("packed", "encoding", "name"),
        [(gzip.compress(b'{"total":1}'), "gzip", "gzip"), (b"\x8b\x02\x80", "br", "br")],
        ids=["gzip", "brotli"],
    )
    async def test_a_body_that_a_proxy_packed_unasked(
        self, packed: bytes, encoding: str, name: str, platform: Platform, wxpay: Wechatpay
    ) -> None:
        def respond(request: web.Request, body: bytes) -> web.StreamResponse:
            response = platform.signed(b'{"total":1}')
            response.body = packed
            response.headers["Content-Encoding"] = encoding
            return response

        answers(platform, respond)
        with pytest.raises(BadSignatureError, match=rf"the body is packed \({name}\).*a proxy packed it") as raised:
            await wxpay.v3.my.thing.get()
        assert raised.value.body == packed

    async def test_a_probe_is_refused_even_where_it_would_verify(self, platform: Platform, wxpay: Wechatpay) -> None:
        def respond(request: web.Request, body: bytes) -> web.StreamResponse:
            response = platform.signed(b"{}")
            response.headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + response.headers["Wechatpay-Signature"]
            return response

        answers(platform, respond)
        with pytest.raises(
            BadSignatureError, match=r"a probe that is signed wrongly on purpose .*rejecting it is right"
        ):
            await wxpay.v3.my.thing.get()

    @pytest.mark.parametrize("signature", ["x", "====", "中", "A" * 5000])
    async def test_a_signature_that_is_noise(self, platform: Platform, wxpay: Wechatpay, signature: str) -> None:
        def respond(request: web.Request, body: bytes) -> web.StreamResponse:
            response = platform.signed(b"{}")
            response.headers["Wechatpay-Signature"] = signature
            return response

        answers(platform, respond)
        with pytest.raises(BadSignatureError):
            await wxpay.v3.my.thing.get()

    async def test_nothing_is_parsed_before_it_is_verified(self, platform: Platform, wxpay: Wechatpay) -> None:
        answers(platform, lambda request, body: web.Response(body=b"[" * 100_000))
        with pytest.raises(VerificationError):
            await wxpay.v3.my.thing.get()

    async def test_the_connection_is_given_back(self, platform: Platform) -> None:
        certs = {PUB_KEY_ID: keys()[1].public_key()}
        async with wechatpay(platform, platform_keys=certs, apiv3_key=None, max_connections=1) as wxpay:
            answers(platform, lambda request, body: web.Response(body=b"{}"))
            for _ in range(3):
                with pytest.raises(VerificationError):
                    await wxpay.v3.my.thing.get()
            platform.answer = None
            assert (await wxpay.v3.my.thing.get()).data == {}

    @pytest.mark.parametrize(
        ("body", "kind", "says"),
        [
            (b'{"code":"PARAM_ERROR","message":"\xe9\x94\x99"}', "application/json", "400 PARAM_ERROR 错"),
            (b"<html>nginx</html>", "text/html", "400 with a body that is not the service's own: '<html>nginx"),
            (b"<xml><a>b</a></xml>", "text/xml", "400 with a body that is not the service's own: '<xml>"),
            (b"", "text/plain", "400 with a body that is not the service's own: (empty)"),
        ],
        ids=["JSON", "HTML", "XML", "nothing"],
    )
    async def test_a_refusal_may_be_unsigned_and_is_whole(
        self, platform: Platform, wxpay: Wechatpay, body: bytes, kind: str, says: str
    ) -> None:
        headers = {"Request-ID": "r-1"}
        answers(platform, lambda request, _: web.Response(status=400, body=body, content_type=kind, headers=headers))
        with pytest.raises(ServiceError) as raised:
            await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
        assert says in str(raised.value)
        assert (raised.value.body, raised.value.request_id) == (body, "r-1")


class TestWhatASpecSays:
    @pytest.fixture
    async def own(self, platform: Platform, tmp_path: Any) -> AsyncIterator[Wechatpay]:
        (tmp_path / "own.yaml").write_text(
            "path: /v3/own\noperations:\n  /open: {get: {verify: false}}\n  /plain: {get: {sign: false}}\n"
            "  /neither: {get: {sign: false, verify: false}}\n"
        )
        certs = {PUB_KEY_ID: keys()[1].public_key()}
        async with wechatpay(platform, platform_keys=certs, apiv3_key=None, specs=[tmp_path]) as wxpay:
            yield wxpay

    async def test_an_answer_that_is_not_signed_by_design(self, platform: Platform, own: Wechatpay) -> None:
        answers(platform, lambda request, body: web.Response(body=b'{"a":1}', content_type="application/json"))
        assert (await own.v3.own.open.get()).data == {"a": 1}
        check_request(platform)

    async def test_a_request_that_is_not_signed_by_design(self, platform: Platform, own: Wechatpay) -> None:
        assert (await own.v3.own.plain.get()).data == {}
        _, headers, _ = platform.requests[0]
        assert "Authorization" not in headers
        assert "Wechatpay-Serial" not in headers

    async def test_neither(self, platform: Platform, own: Wechatpay) -> None:
        answers(platform, lambda request, body: web.Response(body=b"file", content_type="text/csv"))
        assert (await own.v3.own.neither.get()).data == b"file"
        assert "Authorization" not in platform.requests[0][1]


async def test_a_client_without_a_private_key_says_what_is_missing(platform: Platform) -> None:
    secret = "192006250b4c09247ec02edce69f6a2d"
    async with Wechatpay(mchid=MCHID, apiv2_key=secret, base_url=platform.url) as wxpay:
        with pytest.raises(ConfigurationError, match=r"private_key|pub_key\.pem"):
            await wxpay.v3.my.thing.get()
    assert platform.requests == []


@pytest.mark.parametrize("verify", [True, False])
async def test_a_redirect_that_is_the_declared_answer_is_not_followed_and_verified_like_any(
    verify: bool, platform: Platform, tmp_path: Path
) -> None:
    words = f"status: 302, produces: text/html, verify: {str(verify).lower()}"
    (tmp_path / "mine.yaml").write_text(f"path: /v3/my\noperations:\n  /page: {{get: {{{words}}}}}\n")
    elsewhere = {"Location": "https://127.0.0.1:1/elsewhere"}
    certs = {PUB_KEY_ID: keys()[1].public_key()}
    async with wechatpay(platform, platform_keys=certs, apiv3_key=None, retries=0, specs=[str(tmp_path)]) as wxpay:
        answers(platform, lambda request, body: web.Response(status=302, headers=elsewhere))
        if verify:
            with pytest.raises(MissingHeaderError):
                await wxpay["v3"].my.page.get()
        else:
            response = await wxpay["v3"].my.page.get()
            assert (response.status, response.headers["Location"]) == (302, elsewhere["Location"])
        answers(platform, lambda request, body: web.Response(status=301, headers=elsewhere))
        with pytest.raises(ServiceError, match="redirects are not followed"):
            await wxpay["v3"].my.page.get()
