"""Retries, failover, platform key rotation and connection handling of a long-running client."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from typing import Any

import pytest
from aiohttp import web

from tests.patience import until
from tests.ports import free_port
from tests.wechat.platform_server import PUB_KEY_ID, Platform, cert, keys, newer_key, sealed, serving, wechatpay
from wxpay_dsl import (
    BadSignatureError,
    ClosedError,
    ConfigurationError,
    ConnectionFailedError,
    RequestTimeoutError,
    ResourceNotExistsError,
    ServiceError,
    SignError,
    UnknownSerialError,
    Wechatpay,
)

CERTS = {PUB_KEY_ID: keys()[1].public_key()}
FIRST, SECOND = cert(1), cert(2, key=newer_key())
PAY = {"appid": "wx1", "mchid": "1900000109", "out_trade_no": "T1", "description": "x", "amount": {"total": 1}}


def dead() -> str:
    """An origin where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


async def query(wxpay: Wechatpay, **options: Any) -> Any:
    """A call that is safe to repeat."""
    return await wxpay["v3"]["pay"]["orders"]["1"].get(**options)


async def pay(wxpay: Wechatpay, **options: Any) -> Any:
    """A call that may move money, whose spec says nothing of repeating it."""
    return await wxpay["v3"]["pay"]["something"].post(PAY, **options)


def fails(*answers: Any) -> Any:
    """Answers with these first: a status, or ``None`` for a connection that breaks; then well."""
    rest = list(answers)

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse | None:
        if not rest:
            return None
        status = rest.pop(0)
        if status is None:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        return web.Response(status=status, text="<html>busy</html>")

    return answer


class TestAgain:
    async def test_a_query_is_sent_again_and_signed_afresh_each_time(self) -> None:
        platform = Platform(answer=fails(500, None))
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            response = await query(wxpay)
        assert (response.data, response.exchange.attempts) == ({}, 3)
        signed = [headers["Authorization"] for _, headers, _ in platform.requests]
        assert len({text.split('nonce_str="')[1][:32] for text in signed}) == 3

    @pytest.mark.parametrize("failure", [500, 502, 429])
    async def test_a_payment_is_not(self, failure: int) -> None:
        platform = Platform(answer=fails(failure))
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(ServiceError) as caught:
                await pay(wxpay)
        assert platform.calls == 1
        assert caught.value.outcome_unknown is (failure >= 500)

    async def test_a_lost_answer_to_a_payment_is_the_callers_to_decide_upon(self) -> None:
        platform = Platform(answer=fails(None))
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(ConnectionFailedError, match="with the same numbers") as caught:
                await pay(wxpay)
        assert (platform.calls, caught.value.outcome_unknown) == (1, True)

    async def test_what_a_spec_calls_idempotent_is_sent_again_with_the_same_number(self) -> None:
        platform = Platform(answer=fails(500, None))
        order = {"transaction_id": "4", "out_order_no": "P1", "description": "x"}
        async with serving(platform), wechatpay(platform, platform_keys=CERTS, validate=False) as wxpay:
            await wxpay.v3.profitsharing.orders.unfreeze.post(order)
        assert [json.loads(body)["out_order_no"] for _, _, body in platform.requests] == ["P1"] * 3

    async def test_retries_of_zero_switch_it_off(self) -> None:
        platform = Platform(answer=fails(500))
        async with serving(platform), wechatpay(platform, platform_keys=CERTS, retries=0) as wxpay:
            with pytest.raises(ServiceError):
                await query(wxpay)
        assert platform.calls == 1

    async def test_an_answer_that_cannot_be_believed_is_not_asked_for_again(self) -> None:
        platform = Platform(signing=SECOND, serial=PUB_KEY_ID)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(BadSignatureError):
                await query(wxpay)
        assert platform.calls == 1


