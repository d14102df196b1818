"""Thousands of merchants in one process, which share connections, specs and all other settings."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.wechat.platform_server import APIV3_KEY, PUB_KEY_ID, Platform, cert, keys, newer_key, serving, wechatpay
from wxpay_dsl import ClosedError, ConfigurationError, ServiceError, Wechatpay
from wxpay_dsl.wechat.crypto.signer import SignerError
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wiring import client as assembly

CERTS = {PUB_KEY_ID: keys()[1].public_key()}
FIRST = cert(1)
PEM = keys()[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def merchant(number: int, **settings: Any) -> dict[str, Any]:
    return {
        "mchid": f"19{number:08d}",
        "serial": f"{number:040X}",
        "private_key": PEM,
        "platform_keys": CERTS,
        "apiv3_key": APIV3_KEY,
        **settings,
    }


async def call(wxpay: Wechatpay) -> Any:
    return await wxpay["v3"]["pay"]["orders"]["1"].get()


async def test_each_merchant_signs_for_itself_over_the_same_connections() -> None:
    platform = Platform()
    async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
        others = [wxpay.as_merchant(**merchant(number)) for number in range(1, 51)]
        for one in [wxpay, *others]:
            await call(one)
        transport = wxpay.transport
        assert all(one.transport is transport for one in others)
        session = transport.session()
        assert session.connector is not None
        assert len(session.connector._conns) == 1  # one after the other, so one connection
    signed = [headers["Authorization"] for _, headers, _ in platform.requests]
    assert [text.split('mchid="')[1].split('"')[0] for text in signed[1:]] == [f"19{n:08d}" for n in range(1, 51)]
    assert [text.split('serial_no="')[1].split('"')[0] for text in signed[1:]] == [f"{n:040X}" for n in range(1, 51)]


@pytest.mark.slow
async def test_a_merchant_costs_at_most_30_kb_and_no_session() -> None:
    platform = Platform()
    async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
        warm = wxpay.as_merchant(**merchant(1))
        await call(warm)
        sessions = len(wxpay.transport._sessions)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        others = [wxpay.as_merchant(**merchant(number)) for number in range(2, 102)]
        for one in others:
            await call(one)
        platform.requests.clear()
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / len(others)
        tracemalloc.stop()
        assert len(wxpay.transport._sessions) == sessions == 1
    assert each < 30_000, f"{each:.0f} bytes a merchant"


async def test_the_specs_and_all_other_settings_are_shared() -> None:
    async with serving(Platform()) as platform:
        wxpay = wechatpay(platform, platform_keys=CERTS, timeout=7.5, strict=True, retries=1)
        other = wxpay.as_merchant(**merchant(1))
        assert other.tree is wxpay.tree
        assert (other.settings.timeout, other.settings.strict, other.settings.base_url) == (7.5, True, platform.url)
        assert other.settings.mchid != wxpay.settings.mchid
        await wxpay.close()


async def test_closing_a_merchant_ends_it_alone() -> None:
    async with serving(Platform()) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        async with wxpay.as_merchant(**merchant(1)) as one:
            await call(one)
        with pytest.raises(ClosedError):
            await call(one)
        await call(wxpay)
        await call(wxpay.as_merchant(**merchant(1)))


async def test_closing_the_first_client_ends_them_all() -> None:
    async with serving(Platform()) as platform:
        async with wechatpay(platform, platform_keys=CERTS) as wxpay:
            one = wxpay.as_merchant(**merchant(1))
            two = one.as_merchant(**merchant(2))
            await call(two)
        for each in (one, two, wxpay):
            with pytest.raises(ClosedError):
                await call(each)


async def test_a_merchant_made_for_each_request_downloads_its_certificates_once() -> None:
    async with serving(Platform(signing=FIRST)) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        for _ in range(10):
            async with wxpay.as_merchant(**merchant(1, platform_keys=None)) as one:
                await call(one)
    assert platform.downloads == 1


async def test_a_wrong_key_that_was_tried_first_spoils_nothing_for_the_right_one() -> None:
    """The service refuses what is signed with a key that is not the merchant's."""
    platform = Platform(signing=FIRST)
    async with serving(platform), wechatpay(platform, platform_keys=CERTS, retries=0) as wxpay:
        platform.refuse = 401, b'{"code":"SIGN_ERROR"}'
        with pytest.raises(ServiceError, match="SIGN_ERROR"):
            await call(wxpay.as_merchant(**merchant(1, platform_keys=None, private_key=newer_key())))
        platform.refuse = None
        assert (await call(wxpay.as_merchant(**merchant(1, platform_keys=None)))).status == 200
    signed = [headers["Authorization"] for line, headers, _ in platform.requests if line.endswith("/certificates")]
    assert len(signed) == 2


