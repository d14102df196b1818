"""The client certificate: from PEM files or PKCS#12, presented where a spec requires it, and never shown in text."""

from __future__ import annotations

import pickle
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from tests.wechat.loopback import APPID, MCHID, SECRET, answering, signed, wechatpay
from wxpay_dsl import ConfigurationError, ConnectionFailedError, ServiceError, Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.keys.identity import make_merchant
from wxpay_dsl.wechat.v2 import mutual_tls

PACKET = {"appid": APPID, "mch_billno": "10000098201411111234567890", "bill_type": "MCHT"}


def container(sandbox: Sandbox, password: str = MCHID) -> bytes:
    merchant = sandbox.merchant
    encryption = BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(b"x", merchant.private_key, merchant.certificate, None, encryption)


@pytest.fixture
def credentials() -> Callable[[Sandbox], dict[str, Any]]:
    """The settings of a merchant that uses only APIv2, without its certificate."""
    return lambda sandbox: {name: sandbox.credentials[name] for name in ("mchid", "apiv2_key", "base_url", "ca")}


Credentials = Callable[[Sandbox], dict[str, Any]]


async def test_a_container_whose_password_is_the_merchant_id(credentials: Credentials, tmp_path: Path) -> None:
    async with Sandbox(tls=True, stateful=False) as sandbox:
        file = tmp_path / "apiclient_cert.p12"
        file.write_bytes(container(sandbox))
        for thing in (container(sandbox), file, str(file), file.as_uri()):
            async with Wechatpay(**credentials(sandbox), p12=thing) as wxpay:
                response = await wxpay.v2.mmpaymkttransfers.gethbinfo(PACKET)
                assert response.data["mch_billno"] == PACKET["mch_billno"]


async def test_a_container_with_a_password_of_its_own(credentials: Credentials) -> None:
    async with Sandbox(tls=True, stateful=False) as sandbox:
        p12 = container(sandbox, "correct horse")
        async with Wechatpay(**credentials(sandbox), p12=p12, p12_password="correct horse") as wxpay:
            await wxpay.v2.mmpaymkttransfers.gethbinfo(PACKET)
        with pytest.raises(ConfigurationError, match=r"`p12`: .*wrong password") as caught:
            Wechatpay(**credentials(sandbox), p12=p12, p12_password="battery staple")
        assert "battery staple" not in f"{caught.value!r}{caught.value}"


async def test_a_pem_pair(credentials: Credentials) -> None:
    async with Sandbox(tls=True, stateful=False) as sandbox:
        merchant = sandbox.merchant
        pair = {
            "certificate": merchant.certificate.public_bytes(Encoding.PEM),
            "private_key": merchant.private_key,
            "platform_keys": sandbox.credentials["platform_keys"],
        }
        async with Wechatpay(**credentials(sandbox), **pair) as wxpay:
            await wxpay.v2.mmpaymkttransfers.gethbinfo(PACKET)


async def test_a_pem_pair_is_all_that_apiv2_alone_needs(credentials: Credentials) -> None:
    """As the guide to APIv2 says. A call of APIv3 is not sent: nothing could verify its answer."""
    async with Sandbox(tls=True, stateful=False) as sandbox:
        certificate = sandbox.merchant.certificate.public_bytes(Encoding.PEM)
        given = {**credentials(sandbox), "certificate": certificate, "private_key": sandbox.merchant.private_key}
        async with Wechatpay(**given) as wxpay:
            response = await wxpay.v2.mmpaymkttransfers.gethbinfo(PACKET)
            assert response.data["mch_billno"] == PACKET["mch_billno"]
        async with answering(signed()) as loopback, Wechatpay(**{**given, "base_url": loopback.url}) as wxpay:
            with pytest.raises(ConfigurationError, match=r"no platform key is valid .* give pub_key\.pem"):
                await wxpay.v3.certificates.get()
            assert not loopback.requests


async def test_a_container_serves_apiv3_too(credentials: Credentials) -> None:
    async with Sandbox(tls=True, stateful=False) as sandbox:
        keys = sandbox.credentials["platform_keys"]
        async with Wechatpay(**credentials(sandbox), p12=container(sandbox), platform_keys=keys) as wxpay:
            assert (await wxpay.v3.certificates.get()).status == 200


async def test_without_a_certificate_nothing_is_sent_and_the_error_says_what_to_give() -> None:
    async with answering(signed()) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ConfigurationError, match=r"POST /mmpaymkttransfers/gethbinfo requires .* `p12`"):
            await wxpay.v2.mmpaymkttransfers.gethbinfo(PACKET)
        assert not loopback.requests


async def test_the_server_really_demands_it(credentials: Credentials) -> None:
    async with Sandbox(tls=True, stateful=False) as sandbox, aiohttp.ClientSession() as session:
        context = mutual_tls.verifying_context(sandbox.credentials["ca"])
        url = f"{sandbox.url}/secapi/pay/refund"
        async with session.post(url, data=signed(), ssl=context) as response:
            assert response.status == 400
            assert "No required SSL certificate was sent" in await response.text()
        # A certificate of another merchant fails like a missing one: the TLS handshake fails.
        other = make_merchant("1900000999")
        theirs = mutual_tls.client_context(
            mutual_tls.ClientCertificate(other.private_key, other.certificate), sandbox.credentials["ca"]
        )
        with pytest.raises(aiohttp.ClientError):
            await session.post(url, data=signed(), ssl=theirs)