class TestHosts:
    async def test_a_payment_goes_to_the_second_host_only_if_nothing_was_sent(self) -> None:
        async with serving(Platform()) as backup:
            settings = {"base_url": dead(), "backup_url": backup.url, "platform_keys": CERTS}
            async with wechatpay(backup, **settings) as wxpay:
                response = await pay(wxpay)
        assert response.exchange.url.startswith(backup.url)
        assert backup.calls == 1

    async def test_after_that_it_is_a_safe_calls_only(self) -> None:
        async with (
            serving(Platform(answer=fails(None, None))) as primary,
            serving(Platform()) as backup,
            wechatpay(primary, backup_url=backup.url, platform_keys=CERTS) as wxpay,
        ):
            with pytest.raises(ConnectionFailedError):
                await pay(wxpay)
            assert (primary.calls, backup.calls) == (1, 0)
            await query(wxpay)
        assert (primary.calls, backup.calls) == (2, 1)

    async def test_certificates_are_downloaded_from_the_second_host_too(self) -> None:
        async with (
            serving(Platform(signing=FIRST)) as backup,
            wechatpay(backup, base_url=dead(), backup_url=backup.url) as wxpay,
        ):
            await query(wxpay)
        assert (backup.downloads, backup.calls) == (1, 1)

    def test_the_real_service_has_one_by_default_and_a_host_of_ones_own_none(self) -> None:
        base = {"mchid": "1900000109", "serial": "0A" * 20, "private_key": keys()[0], "platform_keys": CERTS}
        assert Wechatpay(**base).settings.connections.backup_url == "https://api2.wechatpay.cn"
        assert Wechatpay(**base, backup_url="none").settings.connections.backup_url == ""
        assert Wechatpay(**base, base_url="http://127.0.0.1:1").settings.connections.backup_url == ""

    @pytest.mark.parametrize("url", ["ftp://x", "http://example.com", "https://x/path", "api2.wechatpay.cn"])
    def test_a_second_host_that_cannot_be_one_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="backup_url"):
            Wechatpay(mchid="1900000109", serial="0A" * 20, private_key=keys()[0], platform_keys=CERTS, backup_url=url)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("retries", -1), ("retries", 2.5), ("retries", "many"), ("max_connections", 0), ("public_key_ratio", 1.1)],
    )
    def test_numbers_out_of_range_are_refused(self, name: str, value: Any) -> None:
        settings: dict[str, Any] = {name: value}
        with pytest.raises(ConfigurationError, match=name):
            Wechatpay(mchid="1900000109", serial="0A" * 20, private_key=keys()[0], platform_keys=CERTS, **settings)


