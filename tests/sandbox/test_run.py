"""The sandbox as a server: signed responses to valid calls, the service's error responses to invalid ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.crypto.certificates import load_certificate, load_pkcs12
from wxpay_dsl.wechat.platform_keys.certificates import decrypt_certificates
from wxpay_dsl.wechat.v3 import signing as signing_v3

from .conftest import Shop

PRESIGN = "/v3/edu-papay/contracts/presign"
FIELDS = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO",
    "plan_id": "12535",
    "user_id": "20200328",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}


async def test_a_client_calls_it_with_its_credentials(sandbox: Sandbox) -> None:
    async with Wechatpay(**sandbox.credentials) as wxpay:
        response = await wxpay.v3.eduPapay.contracts.presign.post(**FIELDS)
    assert response.status == 200
    assert response.data["presign_token"]
    assert response.request_id


async def test_what_the_request_says_comes_back_in_the_answer(shop: Shop) -> None:
    _, body = await shop.send("GET", "/v3/payscore/permissions/openid/oTest?service_id=500001&appid=wx1234")
    assert json.loads(body)["appid"] == "wx1234"
    assert json.loads(body)["openid"] == "oTest"


async def test_each_answer_is_signed_by_the_key_that_the_request_names(shop: Shop) -> None:
    platform = shop.sandbox.platform
    for pair in (platform.public_key, platform.certificates[0]):
        headers = {"Wechatpay-Serial": pair.id}
        response, body = await shop.send("POST", PRESIGN, json.dumps(FIELDS).encode(), headers)
        assert response.headers["Wechatpay-Serial"] == pair.id
        message = signing_v3.response_message(
            response.headers["Wechatpay-Timestamp"], response.headers["Wechatpay-Nonce"], body
        )
        assert signing_v3.verify(message, response.headers["Wechatpay-Signature"], pair.private_key.public_key())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"signature": "ZmFrZQ=="}, "signature"),
        ({"timestamp": 1554208460}, "timestamp"),
        ({"serial": "0" * 40}, "serial_no"),
        ({"mchid": "1900000000"}, "mchid"),
    ],
)
async def test_who_does_not_sign_right_is_told_what_was_verified(
    shop: Shop, changes: dict[str, Any], field: str
) -> None:
    body = json.dumps(FIELDS).encode()
    response, answer = await shop.send("POST", PRESIGN, body, **changes)
    refusal = json.loads(answer)
    assert (response.status, refusal["code"]) == (401, "SIGN_ERROR")
    assert refusal["detail"]["field"] == field
    information = refusal["detail"]["sign_information"]
    assert (information["method"], information["url"]) == ("POST", PRESIGN)
    assert information["truncated_sign_message"].startswith(f"POST\n{PRESIGN}\n")
    assert information["sign_message_length"] > len(body)
    assert "Wechatpay-Signature" not in response.headers


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "SIGN_ERROR"),
        ({"Authorization": "Bearer token"}, 401, "SIGN_ERROR"),
        ({"User-Agent": " "}, 400, "INVALID_REQUEST"),
    ],
)
async def test_headers_that_the_service_insists_on(shop: Shop, headers: dict[str, str], status: int, code: str) -> None:
    response, body = await shop.send("GET", "/v3/certificates", headers=headers)
    assert (response.status, json.loads(body)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"openid": None}, "/openid"),
        ({"appid": 12}, "/appid"),
    ],
)
async def test_a_field_that_does_not_fit_its_spec_is_named(shop: Shop, change: dict[str, Any], pointer: str) -> None:
    fields = {name: value for name, value in {**FIELDS, **change}.items() if value is not None}
    response, body = await shop.send("POST", PRESIGN, json.dumps(fields).encode())
    refusal = json.loads(body)
    assert (response.status, refusal["code"]) == (400, "PARAM_ERROR")
    assert refusal["detail"]["field"] == pointer
    assert refusal["detail"]["location"] == "body"
    assert refusal["detail"]["value"] == (change[pointer[1:]] or "")


async def test_published_limits_refuse_nothing_unless_strict(shop: Shop) -> None:
    """As the client, the sandbox does not refuse a value only because no page lists it."""
    fields = json.dumps({**FIELDS, "trade_scene": "NO_SUCH_SCENE"}).encode()
    response, _ = await shop.send("POST", PRESIGN, fields)
    assert response.status == 200
    async with Sandbox(strict=True) as strict:
        response, body = await Shop(strict, shop.session).send("POST", PRESIGN, fields)
    refusal = json.loads(body)
    assert (response.status, refusal["code"], refusal["detail"]["field"]) == (400, "PARAM_ERROR", "/trade_scene")


async def test_a_body_that_is_no_json_is_refused(shop: Shop) -> None:
    response, body = await shop.send("POST", PRESIGN, b"{")
    assert (response.status, json.loads(body)["code"]) == (400, "PARAM_ERROR")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", PRESIGN, 405), ("GET", "/v3/no/such/thing", 404), ("POST", "/", 404), ("GET", "/v3", 404)],
)
async def test_paths_and_verbs_that_are_not_declared(shop: Shop, method: str, target: str, status: int) -> None:
    response, body = await shop.send(method, target)
    assert response.status == status
    assert json.loads(body)["code"]
    assert ("Allow" in response.headers) == (status == 405)


async def test_platform_certificates_come_under_the_apiv3_key(shop: Shop) -> None:
    _, body = await shop.send("GET", "/v3/certificates")
    keys = decrypt_certificates(body, shop.sandbox.merchant.apiv3_key)
    assert [key.id for key in keys] == [pair.id for pair in shop.sandbox.platform.certificates]


async def test_in_public_key_mode_there_are_no_certificates() -> None:
    async with Sandbox(mode="public-key") as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        with pytest.raises(Exception, match="RESOURCE_NOT_EXISTS"):
            await wxpay.v3.certificates.get()


async def test_its_home_holds_what_a_merchant_downloads(sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    sandbox.write_home(home)
    async with Wechatpay(profile=home / "wxpay.toml") as wxpay:
        assert (await wxpay.v3.eduPapay.contracts.presign.post(**FIELDS)).data
    merchant = sandbox.merchant
    assert load_pkcs12(home / "apiclient_cert.p12", merchant.mchid).certificate == merchant.certificate
    assert load_certificate(home / "platform_cert.pem") == sandbox.platform.certificates[0].certificate
    readable = [path.name for path in home.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert readable == []


async def test_a_home_is_reused(tmp_path: Path) -> None:
    async with Sandbox(home=tmp_path) as first:
        one, key = first.credentials, first.platform.certificates[-1].id
    async with Sandbox(home=tmp_path) as second:
        other, same_key = second.credentials, second.platform.certificates[-1].id
    assert (one["serial"], list(one["platform_keys"]), one["apiv3_key"], key) == (
        other["serial"],
        list(other["platform_keys"]),
        other["apiv3_key"],
        same_key,
    )


async def test_endpoints_of_ones_own_are_served_too(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("path: /v3/my\noperations:\n  /thing: {post: {}}\n", "utf-8")
    async with (
        Sandbox(specs=[tmp_path]) as sandbox,
        Wechatpay(**sandbox.credentials, specs=[tmp_path]) as wxpay,
    ):
        assert (await wxpay.v3.my.thing.post({"any": "thing"})).data == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com"])  # noqa: S104 - to be refused
def test_it_serves_loopback_only_unless_told(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        Sandbox(host=host)
