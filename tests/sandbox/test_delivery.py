"""Notifications of the sandbox: what happens in it reaches the merchant's server, again and again until it says yes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from wxpay_dsl import Notification, Notifications
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.delivery import SCHEDULE, Manner, is_loopback
from wxpay_dsl.sandbox.state import Event

MCHID = "1900000109"


class Shop:
    """A merchant's server, on a real socket: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.events: list[Notification[Any]] = []
        self.bodies: list[bytes] = []
        #: Status by status, what it answers instead of what its handlers say.
        self.refusals: list[int] = []
        self.url = ""
        self.notifications: Notifications | None = None

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        if self.refusals:
            return web.Response(status=self.refusals.pop(0), text="not now")
        assert self.notifications is not None
        answer = await self.notifications.handle(request.headers, self.bodies[-1])
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def listen_to(self, sandbox: Sandbox) -> None:
        self.notifications = Notifications(sandbox.client, store="memory")
        self.notifications.default(self.events.append)

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
    await runner.cleanup()


async def order(sandbox: Sandbox, number: str, url: str) -> str:
    reply = await sandbox.client.v3.pay.transactions.native.post(
        appid="wx8888888888888888",
        mchid=MCHID,
        description="一件商品",
        out_trade_no=number,
        notify_url=url,
        amount={"total": 100},
    )
    return str(reply.data["code_url"])


def event(number: str, url: str) -> Event:
    return Event(MCHID, "TRANSACTION.SUCCESS", "transaction", {"out_trade_no": number}, url, "支付成功")


