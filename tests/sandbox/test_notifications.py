"""Notifications of the sandbox: signed, encrypted, and retried until the merchant's server accepts them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web

from tests.patience import until
from wxpay_dsl import Notification, Notifications
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.domain.deliveries import SCHEDULE, Delivery
from wxpay_dsl.sandbox.notifications.sender import DeliveryOptions, is_loopback
from wxpay_dsl.sandbox.state.state import Event, Setting

MCHID = "1900000109"


#: The fields of an APIv2 notification of a payment.
V2 = {"appid": "wx8888888888888888", "mch_id": MCHID, "result_code": "SUCCESS", "out_trade_no": "T1", "total_fee": 100}


class Shop:
    """A merchant's server on a real socket: it records notifications and responds to them."""

    def __init__(self) -> None:
        self.events: list[Notification[Any]] = []
        self.bodies: list[bytes] = []
        #: The statuses of its next responses, before its handlers are called.
        self.refusals: list[int] = []
        #: While it is cleared, no response is sent.
        self.free = asyncio.Event()
        self.free.set()
        self.serials: list[str] = []
        self.url = ""
        self.notifications: Notifications | None = None

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.serials.append(request.headers.get("Wechatpay-Serial", ""))
        await self.free.wait()
        if self.refusals:
            return web.Response(status=self.refusals.pop(0), text="not now")
        assert self.notifications is not None
        answer = await self.notifications.handle(request.headers, self.bodies[-1])
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def listen_to(self, sandbox: Sandbox) -> None:
        self.notifications = Notifications(sandbox.client, store="memory")
        self.notifications.fallback(self.events.append)

    @property
    def numbers(self) -> list[str]:
        return [event.resource["out_trade_no"] for event in self.events]


