"""A service that is killed between a payment and its notification sends it after its restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.faults.killing import control
from tests.faults.processes import Program
from tests.patience import until, wait_until
from wxpay_dsl import Wechatpay
from wxpay_dsl.notify import Notifications
from wxpay_dsl.sandbox.control.remote import step

pytestmark = pytest.mark.timeout(300)


class Merchant:
    """A server that does not respond to the first requests, and acknowledges later ones."""

    def __init__(self) -> None:
        self.calls: list[tuple[Mapping[str, str], bytes]] = []
        self.ready = asyncio.Event()

    async def receive(self, request: web.Request) -> web.Response:
        self.calls.append((request.headers, await request.read()))
        await self.ready.wait()
        return web.Response(status=204)


@asynccontextmanager
async def listening(merchant: Merchant) -> AsyncIterator[str]:
    """Starts the server and returns its address."""
    app = web.Application()
    app.router.add_post("/notify", merchant.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    finally:
        merchant.ready.set()
        await runner.cleanup()


async def ordered(wxpay: Wechatpay, number: str, notify_url: str) -> None:
    await wxpay.v3.pay.transactions.native.post(
        appid="wx8888888888888888",
        mchid=wxpay.settings.mchid,
        description="公仔",
        out_trade_no=number,
        notify_url=notify_url,
        amount={"total": 100},
    )


async def test_a_notification_outlives_the_service(tmp_path: Path) -> None:
    merchant, profile = Merchant(), tmp_path / "home" / "wxpay.toml"
    arguments = ("-m", "wxpay_dsl.cli", "sandbox", "--port", "0", "--home", "home")
    sandbox = Program("sandbox", tmp_path, *arguments, ready=lambda: b"ready http" in sandbox.log.read_bytes())
    async with listening(merchant) as url:
        try:
            await asyncio.to_thread(sandbox.start)
            async with Wechatpay(profile=profile) as wxpay:
                await ordered(wxpay, "T1", url)
                await asyncio.to_thread(step, wxpay.settings.base_url, "pay", {"order": "T1"})
            await until(lambda: merchant.calls, "the first attempt")
            await asyncio.to_thread(sandbox.stop)
            assert sandbox.was_killed
            merchant.ready.set()
            sandbox.log.unlink()
            await asyncio.to_thread(sandbox.start)
            await until(lambda: len(merchant.calls) > 1, "the second attempt")
            async with Wechatpay(profile=profile) as wxpay:
                event = await Notifications(wxpay).parse(*merchant.calls[1])
                port = int(wxpay.settings.base_url.rpartition(":")[2])
            assert event.resource["out_trade_no"] == "T1"
            assert merchant.calls[1][1] == merchant.calls[0][1], "the same notification"

            def accepted() -> bool:
                (told,) = control(port, "notifications")
                return bool(told["state"] == "accepted")

            await asyncio.to_thread(wait_until, accepted, "the note of it")
        finally:
            await asyncio.to_thread(sandbox.stop)