@pytest.mark.parametrize("mode", ["public-key", "certificate", "both"])
async def test_a_payment_reaches_the_merchant_verified(mode: Any, server: Shop) -> None:
    """In certificate mode the key is downloaded when the first notification names it."""
    async with Sandbox(mode=mode) as sandbox:
        server.listen_to(sandbox)
        code_url = await order(sandbox, "T1", server.url)
        sandbox.control.pay(code_url, "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
        await sandbox.courier.settle()
    (told,) = server.events
    assert told.type == "TRANSACTION.SUCCESS"
    assert told.resource["out_trade_no"] == "T1"
    assert told.resource["amount"]["total"] == 100
    assert told.resource["payer"]["openid"] == "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


async def test_after_a_rotation_the_unknown_serial_is_downloaded(server: Shop) -> None:
    async with Sandbox(mode="certificate") as sandbox:
        server.listen_to(sandbox)
        for number in ("T1", "T2"):
            sandbox.control.pay(await order(sandbox, number, server.url))
            await sandbox.courier.settle()
            sandbox.control.rotate()
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
        await sandbox.courier.settle()
    (told,) = server.events
    assert told.type == "REFUND.SUCCESS"
    assert told.resource["amount"]["refund"] == 40


async def test_apiv2_reaches_the_merchant(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        reply = await sandbox.client.v2.pay.unifiedorder.post(
            appid="wx8888888888888888",
            body="一件商品",
            out_trade_no="T1",
            total_fee=100,
            spbill_create_ip="127.0.0.1",
            notify_url=server.url,
            trade_type="NATIVE",
        )
        sandbox.control.pay(reply.data["code_url"])
        await sandbox.courier.settle()
        (told,) = server.events
        assert told.type == "v2/transaction-success"
        assert told.resource["out_trade_no"] == "T1"
        assert sandbox.courier.deliveries[-1].state == "accepted"


async def test_what_is_refused_comes_again_by_the_schedule(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        server.refusals = [500, 404, 302]
        delivery = sandbox.courier.send(event("T1", server.url))
        assert delivery is not None
        for count, pause in enumerate((*SCHEDULE[:3], 0), 1):
            await sandbox.courier.settle()
            assert len(server.bodies) == count
            if pause:
                sandbox.control.advance(pause - 2)
                await asyncio.sleep(0.05)
                assert len(server.bodies) == count
                sandbox.control.advance(2)
                await asyncio.sleep(0.05)
        assert delivery.state == "accepted"
        assert [attempt.status for attempt in delivery.attempts] == [500, 404, 302, 204]
        assert len(set(server.bodies)) == 1
        assert server.numbers == ["T1"]


async def test_the_clock_can_be_sped_up(server: Shop) -> None:
    async with Sandbox(notifications=Manner(speed=1000)) as sandbox:
        server.listen_to(sandbox)
        server.refusals = [500] * 3
        delivery = sandbox.courier.send(event("T1", server.url))
        assert delivery is not None
        for _ in range(500):
            if delivery.state != "pending":
                break
            await asyncio.sleep(0.01)
        assert delivery.state == "accepted"
        moments = [attempt.at for attempt in delivery.attempts]
        pauses = [after - before for before, after in pairwise(moments)]
        assert all(pause >= planned / 1000 for pause, planned in zip(pauses, SCHEDULE, strict=False))
        assert len(pauses) == 3


async def test_after_a_day_it_is_given_up(server: Shop) -> None:
    async with Sandbox() as sandbox:
        server.listen_to(sandbox)
        server.refusals = [500] * 99
        delivery = sandbox.courier.send(event("T1", server.url))
        assert delivery is not None
        await sandbox.courier.settle()
        for pause in SCHEDULE:
            assert delivery.state == "pending"
            sandbox.control.advance(pause)
            await asyncio.sleep(0.03)
            await sandbox.courier.settle()
        assert delivery.state == "given up"
        assert len(delivery.attempts) == 1 + len(SCHEDULE) == 16
        assert sum(SCHEDULE) == 24 * 3600 + 4 * 60


async def test_duplicates_come_at_once_and_have_one_effect(server: Shop) -> None:
    async with Sandbox(notifications=Manner(copies=10, again=True)) as sandbox:
        server.listen_to(sandbox)
        delivery = sandbox.courier.send(event("T1", server.url))
        assert delivery is not None
        await sandbox.courier.settle()
        assert len(server.bodies) >= 11
        assert server.numbers == ["T1"]
        sandbox.courier.resend(delivery)
        await sandbox.courier.settle()
        assert len(server.bodies) >= 12
        assert server.numbers == ["T1"]


async def test_they_come_out_of_order_on_request(server: Shop) -> None:
    numbers = [f"T{number}" for number in range(12)]
    async with Sandbox(notifications=Manner(shuffled=True, hold=0.2), seed=1) as sandbox:
        server.listen_to(sandbox)
        for number in numbers:
            sandbox.courier.send(event(number, server.url))
        await sandbox.courier.settle()
    assert sorted(server.numbers) == sorted(numbers)
    assert server.numbers != numbers


async def test_a_server_that_is_gone_gets_it_later(server: Shop) -> None:
    async with Sandbox() as sandbox:
        delivery = sandbox.courier.send(event("T1", "http://127.0.0.1:1/notify"))
        assert delivery is not None
        await sandbox.courier.settle()
        assert delivery.state == "pending"
        assert delivery.attempts[0].status == 0
        assert "127.0.0.1" in delivery.attempts[0].fault


async def test_it_ends_at_once_though_something_has_just_come_due() -> None:
    async with Sandbox() as sandbox:
        sandbox.courier.send(event("T1", "http://127.0.0.1:1/notify"))
        await sandbox.courier.settle()
        async with asyncio.timeout(60):
            sandbox.courier.wake()
            await sandbox.courier.close()


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
            assert sandbox.courier.send(event("T1", url)) is None


class TestControl:
    """The same from another process."""

    async def test_deliveries_are_listed_and_sent_again(self, server: Shop, sandbox: Sandbox, shop: Any) -> None:
        server.listen_to(sandbox)
        sandbox.courier.send(event("T1", server.url))
        await sandbox.courier.settle()
        async with shop.session.get(f"{sandbox.url}/sandbox/notifications") as response:
            (told,) = await response.json()
        assert told["state"] == "accepted"
        assert told["event_type"] == "TRANSACTION.SUCCESS"
        assert [attempt["status"] for attempt in told["attempts"]] == [204]
        async with shop.session.post(f"{sandbox.url}/sandbox/resend", json={"id": told["id"]}) as response:
            assert response.status == 200
        await sandbox.courier.settle()
        assert len(server.bodies) == 2
        async with shop.session.post(f"{sandbox.url}/sandbox/resend", json={"id": "x"}) as response:
            assert response.status == 404

    @pytest.mark.parametrize(
        "manner", [{"speed": 0}, {"speed": "fast"}, {"copies": 0}, {"copies": 1.5}, {"hold": -1}, {"nonsense": 1}]
    )
    async def test_how_they_come_is_checked(self, manner: Any, sandbox: Sandbox, shop: Any) -> None:
        async with shop.session.post(f"{sandbox.url}/sandbox/notifications", json=manner) as response:
            assert response.status == 400
        assert sandbox.courier.manner == Manner()

    async def test_how_they_come_can_be_set(self, server: Shop, sandbox: Sandbox, shop: Any) -> None:
        server.listen_to(sandbox)
        async with shop.session.post(f"{sandbox.url}/sandbox/notifications", json={"copies": 3}) as response:
            assert (await response.json())["copies"] == 3
        sandbox.courier.send(event("T1", server.url))
        await sandbox.courier.settle()
        assert len(server.bodies) >= 3
        assert server.numbers == ["T1"]