class TestPlatformKeys:
    async def test_in_certificate_mode_the_first_download_brings_the_key_that_verifies_it(self) -> None:
        async with serving(Platform(signing=FIRST)) as platform, wechatpay(platform) as wxpay:
            await asyncio.gather(*(query(wxpay) for _ in range(50)))
        assert (platform.downloads, platform.calls) == (1, 50)
        download = next(headers for target, headers, _ in platform.requests if "certificates" in target)
        assert "Wechatpay-Serial" not in download
        assert all(
            headers["Wechatpay-Serial"] == FIRST.id for target, headers, _ in platform.requests if "orders" in target
        )

    async def test_a_first_download_that_another_key_signed_is_not_believed(self) -> None:
        # GCM alone does not do: whoever had the APIv3 key once could go on for ever.
        platform = Platform(certs=[FIRST], signing=SECOND, serial=FIRST.id)
        async with serving(platform), wechatpay(platform) as wxpay:
            with pytest.raises(BadSignatureError):
                await query(wxpay)
        assert platform.calls == 0

    async def test_a_wrong_apiv3_key_says_so(self) -> None:
        platform = Platform(signing=FIRST, apiv3_key="another APIv3 key of 32 bytes!!!")
        async with serving(platform), wechatpay(platform) as wxpay:
            with pytest.raises(Exception, match="APIv3密钥"):
                await query(wxpay)

    async def test_a_rotation_is_followed_in_mid_run_without_one_failed_call(self) -> None:
        async with serving(Platform(signing=FIRST)) as platform, wechatpay(platform) as wxpay:
            await query(wxpay)
            _forget_the_last_download(wxpay)
            platform.certs = [FIRST, SECOND]
            platform.signing = SECOND
            platform.slow = 0.05
            responses = await asyncio.gather(*(query(wxpay) for _ in range(50)))
        assert len(responses) == 50
        assert platform.downloads == 2

    async def test_forged_serials_cause_one_download_at_most(self) -> None:
        async with serving(Platform(signing=FIRST)) as platform, wechatpay(platform) as wxpay:
            await query(wxpay)
            _forget_the_last_download(wxpay)
            for number in range(30):
                platform.serial = f"{number + 1:040X}"
                with pytest.raises(UnknownSerialError):
                    await query(wxpay)
        # The download itself is answered with a forged serial, and changes nothing.
        assert platform.downloads == 2
        assert wxpay.keyring.key_ids() == [FIRST.id]

    @pytest.mark.parametrize("status", [404, 500])
    async def test_a_merchant_in_public_key_mode_is_not_disturbed(self, status: int) -> None:
        platform = Platform(refuse=(status, b'{"code": "RESOURCE_NOT_EXISTS", "message": "x"}'))
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            for _ in range(5):
                await query(wxpay)
            assert platform.downloads == 0
            # A forged certificate serial looks once, in vain, and the next answer is as good as ever.
            platform.serial = "5" * 40
            for _ in range(5):
                with pytest.raises(UnknownSerialError):
                    await query(wxpay)
            platform.serial = ""
            await query(wxpay)
        assert platform.downloads == 1

    async def test_both_modes_at_once_while_a_merchant_migrates(self) -> None:
        async with serving(Platform(signing=FIRST)) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
            await query(wxpay)
            platform.signing = None
            await query(wxpay)
        asked = [headers["Wechatpay-Serial"] for target, headers, _ in platform.requests if "orders" in target]
        assert asked == [PUB_KEY_ID, PUB_KEY_ID]

    async def test_the_way_back(self) -> None:
        platform = Platform(signing=FIRST)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS, public_key_ratio=0) as wxpay:
            await query(wxpay)
            # The first download runs in the background; nobody waits for it but this.
            await until(lambda: wxpay.keyring.key_ids() == [FIRST.id, PUB_KEY_ID])
            await query(wxpay)
        asked = [headers["Wechatpay-Serial"] for target, headers, _ in platform.requests if "orders" in target]
        assert asked == [PUB_KEY_ID, FIRST.id]

    async def test_an_error_of_the_first_download_is_the_calls(self) -> None:
        platform = Platform(refuse=(404, b'{"code": "RESOURCE_NOT_EXISTS", "message": "x"}'))
        async with serving(platform), wechatpay(platform) as wxpay:
            with pytest.raises(ResourceNotExistsError, match="PUB_KEY_ID_"):
                await query(wxpay)
            platform.refuse = (401, b'{"code": "SIGN_ERROR", "message": "x"}')
            await asyncio.sleep(2.1)
            with pytest.raises(SignError):
                await query(wxpay)

    async def test_the_first_download_survives_a_server_that_is_busy_once(self) -> None:
        async with serving(Platform(signing=FIRST, busy=1)) as platform, wechatpay(platform) as wxpay:
            await query(wxpay)
        assert platform.downloads == 2

    async def test_the_next_start_needs_no_download(self, tmp_path: Any) -> None:
        async with serving(Platform(signing=FIRST)) as platform:
            for _ in range(3):
                async with wechatpay(platform, certificate_store=tmp_path) as wxpay:
                    await query(wxpay)
        assert (platform.downloads, platform.calls) == (1, 3)

    async def test_the_store_gives_nobody_who_writes_to_it_a_key_of_his_own(self, tmp_path: Any) -> None:
        async with serving(Platform(signing=FIRST)) as platform:
            async with wechatpay(platform, certificate_store=tmp_path) as wxpay:
                await query(wxpay)
            (stored,) = list(tmp_path.iterdir())
            document = json.loads(stored.read_bytes())
            document["response"] = sealed([SECOND], "the attacker has another APIv3!!").decode()
            stored.write_text(json.dumps(document))
            platform.signing, platform.certs = SECOND, [FIRST]
            async with wechatpay(platform, certificate_store=tmp_path) as wxpay:
                with pytest.raises(UnknownSerialError):
                    await query(wxpay)


def _forget_the_last_download(wxpay: Wechatpay) -> None:
    """As if the minimum interval had passed."""
    keyring: Any = wxpay.keyring
    keyring._monotonic = lambda: time.monotonic() + 1000