async def test_only_operations_that_demand_it_see_it(credentials: Credentials) -> None:
    async with Sandbox(tls=True, stateful=False) as sandbox:
        async with Wechatpay(**credentials(sandbox), p12=container(sandbox)) as wxpay:
            tls = wxpay.client._tls
            assert tls is not None
            contexts = []
            for node, fields in (
                (wxpay.v2.secapi.pay.refund, {}),
                (wxpay.v2.mmpaymkttransfers.gethbinfo, {}),
                (wxpay.v2.pay.orderquery, {}),
                (wxpay.v2.pay.somethingnew, {}),
            ):
                request = await wxpay.client.prepare(node._target(), fields, {"validate": False})
                contexts.append(tls(request))
        assert contexts[0] is contexts[1] is contexts[3]
        assert isinstance(contexts[0], ssl.SSLContext)
        assert contexts[2] is None


async def test_connections_of_one_merchant_are_kept(credentials: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = mutual_tls.client_context
    monkeypatch.setattr(mutual_tls, "client_context", lambda *given: made.append(1) or original(*given))
    async with (
        Sandbox(tls=True, stateful=False) as sandbox,
        Wechatpay(**credentials(sandbox), p12=container(sandbox)) as wxpay,
    ):
        for _ in range(5):
            await wxpay.v2.mmpaymkttransfers.gethbinfo(PACKET)
        session = wxpay.client._transport.session()
        assert isinstance(session.connector, aiohttp.TCPConnector)
        assert len(session.connector._conns) == 1
    assert len(made) == 1


async def test_a_merchant_who_comes_again_finds_his_connections(
    credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    original = mutual_tls.client_context
    monkeypatch.setattr(mutual_tls, "client_context", lambda *given: made.append(1) or original(*given))
    async with Sandbox(tls=True, stateful=False) as sandbox:
        own = {"mchid": sandbox.merchant.mchid, "apiv2_key": sandbox.merchant.apiv2_key}
        async with Wechatpay(**credentials(sandbox), p12=container(sandbox)) as wxpay:
            for _ in range(4):
                async with wxpay.as_merchant(**own, p12=container(sandbox)) as one:
                    await one.v2.mmpaymkttransfers.gethbinfo(PACKET)
            session = wxpay.client._transport.session()
            assert isinstance(session.connector, aiohttp.TCPConnector)
            assert len(session.connector._conns) == 1
    assert len(made) == 1


def test_contexts_are_kept_by_certificate_and_so_many() -> None:
    contexts = mutual_tls.Contexts(limit=2)
    holders = [make_merchant() for _ in range(3)]
    certificates = [mutual_tls.ClientCertificate(each.private_key, each.certificate) for each in holders]
    first = [contexts.get(certificate, None) for certificate in certificates]
    assert len({id(context) for context in first}) == 3
    assert contexts.get(certificates[2], None) is first[2]
    assert contexts.get(certificates[1], None) is first[1]
    assert contexts.get(certificates[0], None) is not first[0]
    mixed = mutual_tls.ClientCertificate(holders[1].private_key, holders[0].certificate)
    with pytest.raises(ConfigurationError, match="client certificate"):
        contexts.get(mixed, None)


async def test_the_server_is_verified_all_the_same(credentials: Credentials) -> None:
    async with Sandbox(tls=True, stateful=False) as sandbox:
        untrusting = {**credentials(sandbox), "ca": None}
        async with Wechatpay(**untrusting, p12=container(sandbox)) as wxpay:
            with pytest.raises(ConnectionFailedError, match="certificate verify failed") as caught:
                await wxpay.v2.mmpaymkttransfers.gethbinfo(PACKET)
            assert not caught.value.outcome_unknown


def test_the_key_is_on_disk_encrypted_and_for_no_longer_than_it_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where no other process has its own
    merchant = make_merchant()
    seen: list[tuple[str, bytes, int]] = []
    load = ssl.SSLContext.load_cert_chain

    def watched(self: ssl.SSLContext, path: str, **words: Any) -> None:
        seen.append((path, Path(path).read_bytes(), Path(path).stat().st_mode & 0o777))
        load(self, path, **words)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    certificate = mutual_tls.ClientCertificate(merchant.private_key, merchant.certificate)
    mutual_tls.client_context(certificate)
    (path, content, mode) = seen[0]
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content
    assert mode == 0o600
    assert Path(path).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    assert "private_key" not in repr(certificate)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(certificate)


@pytest.mark.parametrize("ca", ["nowhere.pem", __file__, "-----BEGIN CERTIFICATE-----\nrubbish\n"])
async def test_authorities_that_cannot_be_read_are_refused_by_the_settings_name(ca: str) -> None:
    wxpay = Wechatpay(mchid=MCHID, apiv2_key=SECRET, ca=ca)
    with pytest.raises(ConfigurationError, match="`ca`"):
        await wxpay.v2.pay.closeorder(appid=APPID, out_trade_no="1")


async def test_a_refusal_for_want_of_a_certificate_says_what_to_do() -> None:
    page = "<xml><return_code>FAIL</return_code><return_msg>请使用API证书</return_msg></xml>"
    async with answering(page.encode()) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ServiceError, match="give `p12`"):
            await wxpay.v2.pay.closeorder(appid=APPID, out_trade_no="1")
