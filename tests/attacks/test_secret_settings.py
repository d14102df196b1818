"""Secret settings are in no frame of an error, in no error message, and in no message of a library."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.core.raw_server import RawServer, json_answer
from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, keys
from wxpay_dsl import ConfigurationError, SdkError, Wechatpay
from wxpay_dsl.core.redaction import redact_text
from wxpay_dsl.settings.settings import Settings

PASSWORD = "hunter2-is-no-password"
PEM = keys()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
LINE = PEM.splitlines()[5]
DER = base64.b64decode("".join(PEM.splitlines()[1:-1]))
GOOD: dict[str, Any] = {
    "mchid": MCHID,
    "serial": SERIAL,
    "private_key": PEM,
    "apiv3_key": "v3" + "k" * 30,
    "apiv2_key": "v2" + "s" * 30,
    "wecom_secret": "agent-secret-of-wecom",
    "proxy": f"http://user:{PASSWORD}@127.0.0.1:9",
    "certificate_store": f"redis://user:{PASSWORD}@127.0.0.1:9/0",
}
SECRETS = [LINE, GOOD["apiv3_key"], GOOD["apiv2_key"], GOOD["wecom_secret"], PASSWORD]

#: Settings with one mistake, so that an error passes through the frames that hold the others.
WRONG: dict[str, dict[str, Any]] = {
    "a name that is none": {"base_urls": "x"},
    "a timeout": {"timeout": "soon"},
    "a merchant": {"mchid": "wx1"},
    "a serial": {"serial": "x y"},
    "a folder": {"specs": ["/nowhere"]},
    "a proxy": {"proxy": f"ftp://user:{PASSWORD}@proxy.example"},
    "a store": {"certificate_store": f"redis://user:{PASSWORD}@127.0.0.1:x/y"},
    "a short APIv3 key": {"apiv3_key": PASSWORD},
    "a short APIv2 key": {"apiv2_key": PASSWORD},
    "a private key that is damaged": {"private_key": PEM.replace(PEM.splitlines()[7], "")},
    "a private key of another kind": {"private_key": PEM.replace("PRIVATE", "PUBLIC")},
    "a private key in bytes": {"private_key": PEM.replace(PEM.splitlines()[7], "").encode()},
    "a container": {
        "private_key": None,
        "p12": base64.b64decode("".join(PEM.splitlines()[1:-1])),
        "p12_password": PASSWORD,
    },
    "a certificate": {"certificate": "/nowhere.pem"},
    "a platform key": {"platform_keys": {"PUB_KEY_ID_1": "/nowhere.pem"}},
}


def frames_of(error: BaseException) -> str:
    """What an error tracker sends: every variable of every frame of the package and of what it calls."""
    told = ""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        report = traceback.TracebackException.from_exception(found, capture_locals=True)
        report.stack[:] = [frame for frame in report.stack if "/tests/" not in frame.filename]
        told += "".join(report.format(chain=False)) + f"{found!r}"
        waiting += [found.__cause__, found.__context__]
    return told


def toml(settings: dict[str, Any]) -> str:
    lines = []
    for name, value in settings.items():
        if isinstance(value, (str, int, list)):
            lines.append(f'{name} = """{value}"""' if isinstance(value, str) else f"{name} = {value!r}")
    return "\n".join(lines)


def by_arguments(settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dict(settings)
    if "base_urls" in settings:
        Settings.load(settings, {})
    Wechatpay(**settings)


def by_environment(settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        if isinstance(value, (str, int)):
            monkeypatch.setenv(f"WXPAY_{name.upper()}", str(value))
    rest = {name: value for name, value in settings.items() if not isinstance(value, (str, int))}
    if "base_urls" in settings:
        rest["base_urls"] = settings["base_urls"]
    by_arguments(rest, folder, monkeypatch)


def by_profile(settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = folder / "wxpay.toml"
    profile.write_text(toml(settings), "utf-8")
    profile.chmod(0o600)
    rest = {name: value for name, value in settings.items() if not isinstance(value, (str, int, list))}
    Wechatpay(**rest, profile=profile)


def of_another_merchant(settings: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = (
        "mchid",
        "serial",
        "private_key",
        "certificate",
        "p12",
        "p12_password",
        "platform_keys",
        "apiv3_key",
        "apiv2_key",
    )
    first = Wechatpay(
        **{**GOOD, "certificate_store": None, "proxy": None, "platform_keys": {PUB_KEY_ID: keys()[1].public_key()}}
    )
    first.as_merchant(**{name: settings[name] for name in (*own, "wecom_secret") if name in settings})


WAYS: dict[str, Callable[[dict[str, Any], Path, pytest.MonkeyPatch], None]] = {
    "arguments": by_arguments,
    "environment": by_environment,
    "profile": by_profile,
    "another merchant": of_another_merchant,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("way", WAYS)
def test_no_frame_of_a_mistake_in_the_settings_holds_a_secret(
    way: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        WAYS[way]({**GOOD, **WRONG[wrong]}, tmp_path, monkeypatch)
    except ConfigurationError as error:
        told = frames_of(error)
    else:
        assert way in ("another merchant", "environment"), "what has no place there is not looked at"
        return
    assert [secret[:6] for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize("text", ["apiv3_key = {}\napiv2_key", "apiv2_key = {}\n[[[", 'apiv3_key = "{}"\n\x00'])
def test_nor_a_profile_that_is_not_toml(text: str, tmp_path: Path) -> None:
    profile = tmp_path / "wxpay.toml"
    profile.write_text(text.replace("{}", f'"{PASSWORD}"' if '"{}"' not in text else PASSWORD))
    profile.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is not TOML") as raised:
        Wechatpay(profile=profile)
    assert PASSWORD not in frames_of(raised.value)


def test_masked_settings_arrive_as_they_were_given(tmp_path: Path) -> None:
    store = str(tmp_path / "kept")
    for given in ({**GOOD}, {**GOOD, "apiv3_key": GOOD["apiv3_key"].encode(), "private_key": PEM.encode()}):
        settings = Settings.load({**given, "certificate_store": store}, {})
        assert settings.apiv3_key == GOOD["apiv3_key"].encode()
        assert (settings.apiv2_key, settings.wecom_secret) == (GOOD["apiv2_key"], GOOD["wecom_secret"])
        assert settings.proxy == GOOD["proxy"]
        assert settings.signer.private_key.private_numbers() == keys()[0].private_numbers()  # type: ignore[attr-defined]


@pytest.fixture
async def proxy() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        server.script = [json_answer(b"", "407 Proxy Authentication Required")] * 4
        yield server


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:9"], ids=["a tunnel", "no tunnel"])
async def test_a_proxy_that_refuses_is_told_the_password_and_nobody_else_is(
    base_url: str | None, proxy: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = proxy.url.replace("http://", f"http://us%20er:{PASSWORD}@")
    given: dict[str, Any] = {"mchid": MCHID, "apiv2_key": GOOD["apiv2_key"], "proxy": url, "base_url": base_url}
    given |= {"retries": 1, "timeout": 30.0}
    async with Wechatpay(**given) as wxpay:
        with pytest.raises(SdkError) as raised:
            await wxpay.v2.pay.orderquery.post(appid="wx8888888888888888", out_trade_no="1", validate=False)
        assert PASSWORD not in repr(vars(wxpay.transport))
    token = base64.b64encode(f"us er:{PASSWORD}".encode())
    told = frames_of(raised.value) + str(raised.value) + caplog.text
    assert PASSWORD not in told
    assert base_url is not None or token.decode() not in told
    assert all(b"Proxy-Authorization: Basic " + token in request for request in proxy.requests)
    assert len(proxy.requests) >= 1


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("407, url='http://user:hunter2@proxy:3128'", "407, url='http://***@proxy:3128'"),
        ("redis://:p@ss@host/0 is down", "redis://***@host/0 is down"),
        ("https://a.example/x@y?token=abc&b=1", "https://a.example/x@y?token=***&b=1"),
        ("Cannot connect to host 127.0.0.1:9", "Cannot connect to host 127.0.0.1:9"),
    ],
)
def test_what_another_library_says_is_told_without_passwords(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted
