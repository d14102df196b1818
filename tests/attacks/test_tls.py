"""A server whose certificate does not verify receives nothing: no path, no signature."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, keys
from wxpay_dsl import ConnectionFailedError, SdkError, Wechatpay

DAY = timedelta(days=1)


def certificate(folder: Path, names: list[x509.GeneralName], start: timedelta = -DAY, end: timedelta = DAY) -> Path:
    """A certificate that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api.mch.weixin.qq.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now + start, now + end)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = builder.sign(key, hashes.SHA256())
    file = folder / "server.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + made.public_bytes(Encoding.PEM))
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    return file


@asynccontextmanager
async def listening(file: Path, newest: ssl.TLSVersion | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An eavesdropper: its URL, and what it heard in the clear."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if newest is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()
        await server.wait_closed()


async def call(url: str, **settings: Any) -> None:
    given: dict[str, Any] = {"mchid": MCHID, "serial": SERIAL, "private_key": keys()[0], "base_url": url}
    given |= {"timeout": 30.0, "retries": 0}
    async with Wechatpay(**given, platform_keys={PUB_KEY_ID: keys()[1].public_key()}, **settings) as wxpay:
        await wxpay.v3.pay.transactions.id["42"].get(mchid=MCHID)


LOOPBACK: list[x509.GeneralName] = [x509.IPAddress(ip_address("127.0.0.1"))]
ELSEWHERE: list[x509.GeneralName] = [x509.DNSName("evil.example")]


@pytest.mark.parametrize(
    ("names", "start", "end", "trusted"),
    [
        (LOOPBACK, -DAY, DAY, False),
        (ELSEWHERE, -DAY, DAY, True),
        (LOOPBACK, -2 * DAY, -DAY, True),
        (LOOPBACK, DAY, 2 * DAY, True),
    ],
    ids=["vouched for by nobody", "of another name", "ended", "not begun"],
)
async def test_a_certificate_that_does_not_fit_ends_the_connection(
    names: list[x509.GeneralName], start: timedelta, end: timedelta, trusted: bool, tmp_path: Path
) -> None:
    file = certificate(tmp_path, names, start, end)
    async with listening(file) as (url, heard):
        with pytest.raises(ConnectionFailedError) as raised:
            await call(url, **({"ca": tmp_path / "ca.pem"} if trusted else {}))
        assert not raised.value.outcome_unknown
        assert raised.value.sent is False
    assert [one for one in heard if one] == []


async def test_this_would_hear_a_client_that_trusts_it(tmp_path: Path) -> None:
    async with listening(certificate(tmp_path, LOOPBACK)) as (url, heard):
        with pytest.raises(SdkError):
            await call(url, ca=tmp_path / "ca.pem")
    assert heard[0].startswith(b"GET /v3/pay/transactions/id/42")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_an_old_protocol_is_not_gone_back_to(newest: ssl.TLSVersion, tmp_path: Path) -> None:
    async with listening(certificate(tmp_path, LOOPBACK), newest) as (url, heard):
        with pytest.raises(ConnectionFailedError):
            await call(url, ca=tmp_path / "ca.pem")
    assert [one for one in heard if one] == []


@pytest.mark.parametrize("name", ["PYTHONHTTPSVERIFY", "SSL_NO_VERIFY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
async def test_no_variable_of_the_environment_switches_it_off(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "0" if name == "PYTHONHTTPSVERIFY" else "")
    async with listening(certificate(tmp_path, LOOPBACK)) as (url, heard):
        with pytest.raises(ConnectionFailedError):
            await call(url)
    assert [one for one in heard if one] == []


async def test_a_proxy_of_the_environment_is_not_taken_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(certificate(tmp_path, LOOPBACK)) as (url, heard):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        with pytest.raises(SdkError):
            await call(url, ca=tmp_path / "ca.pem")
    assert heard


async def test_a_proxy_that_answers_itself_hears_nothing(tmp_path: Path) -> None:
    """It is asked for a tunnel, and puts a server of its own at the end of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, [x509.DNSName("api.mch.weixin.qq.com")]))
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        try:
            await writer.start_tls(context)
            heard.append(await reader.read(65536))
        except (ConnectionError, ssl.SSLError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = f"http://user:password@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        with pytest.raises(ConnectionFailedError) as raised:
            await call("https://api.mch.weixin.qq.com", proxy=proxy)
    finally:
        server.close()
        await server.wait_closed()
    assert "password" not in str(raised.value)
    tunnel, *more = heard
    assert tunnel.startswith(b"CONNECT api.mch.weixin.qq.com:443 HTTP/1.1\r\n")
    assert b"Authorization: WECHATPAY2" not in tunnel
    assert b"/v3/" not in tunnel
    assert [one for one in more if one] == []