class TestEnd:
    async def test_a_closed_client_says_so(self) -> None:
        async with serving(Platform()) as platform:
            async with wechatpay(platform, platform_keys=CERTS) as wxpay:
                await query(wxpay)
            with pytest.raises(ClosedError):
                await query(wxpay)
            await wxpay.close()

    async def test_calls_under_way_end_when_the_client_is_closed(self) -> None:
        async def hang(request: web.Request, body: bytes) -> web.StreamResponse | None:
            await asyncio.sleep(30)
            return None

        async with serving(Platform(answer=hang)) as platform:
            wxpay = wechatpay(platform, platform_keys=CERTS)
            calls = [asyncio.ensure_future(call(wxpay)) for call in (query, pay)]
            await until(lambda: platform.calls >= 2)
            await wxpay.close()
            results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 60)
        assert [type(result) for result in results] in (
            [ClosedError, ConnectionFailedError],
            [ConnectionFailedError, ConnectionFailedError],
        )
        # Whether it was paid nobody knows, and closing does not hide that.
        assert isinstance(results[1], ConnectionFailedError)
        assert results[1].outcome_unknown

    async def test_a_cancelled_call_leaves_no_task_and_no_connection(self) -> None:
        async def hang(request: web.Request, body: bytes) -> web.StreamResponse | None:
            if platform.calls == 1:
                await asyncio.sleep(30)
            return None

        platform = Platform(answer=hang)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS, max_connections=1) as wxpay:
            call = asyncio.ensure_future(query(wxpay))
            await until(lambda: platform.calls)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            # With one connection in all, the next call proves that the first was given up.
            await asyncio.wait_for(query(wxpay), 60)

    async def test_more_calls_than_connections_wait_their_turn(self) -> None:
        now = most = 0
        full = asyncio.Event()

        async def count(request: web.Request, body: bytes) -> web.StreamResponse | None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            if now == 4:
                full.set()
            # Nobody is answered before all connections are busy; and then some time is left for one too many.
            await full.wait()
            await asyncio.sleep(0.005)
            now -= 1
            return None

        platform = Platform(answer=count)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS, max_connections=4) as wxpay:
            await asyncio.gather(*(query(wxpay) for _ in range(60)))
        assert (platform.calls, most) == (60, 4)

    async def test_an_idle_connection_is_given_up_before_the_service_closes_it(self) -> None:
        async with serving(Platform()) as platform, wechatpay(platform, platform_keys=CERTS) as wxpay:
            connector: Any = wxpay.transport.session().connector
            assert connector._keepalive_timeout == 7.0

    async def test_a_call_ends_in_its_own_time(self) -> None:
        async def hang(request: web.Request, body: bytes) -> web.StreamResponse | None:
            await asyncio.sleep(600)
            return None

        async with (
            serving(Platform(answer=hang)) as platform,
            wechatpay(platform, platform_keys=CERTS, timeout=600) as wxpay,
            asyncio.timeout(120),
        ):
            for seconds in (0.2, 2, 20):
                with pytest.raises(RequestTimeoutError) as caught:
                    await pay(wxpay, timeout=seconds)
                if platform.calls:  # else the time was over before anything was sent, as on a machine that is busy
                    break
        assert caught.value.outcome_unknown

    def test_one_event_loop_after_the_other_leaves_nothing_open(self) -> None:
        served = _in_a_thread()
        try:
            wxpay = Wechatpay(
                mchid="1900000109",
                serial="0A" * 20,
                private_key=keys()[0],
                platform_keys=CERTS,
                base_url=served.platform.url,
            )
            for _ in range(3):
                assert asyncio.run(query(wxpay)).data == {}
            gc.collect()  # warns, as an error here, of any session or socket that was left open
            asyncio.run(wxpay.close())
        finally:
            served.stop()

    def test_two_event_loops_at_once(self) -> None:
        served = _in_a_thread()
        wxpay = Wechatpay(
            mchid="1900000109",
            serial="0A" * 20,
            private_key=keys()[0],
            platform_keys=CERTS,
            base_url=served.platform.url,
        )
        results: list[int] = []

        async def many() -> None:
            results.append(len(await asyncio.gather(*(query(wxpay) for _ in range(20)))))

        try:
            threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(100)
            asyncio.run(wxpay.close())
        finally:
            served.stop()
        assert results == [20, 20]


class _in_a_thread:  # noqa: N801 (reads as what it does)
    """A platform that serves from an event loop of its own."""

    def __init__(self) -> None:
        self.platform = Platform()
        self._ready, self._loop, self._end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        assert self._ready.wait(100)

    async def _serve(self) -> None:
        async with serving(self.platform):
            self._ready.set()
            await self._end.wait()

    def stop(self) -> None:
        """Ends it."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(100)
        self._loop.close()
