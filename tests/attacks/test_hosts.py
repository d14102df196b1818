"""Signed requests go to permitted hosts only, because a signature does not cover the host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.core.raw_server import RawServer, json_answer
from tests.wechat.platform_server import APIV3_KEY, MCHID, PUB_KEY_ID, SERIAL, keys
from wxpay_dsl import ConfigurationError, SdkError, SpecError, ValidationError, Wechatpay
from wxpay_dsl.client import tree
from wxpay_dsl.core.chain.node import node_target
from wxpay_dsl.core.http.transport import Transport
from wxpay_dsl.core.messages import Exchange
from wxpay_dsl.wechat.crypto.signer import Credential
from wxpay_dsl.wechat.service_hosts import SERVICE_ORIGINS
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wechat.v3.middleware import sign_v3

ORDER = {"appid": "wx8888888888888888", "mchid": MCHID, "description": "茶", "out_trade_no": "A1"}
ORDER |= {"notify_url": "https://shop.example/n", "amount": {"total": 1}}  # type: ignore[dict-item]
ORDER_V2 = {"appid": "wx8888888888888888", "body": "茶", "out_trade_no": "A2", "total_fee": 1}
ORDER_V2 |= {"spbill_create_ip": "127.0.0.1", "notify_url": "https://shop.example/n", "trade_type": "NATIVE"}

#: What calls a path that a foreign spec has sent elsewhere, or one beside it.
CALLS = {
    "APIv3": lambda wxpay: wxpay.v3.pay.transactions.native.post(ORDER, validate=False),
    "APIv3, undeclared, beside it": lambda wxpay: wxpay.v3.stranger.sibling.post({"a": 1}, undeclared=True),
    "APIv2": lambda wxpay: wxpay.v2.pay.unifiedorder.post(ORDER_V2, validate=False),
    "APIv2, signed in its query": lambda wxpay: wxpay.v2.papay.entrustweb.get(appid="wx8888888888888888"),
    "APIv2, undeclared, beside it": lambda wxpay: wxpay.v2.stranger.sibling.post({"a": "1"}),
    "a link for a browser": lambda wxpay: wxpay.signed_url(wxpay.v2.papay.entrustweb.get, appid="wx8888888888888888"),
    "an upload": lambda wxpay: wxpay.upload(b"\x89PNG\r\n\x1a\n", wxpay.v3.merchant.media.upload, name="a.png"),
    "an upload of APIv2": lambda wxpay: wxpay.upload(
        b"\x89PNG\r\n\x1a\n", wxpay.v2.secapi.mch.uploadmedia, name="a.png"
    ),
    "platform certificates": lambda wxpay: wxpay.keyring.refresh(),
}


@pytest.fixture
async def stranger() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        server.script = [json_answer(b"{}", "500 No")] * 4
        yield server


def specs(folder: Path, host: str) -> Path:
    """Specs that send well-known operations, and the paths beside them, to ``host``."""
    (folder / "evil3.yaml").write_text(
        f"host: {host}\noperations:\n"
        "  /v3/pay/transactions/native: {post: {}}\n"
        "  /v3/stranger/known: {post: {}}\n"
        "  /v3/certificates: {get: {}}\n"
        "  /v3/merchant/media/upload:\n"
        "    post: {form: {file: {format: binary}, meta: {contentMediaType: application/json}}}\n"
    )
    (folder / "evil2.yaml").write_text(
        f"dialect: v2\nhost: {host}\noperations:\n"
        "  /pay/unifiedorder: {post: {}}\n"
        "  /stranger/known: {post: {}}\n"
        "  /papay/entrustweb: {get: {}}\n"
        "  /secapi/mch/uploadmedia: {post: {form: {media: {format: binary}, media_hash?: , mch_id?: , sign?: }}}\n"
    )
    return folder


def client(folder: Path, **settings: Any) -> Wechatpay:
    given: dict[str, Any] = {"mchid": MCHID, "serial": SERIAL, "private_key": keys()[0], "apiv2_key": "s" * 32}
    given |= {"platform_keys": {PUB_KEY_ID: keys()[1].public_key()}, "apiv3_key": APIV3_KEY, "specs": [folder]}
    return Wechatpay(**{**given, "retries": 0, "timeout": 5.0, **settings})


@pytest.mark.parametrize("call", CALLS)
async def test_no_spec_takes_a_signature_to_a_stranger(call: str, stranger: RawServer, tmp_path: Path) -> None:
    async with client(specs(tmp_path, stranger.url)) as wxpay:
        with pytest.raises(ConfigurationError) as raised:
            await CALLS[call](wxpay)
    assert stranger.connections == 0
    assert f"hosts=['{stranger.url}']" in str(raised.value)


@pytest.mark.parametrize("call", [name for name in CALLS if name != "a link for a browser"])
async def test_a_host_that_the_settings_name_is_sent_it(call: str, stranger: RawServer, tmp_path: Path) -> None:
    async with client(specs(tmp_path, stranger.url), hosts=[stranger.url]) as wxpay:
        with pytest.raises(SdkError):
            await CALLS[call](wxpay)
    assert stranger.connections == 1


async def test_nor_a_link_that_an_answer_or_a_spec_names(stranger: RawServer, tmp_path: Path) -> None:
    async with client(specs(tmp_path, stranger.url)) as wxpay:
        with pytest.raises(ValidationError, match="hosts"):
            async with wxpay.download(f"{stranger.url}/v3/billdownload/file?token=1"):
                pass
    assert stranger.connections == 0


async def test_nor_a_request_that_was_prepared_by_hand(stranger: RawServer, tmp_path: Path) -> None:
    from attrs import evolve

    async with client(tmp_path) as wxpay:
        request = await wxpay.client.prepare(node_target(wxpay.v3.certificates.get), None, {})
        elsewhere = evolve(request, url=stranger.url + "/v3/certificates")
        with pytest.raises(ConfigurationError, match="hosts"):
            await wxpay.client.send(elsewhere)
        with pytest.raises(ConfigurationError, match="hosts"):
            async with wxpay.client.stream(elsewhere):
                pass
        # The signer itself looks at the URL that is connected to, whoever calls it.
        exchange = Exchange(elsewhere)
        sign = sign_v3(exchange, Credential(MCHID, SERIAL, LocalSigner(keys()[0])), wxpay.keyring)
        transport = Transport("test")
        with pytest.raises(ConfigurationError, match="hosts"):
            await transport.send(exchange, [sign], 5)
        await transport.close()
    assert all(b"Authorization" not in request for request in stranger.requests)


@pytest.mark.parametrize(
    "host",
    [
        "http://api.mch.weixin.qq.com",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "https://api.mch.weixin.qq.com/v3",
        "https://a@b.example",
        "https://api.mch.weixin.qq.com\\@evil.example",
        "ftp://api.mch.weixin.qq.com",
        "api.mch.weixin.qq.com",
        "https://",
        "https://a:0",
    ],
)
@pytest.mark.parametrize("whose", ["a file's", "an operation's"])
def test_a_host_of_a_spec_is_an_origin_and_has_tls(host: str, whose: str, tmp_path: Path) -> None:
    if whose == "a file's":
        text = f"host: '{host}'\noperations:\n  /v3/evil/x: {{get: {{}}}}\n"
        line = 1
    else:
        text = f"operations:\n  /v3/evil/x:\n    get:\n      host: '{host}'\n"
        line = 4
    (tmp_path / "evil.yaml").write_text(text)
    for read in (tree([str(tmp_path)]).preload, lambda: node_target(client(tmp_path).v3.evil.x.get)):
        with pytest.raises(SpecError, match="is not an origin") as raised:
            read()
        assert (raised.value.file, raised.value.line) == (str(tmp_path / "evil.yaml"), line)


@pytest.mark.parametrize(
    "hosts",
    [["http://pay.example"], ["pay.example"], ["https://pay.example/v3"], [7], "https://a.example,b", 7],
)
def test_hosts_in_the_settings_are_origins(hosts: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="`hosts`"):
        client(tmp_path, hosts=hosts)


def test_hosts_come_from_a_profile_and_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = tmp_path / "wxpay.toml"
    profile.write_text('hosts = ["https://a.example:8443"]\n')
    folder = tmp_path / "specs"
    folder.mkdir()
    assert client(folder, profile=profile).settings.hosts == ("https://a.example:8443",)
    monkeypatch.setenv("WXPAY_HOSTS", "https://b.example, https://c.example")
    settings = client(folder, profile=profile).settings
    assert settings.hosts == ("https://b.example", "https://c.example")
    assert settings.origins.permit(URL("https://c.example/v3"))
    assert not settings.origins.permit(URL("https://c.example:8443/v3"))
    assert not settings.origins.permit(URL("https://a.example:8443/v3"))


PERMITTED = ["https://api.mch.weixin.qq.com/x", "https://api2.wechatpay.cn", "https://API.MCH.WEIXIN.QQ.COM:443/"]
STRANGERS = [
    "http://api.mch.weixin.qq.com/",
    "https://api.mch.weixin.qq.com:8443/",
    "https://api.mch.weixin.qq.com.evil.example/",
    "https://evilwechatpay.cn/",
    "https://mch.weixin.qq.com.evil.example",
    "https://wechatpay.cn.evil.example",
    "https://evil.example#.wechatpay.cn",
    "https://evil.example/.wechatpay.cn",
    "https://127.0.0.1/",
    "http://localhost/",
]


def test_the_service_s_own_hosts_are_told_from_others() -> None:
    assert [url for url in PERMITTED if not SERVICE_ORIGINS.permit(URL(url))] == []
    assert [url for url in STRANGERS if SERVICE_ORIGINS.permit(URL(url))] == []


def test_every_host_that_the_packaged_specs_name_is_the_service_s_own() -> None:
    packaged = tree()
    hosts = {declared.host for declared in packaged.declared()} - {""}
    assert len(hosts) >= 4
    assert [host for host in hosts if not SERVICE_ORIGINS.permit(URL(host))] == []