@pytest.fixture
async def server() -> AsyncIterator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_post("/notify", shop.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    yield shop
    shop.free.set()
    await runner.cleanup()


async def order(sandbox: Sandbox, number: str, url: str) -> str:
    response = await sandbox.client.v3.pay.transactions.native.post(
        appid="wx8888888888888888",
        mchid=MCHID,
        description="一件商品",
        out_trade_no=number,
        notify_url=url,
        amount={"total": 100},
    )
    return str(response.data["code_url"])


def event(number: str, url: str) -> Event:
    return Event(MCHID, "TRANSACTION.SUCCESS", "transaction", {"out_trade_no": number}, url, "支付成功")


@pytest.mark.parametrize("mode", ["public-key", "certificate", "both"])
async def test_a_payment_reaches_the_merchant_verified(mode: Any, server: Shop) -> None:
    """In certificate mode the certificate is downloaded when the first notification names its serial."""
    async with Sandbox(mode=mode) as sandbox:
        server.listen_to(sandbox)
        code_url = await order(sandbox, "T1", server.url)
        sandbox.control.pay(code_url, "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
        await sandbox.sender.wait_until_idle()
    (told,) = server.events
    assert told.type == "TRANSACTION.SUCCESS"
    assert told.resource["out_trade_no"] == "T1"
    assert told.resource["amount"]["total"] == 100
    assert told.resource["payer"]["openid"] == "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


async def test_after_a_rotation_the_unknown_serial_is_downloaded(server: Shop) -> None:
    async with Sandbox(mode="certificate") as sandbox:
        server.listen_to(sandbox)
        # So that no other download is under way: the first call would start one in the background.
        await sandbox.client.keyring.refresh()  # type: ignore[attr-defined]
        for number in ("T1", "T2"):
            sandbox.control.pay(await order(sandbox, number, server.url))
            await sandbox.sender.wait_until_idle()
            sandbox.control.rotate_certificate()
            sandbox.client.keyring._policy = sandbox.client.keyring._policy.__class__()  # type: ignore[attr-defined]  # the minute between downloads is over
        assert server.numbers == ["T1", "T2"]


async def test_a_refund_reaches_the_merchant(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        sandbox.control.pay(await order(sandbox, "T1", ""))
        await sandbox.client.v3.refund.domestic.refunds.post(
            out_trade_no="T1",
            out_refund_no="R1",
            notify_url=server.url,
            amount={"refund": 40, "total": 100, "currency": "CNY"},
        )
        await sandbox.sender.wait_until_idle()
    (told,) = server.events
    assert told.type == "REFUND.SUCCESS"
    assert told.resource["amount"]["refund"] == 40


async def test_apiv2_reaches_the_merchant(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        response = await sandbox.client.v2.pay.unifiedorder.post(
            appid="wx8888888888888888",
            body="一件商品",
            out_trade_no="T1",
            total_fee=100,
            spbill_create_ip="127.0.0.1",
            notify_url=server.url,
            trade_type="NATIVE",
        )
        sandbox.control.pay(response.data["code_url"])
        await sandbox.sender.wait_until_idle()
        (told,) = server.events
        assert told.type == "v2/transaction-success"
        assert told.resource["out_trade_no"] == "T1"
        assert sandbox.sender.deliveries[-1].state == "accepted"


def only(sandbox: Sandbox) -> Delivery:
    """The only delivery, in its current state."""
    (found,) = sandbox.sender.deliveries
    return found


async def test_what_is_refused_comes_again_by_the_schedule(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        server.refusals = [500, 404, 302]
        sandbox.sender.send(event("T1", server.url))
        await sandbox.sender.wait_until_idle()
        for pause in SCHEDULE[:3]:
            refused = only(sandbox)
            assert refused.state == "pending"
            assert refused.attempts[-1].at + pause <= refused.due <= sandbox.state.now + pause
            sandbox.control.advance_clock(pause)
            await sandbox.sender.wait_until_idle()
            assert only(sandbox).attempts[-1].at >= refused.due
        assert only(sandbox).state == "accepted"
        assert [attempt.status for attempt in only(sandbox).attempts] == [500, 404, 302, 204]
        assert len(server.bodies) == 4
        assert len(set(server.bodies)) == 1
        assert server.numbers == ["T1"]


async def test_the_clock_can_be_sped_up(server: Shop) -> None:
    async with Sandbox(notifications=DeliveryOptions(speed=1000)) as sandbox:
        server.listen_to(sandbox)
        server.refusals = [500] * 3
        sandbox.sender.send(event("T1", server.url))
        await until(lambda: only(sandbox).state != "pending")
        assert only(sandbox).state == "accepted"
        moments = [attempt.at for attempt in only(sandbox).attempts]
        pauses = [after - before for before, after in pairwise(moments)]
        assert all(pause >= planned / 1000 for pause, planned in zip(pauses, SCHEDULE, strict=False))
        assert len(pauses) == 3


async def test_after_a_day_it_is_given_up(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        server.refusals = [500] * 99
        sandbox.sender.send(event("T1", server.url))
        await sandbox.sender.wait_until_idle()
        for pause in SCHEDULE:
            assert only(sandbox).state == "pending"
            sandbox.control.advance_clock(pause)
            await sandbox.sender.wait_until_idle()
        assert only(sandbox).state == "given up"
        assert len(only(sandbox).attempts) == 1 + len(SCHEDULE) == 16
        assert sum(SCHEDULE) == 24 * 3600 + 4 * 60


async def test_duplicates_come_at_once_and_have_one_effect(server: Shop) -> None:
    async with Sandbox(notifications=DeliveryOptions(copies=10, redeliver=True)) as sandbox:
        server.listen_to(sandbox)
        delivery = sandbox.sender.send(event("T1", server.url))
        assert delivery is not None
        await sandbox.sender.wait_until_idle()
        assert len(server.bodies) >= 11
        assert server.numbers == ["T1"]
        sandbox.sender.resend(delivery)
        await sandbox.sender.wait_until_idle()
        assert len(server.bodies) >= 12
        assert server.numbers == ["T1"]


async def test_they_come_out_of_order_on_request(server: Shop) -> None:
    numbers = [f"T{number}" for number in range(12)]
    async with Sandbox(notifications=DeliveryOptions(out_of_order=True, max_delay=0.2), seed=1) as sandbox:
        server.listen_to(sandbox)
        for number in numbers:
            sandbox.sender.send(event(number, server.url))
        await sandbox.sender.wait_until_idle()
    assert sorted(server.numbers) == sorted(numbers)
    assert server.numbers != numbers


async def test_a_server_that_is_gone_gets_it_later(server: Shop) -> None:
    async with Sandbox() as sandbox:
        sandbox.sender.send(event("T1", "http://127.0.0.1:1/notify"))
        await sandbox.sender.wait_until_idle()
        assert only(sandbox).state == "pending"
        (attempt,) = only(sandbox).attempts
        assert attempt.status == 0
        assert "127.0.0.1" in attempt.fault


async def test_it_ends_at_once_though_something_has_just_come_due() -> None:
    async with Sandbox() as sandbox:
        sandbox.sender.send(event("T1", "http://127.0.0.1:1/notify"))
        await sandbox.sender.wait_until_idle()
        async with asyncio.timeout(60):
            sandbox.sender.wake()
            await sandbox.sender.close()


class TestRestarts:
    """Pending deliveries are resumed after a restart; rolled back ones are not sent."""

    @pytest.mark.parametrize("dialect", ["v3", "v2"])
    async def test_its_schedule_goes_on_where_it_was(self, dialect: str, server: Shop, tmp_path: Path) -> None:
        server.refusals = [500, 500]
        told = event("T1", server.url)
        if dialect == "v2":
            told = attrs.evolve(told, event_type="v2/transaction-success", dialect="v2", resource=V2)
        async with Sandbox(home=tmp_path) as sandbox:
            sandbox.sender.send(told)
            await sandbox.sender.wait_until_idle()
            sandbox.control.advance_clock(SCHEDULE[0])
            await sandbox.sender.wait_until_idle()
            before = sandbox.control.list("notifications")
            assert [(each["state"], each["failures"], len(each["attempts"])) for each in before] == [("pending", 2, 2)]
        async with Sandbox(home=tmp_path) as sandbox:
            server.listen_to(sandbox)
            assert sandbox.control.list("notifications") == before
            sandbox.control.advance_clock(SCHEDULE[1])
            await sandbox.sender.wait_until_idle()
            assert server.numbers == ["T1"]
            (after,) = sandbox.control.list("notifications")
            assert [attempt["status"] for attempt in after["attempts"]] == [500, 500, {"v3": 204, "v2": 200}[dialect]]
            assert after["attempts"][2]["at"] >= before[0]["due"]
        if dialect == "v3":
            assert len(set(server.bodies)) == 1, "the same notification"
        async with Sandbox(home=tmp_path) as sandbox:
            await sandbox.sender.wait_until_idle()
            assert sandbox.control.list("notifications") == [after]
        assert len(server.bodies) == 3, "what was accepted is not sent again"

    async def test_what_was_under_way_is_sent_again(self, server: Shop, tmp_path: Path) -> None:
        """An attempt without a recorded result is repeated, and a delayed delivery still waits for its time."""
        async with Sandbox(
            home=tmp_path, notifications=DeliveryOptions(out_of_order=True, max_delay=3600), seed=1
        ) as sandbox:
            held = sandbox.sender.send(event("T2", server.url))
        async with Sandbox(home=tmp_path) as sandbox:
            server.free.clear()
            sandbox.sender.send(event("T1", server.url))
            await until(lambda: server.bodies)
        server.free.set()
        async with Sandbox(home=tmp_path) as sandbox:
            server.listen_to(sandbox)
            await until(lambda: server.numbers)
            assert held is not None
            assert sandbox.sender.deliveries[0] == held
            sandbox.control.advance_clock(3600)
            await sandbox.sender.wait_until_idle()
        assert server.numbers == ["T1", "T2"]
        assert server.bodies[0] == server.bodies[1]

    async def test_a_crash_after_the_payment_loses_no_notification(self, server: Shop, tmp_path: Path) -> None:
        """The state on disk right after the payment, before anything was sent, is sufficient."""
        async with Sandbox(home=tmp_path / "home") as sandbox:
            code_url = await order(sandbox, "T1", server.url)
            sandbox.control.pay(code_url)
            shutil.copytree(tmp_path / "home", tmp_path / "crashed")
            await sandbox.sender.close()
        assert server.bodies == []
        async with Sandbox(home=tmp_path / "crashed") as sandbox:
            server.listen_to(sandbox)
            await sandbox.sender.wait_until_idle()
            assert sandbox.state.transactions.all()[0].state == "SUCCESS"
        assert server.numbers == ["T1"]

    @pytest.mark.parametrize("fault", ["raised", "what JSON cannot say"])
    async def test_what_did_not_happen_is_not_told_of(self, fault: str, server: Shop, tmp_path: Path) -> None:
        async with Sandbox(home=tmp_path) as sandbox:

            def fail() -> None:
                with sandbox.state.unit():
                    sandbox.state.emit(event("T1", server.url))
                    sandbox.state.settings.put(Setting("x", object()))
                    if fault == "raised":
                        raise KeyError

            with pytest.raises((KeyError, TypeError)):
                fail()
            await sandbox.sender.wait_until_idle()
            assert sandbox.sender.deliveries == []
        async with Sandbox(home=tmp_path) as sandbox:
            assert sandbox.sender.deliveries == []
        assert server.bodies == []

    async def test_a_reset_forgets_what_is_pending_and_what_is_under_way(self, server: Shop, tmp_path: Path) -> None:
        async with Sandbox(home=tmp_path) as sandbox:
            server.refusals = [500]
            sandbox.sender.send(event("T1", server.url))
            await sandbox.sender.wait_until_idle()
            server.free.clear()
            server.refusals = [500]
            sandbox.sender.send(event("T2", server.url))
            await until(lambda: len(server.bodies) == 2)
            sandbox.control.reset()
            server.free.set()
            await sandbox.sender.wait_until_idle()
            sandbox.control.advance_clock(SCHEDULE[0])
            await sandbox.sender.wait_until_idle()
            assert sandbox.sender.deliveries == []
        async with Sandbox(home=tmp_path) as sandbox:
            assert sandbox.control.list("notifications") == []
        assert len(server.bodies) == 2

    async def test_how_they_come_is_kept_until_a_reset(self, tmp_path: Path) -> None:
        async with Sandbox(home=tmp_path) as sandbox:
            sandbox.sender.delivery_options = DeliveryOptions(speed=300, copies=2)
        async with Sandbox(home=tmp_path, notifications=DeliveryOptions(redeliver=True)) as sandbox:
            assert sandbox.sender.delivery_options == DeliveryOptions(redeliver=True), "as told"
        async with Sandbox(home=tmp_path) as sandbox:
            assert sandbox.sender.delivery_options == DeliveryOptions(speed=300, copies=2)
            sandbox.control.reset()
            assert sandbox.sender.delivery_options == DeliveryOptions()
        async with Sandbox(home=tmp_path) as sandbox:
            assert sandbox.sender.delivery_options == DeliveryOptions()


async def test_each_attempt_is_signed_by_the_key_of_its_day(server: Shop) -> None:
    async with Sandbox(mode="certificate") as sandbox:
        server.refusals = [500, 500]
        sandbox.sender.send(event("T1", server.url))
        await sandbox.sender.wait_until_idle()
        first, second = sandbox.platform.certificates[-1].id, sandbox.control.rotate_certificate()
        sandbox.control.advance_clock(SCHEDULE[0])
        await sandbox.sender.wait_until_idle()
    assert server.serials == [first, second]
    assert len(set(server.bodies)) == 1


async def test_an_accepted_duplicate_ends_the_schedule(server: Shop) -> None:
    async with Sandbox(notifications=DeliveryOptions(copies=2)) as sandbox:
        server.listen_to(sandbox)
        server.refusals = [500]
        sandbox.sender.send(event("T1", server.url))
        await sandbox.sender.wait_until_idle()
        assert only(sandbox).state == "accepted"
        sandbox.control.advance_clock(SCHEDULE[0])
        await sandbox.sender.wait_until_idle()
    assert len(server.bodies) == 2


async def test_the_oldest_that_came_to_an_end_are_forgotten(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        with sandbox.state.unit():
            for number in range(10_000):
                sandbox.state.deliveries.put(
                    Delivery(MCHID, server.url, "", f"{number}", "v3", {}, 0.0, state="given up")
                )
        sandbox.sender.resume()
        sandbox.sender.send(event("T1", server.url))
        await sandbox.sender.wait_until_idle()
        kept = sandbox.sender.deliveries
    assert len(kept) == 10_000
    assert kept[0].id == "1"
    assert kept[-1].state == "accepted"


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://127.0.0.1:8000/x", True),
        ("https://localhost/x", True),
        ("http://[::1]:80/", True),
        ("http://127.3.2.1/", True),
        ("http://example.com/", False),
        ("http://127.0.0.1@example.com/", False),
        ("http://localhost.example.com/", False),
        ("http://10.0.0.1/", False),
        ("http://0.0.0.0/", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/", False),
        ("", False),
        ("http://", False),
        ("http://[", False),
        ("//127.0.0.1/x", False),
    ],
)
async def test_it_never_leaves_loopback(url: str, good: bool) -> None:
    assert is_loopback(url) is good
    if not good:
        async with Sandbox() as sandbox:
            assert sandbox.sender.send(event("T1", url)) is None


class TestControl:
    """Notifications over the HTTP control API."""

    async def test_deliveries_are_listed_and_sent_again(self, server: Shop, sandbox: Sandbox, shop: Any) -> None:
        server.listen_to(sandbox)
        sandbox.sender.send(event("T1", server.url))
        await sandbox.sender.wait_until_idle()
        async with shop.session.get(f"{sandbox.url}/sandbox/notifications") as response:
            (told,) = await response.json()
        assert told["state"] == "accepted"
        assert told["event_type"] == "TRANSACTION.SUCCESS"
        assert [attempt["status"] for attempt in told["attempts"]] == [204]
        async with shop.session.post(f"{sandbox.url}/sandbox/resend", json={"id": told["id"]}) as response:
            assert response.status == 200
        await sandbox.sender.wait_until_idle()
        assert len(server.bodies) == 2
        async with shop.session.post(f"{sandbox.url}/sandbox/resend", json={"id": "x"}) as response:
            assert response.status == 404

    @pytest.mark.parametrize(
        "delivery_options",
        [{"speed": 0}, {"speed": "fast"}, {"copies": 0}, {"copies": 1.5}, {"max_delay": -1}, {"nonsense": 1}],
    )
    async def test_how_they_come_is_checked(self, delivery_options: Any, sandbox: Sandbox, shop: Any) -> None:
        async with shop.session.post(f"{sandbox.url}/sandbox/notifications", json=delivery_options) as response:
            assert response.status == 400
        assert sandbox.sender.delivery_options == DeliveryOptions()

    async def test_how_they_come_can_be_set(self, server: Shop, sandbox: Sandbox, shop: Any) -> None:
        server.listen_to(sandbox)
        async with shop.session.post(f"{sandbox.url}/sandbox/notifications", json={"copies": 3}) as response:
            assert (await response.json())["copies"] == 3
        sandbox.sender.send(event("T1", server.url))
        await sandbox.sender.wait_until_idle()
        assert len(server.bodies) >= 3
        assert server.numbers == ["T1"]