class Session:
    """A signer in a module that is elsewhere, until its session is closed."""

    scheme = "WECHATPAY2-SHA256-RSA2048"

    def __init__(self) -> None:
        self.open = True
        self._signer = LocalSigner(keys()[0])

    async def sign(self, message: bytes) -> str:
        if not self.open:
            raise SignerError("the session is closed")
        return await self._signer.sign(message)


async def test_a_session_that_was_closed_is_not_asked_again_by_who_has_another() -> None:
    platform = Platform(signing=FIRST)
    async with serving(platform), wechatpay(platform, platform_keys=CERTS, certificates_minimum_interval=0.1) as wxpay:
        old, new = Session(), Session()
        one = wxpay.as_merchant(**merchant(1, platform_keys=None, private_key=old))
        await call(one)
        old.open = False
        platform.signing, platform.certs = cert(2), [FIRST, cert(2)]
        other = wxpay.as_merchant(**merchant(1, platform_keys=None, private_key=new))
        assert (await call(other)).status == 200  # signed by a certificate that has to be downloaded
        await other.keyring.refresh()  # type: ignore[attr-defined]
        with pytest.raises(SignerError):
            await one.keyring.refresh()  # type: ignore[attr-defined]


async def test_the_keyrings_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "_KEYRINGS", 3)
    async with serving(Platform(signing=FIRST)) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        kept = [wxpay.as_merchant(**merchant(number, platform_keys=None)) for number in range(1, 9)]
        await asyncio.gather(*map(call, kept))
        again = wxpay.as_merchant(**merchant(8, platform_keys=None))
        assert again.keyring is kept[-1].keyring
        dropped = wxpay.as_merchant(**merchant(1, platform_keys=None))
        assert dropped.keyring is not kept[0].keyring


async def test_each_merchant_has_certificates_of_its_own() -> None:
    async with serving(Platform(signing=FIRST)) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        others = [wxpay.as_merchant(**merchant(number, platform_keys=None)) for number in range(1, 6)]
        await asyncio.gather(*(call(one) for one in others for _ in range(3)))
        assert len({id(one.keyring) for one in others}) == 5
    assert platform.downloads == 5


async def test_the_environment_and_the_profile_are_the_first_merchants(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Platform()) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        monkeypatch.setenv("WXPAY_APIV2_KEY", "0" * 32)
        monkeypatch.setenv("WXPAY_APIV3_KEY", "0" * 32)
        one = wxpay.as_merchant(**merchant(1, apiv3_key=None))
        assert (one.settings.apiv2_key, one.settings.apiv3_key) == (None, None)


async def test_what_cannot_work_is_refused_as_for_any_client() -> None:
    async with serving(Platform()) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        with pytest.raises(ConfigurationError, match="apiv3_key"):
            wxpay.as_merchant(**merchant(1, apiv3_key="short"))
        with pytest.raises(ConfigurationError, match="no key to verify responses with"):
            wxpay.as_merchant(**merchant(1, platform_keys=None, apiv3_key=None))
        with pytest.raises(TypeError, match="unexpected keyword argument 'base_url'"):
            wxpay.as_merchant(**merchant(1), base_url="http://127.0.0.1:1")


async def test_a_signer_and_a_platform_key_of_ones_own() -> None:
    other = {PUB_KEY_ID.replace("1234", "9999"): newer_key().public_key(), **CERTS}
    async with serving(Platform()) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        one = wxpay.as_merchant(**merchant(1, private_key=wxpay.settings.signer, platform_keys=other))
        await call(one)
    assert "PUB_KEY_ID" in platform.requests[0][1]["Wechatpay-Serial"]


async def test_the_sub_merchants_of_a_service_provider_are_fields() -> None:
    platform = Platform()
    async with serving(platform), wechatpay(platform, platform_keys=CERTS, validate=False) as wxpay:
        for sub_mchid in ("1900000201", "1900000202"):
            await wxpay.v3.profitsharing.orders.unfreeze.post(
                sub_mchid=sub_mchid, transaction_id="4", out_order_no="P1", description="x"
            )
    assert [json.loads(body)["sub_mchid"] for _, _, body in platform.requests] == ["1900000201", "1900000202"]


async def test_nothing_secret_is_in_a_repr() -> None:
    async with serving(Platform()) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
        one = wxpay.as_merchant(**merchant(1, apiv2_key="s" * 32))
        shown = f"{one!r} {one.settings!r} {one._assembled!r} {one.keyring!r} {one.client!r}"
    assert APIV3_KEY not in shown
    assert "s" * 32 not in shown
    assert "PRIVATE" not in shown
