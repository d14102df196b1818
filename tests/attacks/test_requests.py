"""Values of a call cannot inject headers, lines, paths, hosts or other fields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.core.raw_server import RawServer
from tests.wechat.platform_server import keys
from wxpay_dsl import File, SdkError, ValidationError, Wechatpay
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.bills.downloads import link_of

#: What may end a header, or a request, and begin another.
BREAKS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x85", "\u2028", "\u560d\u560a"]
EVIL = "X-Evil: 1"

MEDIA = """
path: /v3/evil
operations:
  /thing/{id}:
    post:
      path: {id: a}
      query: {q?: b}
      header: {X-Own?: c}
      body: {text?: d}
  /token/{token}:
    get:
      path: {token: {title: t, encoded: true}}
      returns: {}
"""


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


def client(server: RawServer, folder: Path | None = None, **settings: Any) -> Wechatpay:
    if folder is not None:
        folder.mkdir(exist_ok=True)
        (folder / "evil.yaml").write_text(MEDIA)
        settings["specs"] = [folder]
    given = {
        "mchid": "1900000109",
        "serial": "0A" * 20,
        "private_key": keys()[0],
        "platform_keys": {"PUB_KEY_ID_01": keys()[1].public_key()},
        "apiv2_key": "192006250b4c09247ec02edce69f6a2d",
        "base_url": server.url,
        "timeout": 30.0,
    }
    return Wechatpay(**{**given, **settings})


def head_of(request: bytes) -> list[bytes]:
    return request.partition(b"\r\n\r\n")[0].split(b"\r\n")


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
@pytest.mark.parametrize(
    "place", ["id", "q", "X-Own", "x_own", "text", "headers", "header name", "query", "query name"]
)
async def test_a_line_break_in_any_value_begins_no_header(
    place: str, line_break: str, server: RawServer, tmp_path: Path
) -> None:
    value = f"a{line_break}{EVIL}{line_break}{line_break}GET /v3/other HTTP/1.1"
    fields: dict[str, Any] = {"id": "1"}
    match place:
        case "headers":
            fields["headers"] = {"X-Other": value}
        case "header name":
            fields["headers"] = {value: "1"}
        case "query":
            fields["query"] = {"other": value}
        case "query name":
            fields["query"] = {value: "1"}
        case _:
            fields[place] = value
    async with client(server, tmp_path / "specs") as wxpay:
        # What the server here answers is signed by nobody, so that each call raises, sent or not.
        with pytest.raises(SdkError) as raised:
            await wxpay.v3.evil.thing._id_.post(**fields)
    assert str(raised.value).isprintable()
    for request in server.requests:
        head = head_of(request)
        assert not [line for line in head if line.lower().startswith(b"x-evil")]
        assert head[0].startswith(b"POST /v3/evil/thing/")
        assert head[0].count(b" ") == 2
    assert len(server.requests) <= 1
    if place in ("X-Own", "x_own", "headers", "header name"):
        assert not server.requests, "a header that cannot be sent as it is stops the call"


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\0"], ids=ascii)
@pytest.mark.parametrize("place", ["name", "content_type", "field"])
async def test_nor_in_an_upload(place: str, line_break: str, server: RawServer) -> None:
    value = f"a{line_break}{EVIL}.png"
    given: dict[str, Any] = {"name": "a.png", "content_type": "image/png"}
    async with client(server) as wxpay:
        if place == "field":
            call = wxpay.v3.merchant.media.upload.post(File(b"\x89PNG", "a.png"), validate=False, headers={value: "x"})
        else:
            call = wxpay.upload(b"\x89PNG", **{**given, place: value})
        with pytest.raises(ValidationError):
            await call
    assert not server.requests


@pytest.mark.parametrize("name", ["mchid", "serial", "platform_keys"])
async def test_nor_in_a_setting(name: str, server: RawServer) -> None:
    value: Any = f"1900000109\r\n{EVIL}"
    if name == "platform_keys":
        value = {f"PUB_KEY_ID_01\r\n{EVIL}": keys()[1].public_key()}
    with pytest.raises(ConfigurationError) as raised:
        client(server, **{name: value})
    assert str(raised.value).isprintable()


async def test_nor_in_what_a_signer_gives(server: RawServer) -> None:
    class Evil:
        scheme = "WECHATPAY2-SHA256-RSA2048"

        async def sign(self, message: bytes) -> str:
            return f'QUJD"\r\n{EVIL}'

    async with client(server, private_key=Evil()) as wxpay:
        with pytest.raises(SdkError):
            await wxpay.v3.certificates.get()
    assert not server.requests


@pytest.mark.parametrize(
    "name", ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "TE"]
)
async def test_where_a_message_goes_and_ends_is_not_for_a_call_to_say(name: str, server: RawServer) -> None:
    async with client(server) as wxpay:
        with pytest.raises(ValidationError, match="is set by the HTTP connection"):
            await wxpay.v3.certificates.get(headers={name: "1"})
    assert not server.requests


@pytest.mark.parametrize(
    "spelled", [str, str.lower, str.upper, str.swapcase], ids=["as is", "lower", "upper", "swapped"]
)
@pytest.mark.parametrize(
    "name", ["Authorization", "Wechatpay-Serial", "User-Agent", "Accept", "Content-Type", "Accept-Encoding"]
)
async def test_a_header_is_there_once_however_it_is_spelled(
    name: str, spelled: Callable[[str], str], server: RawServer
) -> None:
    """Two would be two truths, of which whoever is on the way and the service may take one each."""
    async with client(server) as wxpay:
        with pytest.raises(SdkError):
            await wxpay.v3.my.thing.post({"a": 1}, headers={spelled(name): "evil"})
    for request in server.requests:
        lines = [line for line in head_of(request) if line.lower().startswith(name.lower().encode() + b":")]
        assert len(lines) == 1, lines
        if name == "Authorization":
            assert lines[0].startswith(b"Authorization: WECHATPAY2-SHA256-RSA2048 mchid=")


CLIMBING = [
    *(
        "..",
        ".",
        "../x",
        "a/../../b",
        "..\\x",
        "%2e%2e",
        "%2E%2E/x",
        "..%2fx",
        "%2e%2e%5cx",
        "/",
        "a/b",
        "//evil.example",
    ),
    *(
        "?x=1",
        "#x",
        ";x",
        "a?b#c",
        "",
        "\ud800",
        "a" * 5000,
        "%",
        "%zz",
        "%00",
        " ",
        "@evil.example",
        "https://evil.example",
    ),
]


@pytest.mark.parametrize("value", CLIMBING, ids=lambda value: ascii(value)[:30])
@pytest.mark.parametrize("how", ["keyword", "literal", "token"])
async def test_a_parameter_stays_the_one_segment_that_it_is(
    how: str, value: str, server: RawServer, tmp_path: Path
) -> None:
    async with client(server, tmp_path / "specs", validate=False) as wxpay:
        evil = wxpay.v3.evil
        calls: dict[str, Callable[[], Any]] = {
            "keyword": lambda: evil.thing._id_.post(id=value),
            "literal": evil.thing[value].post,
            "token": lambda: evil.token._token_.get(token=value),
        }
        with pytest.raises((SdkError, LookupError, ValueError)):
            await calls[how]()
    if not server.requests:
        return
    target = head_of(server.requests[0])[0].split(b" ")[1].decode()
    prefix = "/v3/evil/token/" if how == "token" else "/v3/evil/thing/"
    assert target.startswith(prefix)
    segment = target.removeprefix(prefix)
    assert segment.isascii()
    assert not set("/?#\\ ") & set(segment)
    assert unquote(segment) not in ("", ".", "..")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example\\.mch.weixin.qq.com/file",
        "https://evil.example%2f.mch.weixin.qq.com/file",
        "https://evil.example%00.mch.weixin.qq.com/file",
        "https://evil.example;.mch.weixin.qq.com/file",
        "https://api.mch.weixin.qq.com\\@evil.example/file",
        "https://api.mch.weixin.qq.com%40evil.example/file",
        "https://.mch.weixin.qq.com/file",
        "https://..mch.weixin.qq.com/file",
        "https://evil.example:443/.mch.weixin.qq.com",
        "https://evil.example?.mch.weixin.qq.com/file",
        "https://[::ffff:127.0.0.1]/file",
        "https://127.0.0.1/file",
        "https://0x7f.1/file",
        "https://ＡＰＩ.evil.example/file",
        "HTTPS://EVIL.EXAMPLE/file",
        "https:evil.example/file",
        "https:///evil.example/file",
        "gopher://api.mch.weixin.qq.com/file",
        "https://api.mch.weixin.qq.com.:443/file",
    ],
)
@pytest.mark.parametrize("origin", ["one", "service's"])
async def test_a_download_link_leads_to_the_service_alone(url: str, origin: str, server: RawServer) -> None:
    settings = {} if origin == "one" else {"base_url": None}
    async with client(server, **settings) as wxpay:
        assert link_of({"download_url": url}).url == url
        with pytest.raises(ValidationError, match="download_url"):
            async with asyncio.timeout(60), wxpay.download({"download_url": url}):
                pass
    assert not server.requests


@pytest.mark.parametrize(
    "base_url",
    [
        "http://evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil",
        "ftp://127.0.0.1",
        "https://a@evil.example",
        "http://127.0.0.1@evil.example",
        "https://evil.example?x",
        "//evil.example",
    ],
)
async def test_no_setting_sends_calls_in_the_clear(base_url: str, server: RawServer) -> None:
    for name in ("base_url", "backup_url"):
        with pytest.raises(ConfigurationError, match=name):
            client(server, **{name: base_url})


async def test_a_key_id_names_no_file(server: RawServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        client(server, platform_keys={"../../etc/x": keys()[1].public_key()})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@evil.example/",
        "http://evil.example#@127.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "file://127.0.0.1/etc/passwd",
        "http://169.254.169.254/",
        "http://0/",
        "http://[::ffff:169.254.169.254]/",
    ],
)
def test_the_sandbox_sends_notifications_to_this_machine_alone(url: str) -> None:
    from wxpay_dsl.sandbox.notifications.sender import is_loopback

    assert not is_loopback(url)
