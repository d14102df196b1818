"""Proxy variables, ``.netrc`` and the like neither redirect calls nor add anything to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.raw_server import RawServer, json_answer
from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, Platform, keys
from wxpay_dsl import SdkError, Wechatpay
from wxpay_dsl.core.errors import ConfigurationError, ServiceError

HEADERS = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")
PROXIES = [
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("WS_PROXY", "WSS_PROXY", "REQUEST_METHOD", "NO_PROXY"),
]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


def client(server: RawServer, **settings: Any) -> Wechatpay:
    given: dict[str, Any] = {"mchid": MCHID, "serial": SERIAL, "private_key": keys()[0], "base_url": server.url}
    given |= {"platform_keys": {PUB_KEY_ID: keys()[1].public_key()}, "timeout": 30.0, "retries": 0}
    return Wechatpay(**{**given, **settings})


def signed(body: bytes = b"{}", more: str = "") -> bytes:
    whole = Platform().signed(body)
    return json_answer(body, headers=more + "".join(f"{name}: {whole.headers[name]}\r\n" for name in HEADERS))


def head(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    pairs = [line.split(": ", 1) for line in lines]
    assert len({name.lower() for name, _ in pairs}) == len(pairs), "each header once"
    return {name.lower(): value for name, value in pairs}


async def call(wxpay: Wechatpay) -> Any:
    return await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


async def test_proxies_of_the_environment_see_nothing(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with RawServer() as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, "" if name == "NO_PROXY" else proxy.url)
        server.script = [signed()]
        async with client(server) as wxpay:
            await call(wxpay)
        assert proxy.connections == 0
        assert len(server.requests) == 1


async def test_a_netrc_adds_no_credentials(server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login root password hunter2\ndefault login a password b\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.script = [signed(), signed()]
    async with client(server) as wxpay:
        await call(wxpay)
    async with Wechatpay(mchid=MCHID, apiv2_key="1" * 32, base_url=server.url, retries=0) as wxpay:
        with pytest.raises(SdkError):
            await wxpay.v2.pay.orderquery(appid="wx8888888888888888", out_trade_no="1", validate=False)
    assert head(server.requests[0])["authorization"].startswith("WECHATPAY2-SHA256-RSA2048 ")
    assert "authorization" not in head(server.requests[1])
    assert "hunter2" not in str(server.requests)


async def test_a_cookie_that_was_set_is_not_sent(server: RawServer) -> None:
    cookies = "Set-Cookie: session=1; Path=/\r\nSet-Cookie: other=2; Domain=127.0.0.1\r\n"
    server.script = [signed(more=cookies), signed(), json_answer(b"", "403 No", cookies), signed()]
    async with client(server) as wxpay:
        await call(wxpay)
        await call(wxpay)
        with pytest.raises(ServiceError):
            await call(wxpay)
        await call(wxpay)
    assert len(server.requests) == 4
    assert all("cookie" not in head(request) for request in server.requests)


async def test_no_header_of_an_answer_changes_the_next_call(server: RawServer) -> None:
    """HSTS, alternative services, authentication that is asked for, a type of its own: none is listened to."""
    told = (
        'Alt-Svc: h2="evil.example:443"\r\nStrict-Transport-Security: max-age=1\r\nRefresh: 0; url=http://x\r\n'
        "Content-Location: http://evil.example/\r\nLink: <http://evil.example>; rel=preload\r\n"
    )
    asks = "WWW-Authenticate: Basic realm=x\r\nProxy-Authenticate: Basic\r\n"
    server.script = [signed(more=told), json_answer(b"", "401 No", asks), json_answer(b"", "407 No", asks), signed()]
    async with client(server) as wxpay:
        first = await call(wxpay)
        for _ in range(2):
            with pytest.raises(SdkError):
                await call(wxpay)
        last = await call(wxpay)
    assert len(server.requests) == 4
    one, other = (dict(response.exchange.request_headers) for response in (first, last))
    for changing in ("Authorization",):
        del one[changing], other[changing]
    assert one == other


async def test_what_is_sent_names_no_machine_and_no_user(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "alice-of-accounting")
    server.script = [signed()]
    async with client(server) as wxpay:
        await call(wxpay)
    import platform

    text = server.requests[0].decode("latin-1")
    for word in ("alice-of-accounting", str(Path.home()), str(Path.cwd())):
        assert word not in text
    if len(platform.node()) > 6:
        assert platform.node() not in text


async def test_specs_are_not_taken_from_the_current_folder(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("specs/v3", "v3", "wxpay_dsl/specs/v3"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        evil = "path: /v3/pay\nhost: http://evil.example\noperations: {/transactions/id/{a}: {get: {sign: false}}}\n"
        (tmp_path / folder / "pay.yaml").write_text(evil)
    (tmp_path / "wxpay.toml").write_text('base_url = "http://127.0.0.1:9"\nmchid = "1"\n')
    (tmp_path / "yaml.py").write_text("raise SystemExit('taken from the current folder')\n")
    monkeypatch.chdir(tmp_path)
    server.script = [signed()]
    async with client(server) as wxpay:
        await call(wxpay)
    assert server.requests[0].startswith(b"GET /v3/pay/transactions/id/42?")


@pytest.mark.parametrize(
    "host",
    [
        "http://evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://x",
        "https://a@evil.example",
        "evil.example",
        "//x",
    ],
)
async def test_no_spec_sends_a_call_in_the_clear(host: str, server: RawServer, tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(f"path: /v3/evil\nhost: {host!r}\noperations: {{/x: {{get: {{}}}}}}\n")
    async with client(server, specs=[tmp_path], base_url=None) as wxpay:
        with pytest.raises((SdkError, AttributeError)):
            await wxpay.v3.evil.x.get()
    assert server.connections == 0


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "file:///etc/passwd", "127.0.0.1:1", "http://", "http://a\nb"]
)
async def test_a_proxy_that_cannot_be_one_is_refused(proxy: str, server: RawServer) -> None:
    with pytest.raises(ConfigurationError, match="proxy"):
        client(server, proxy=proxy)
