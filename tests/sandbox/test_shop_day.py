"""A whole day of a shop: orders are created, paid, closed, refunded and shared, each notified once; at the end the
bills agree with the shop's own books.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from attrs import define, field

from tests.noon import to_noon
from wxpay_dsl import Notification, Notifications, Wechatpay, bills
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.domain.accounts import OPENING_BALANCE, fee
from wxpay_dsl.sandbox.notifications.sender import DeliveryOptions

ORDERS = 500
AT_ONCE = 20
APPID = "wx8888888888888888"
STORE = "1900000110"


@define
class Books:
    """The shop's own records: amounts in fen by order number."""

    paid: dict[str, int] = field(factory=dict)
    closed: set[str] = field(factory=set)
    refunded: dict[str, int] = field(factory=dict)
    shared: dict[str, int] = field(factory=dict)


@define
class Shop:
    """A merchant's program: it calls the API and receives notifications."""

    wxpay: Wechatpay
    sandbox: Sandbox
    handled: list[Notification[Any]] = field(factory=list)
    deliveries: int = 0
    url: str = ""
    books: Books = field(factory=Books)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.deliveries += 1
        answer = await self.notifications.handle(request.headers, await request.read())
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    @property
    def notifications(self) -> Notifications:
        return self._notifications

    _notifications: Notifications = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._notifications = Notifications(self.wxpay, store="memory")
        self._notifications.fallback(self.handled.append)

    async def serve_customer(self, number: int, rng: random.Random) -> None:
        """Creates an order for one customer; most are paid, then some refunded or shared."""
        order, total = f"Day-{number:03d}", rng.randint(1, 50_000)
        shares = number % 6 == 0
        await self.wxpay.v3.pay.transactions.native.post(
            appid=APPID,
            mchid=self.sandbox.merchant.mchid,
            description=f"第{number}单, 茶",
            out_trade_no=order,
            notify_url=self.url,
            amount={"total": total},
            settle_info={"profit_sharing": shares},
        )
        if number % 10 == 7:
            await self.wxpay.v3.pay.transactions.outTradeNo[order].close.post(mchid=self.sandbox.merchant.mchid)
            self.books.closed.add(order)
        elif number % 10 == 8:
            self.sandbox.control.decline(order)
        elif number % 10 != 9:
            transaction_id = self.sandbox.control.pay(order)["transaction_id"]
            self.books.paid[order] = total
            if shares and total >= 100:
                await self.share(transaction_id, order, total // 4)
            elif number % 5 == 0:
                await self.refund(order, total, part=number % 2 == 0)

    async def share(self, transaction_id: str, order: str, amount: int) -> None:
        receiver = {"type": "MERCHANT_ID", "account": STORE, "amount": amount, "description": "门店分成"}
        await self.wxpay.v3.profitsharing.orders.post(
            {
                "transaction_id": transaction_id,
                "out_order_no": f"S-{order}",
                "receivers": [receiver],
                "unfreeze_unsplit": True,
            },
            headers={"Wechatpay-Serial": self.sandbox.platform.public_key.id},
        )
        self.books.shared[order] = amount

    async def refund(self, order: str, total: int, *, part: bool) -> None:
        amount = max(1, total // 3) if part else total
        await self.wxpay.v3.refund.domestic.refunds.post(
            out_trade_no=order,
            out_refund_no=f"R-{order}",
            notify_url=self.url,
            amount={"refund": amount, "total": total, "currency": "CNY"},
        )
        self.books.refunded[order] = amount


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    # Each notification is sent twice at once, out of order, and once more after it was acknowledged.
    delivery_options = DeliveryOptions(copies=2, out_of_order=True, max_delay=0.3, redeliver=True)
    async with Sandbox(notifications=delivery_options, seed=7) as sandbox:
        shop = Shop(sandbox.client, sandbox)
        app = web.Application()
        app.router.add_post("/notify", shop.receive)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
        yield shop
        await runner.cleanup()


@pytest.mark.slow
async def test_a_whole_day(shop: Shop) -> None:
    sandbox, books = shop.sandbox, shop.books
    mchid, day = sandbox.merchant.mchid, to_noon(sandbox)
    await shop.wxpay.v3.profitsharing.receivers.add.post(
        appid=APPID, type="MERCHANT_ID", account=STORE, relation_type="STORE"
    )
    places, rng = asyncio.Semaphore(AT_ONCE), random.Random(7)  # noqa: S311 - customers, not keys

    async def customer(number: int) -> None:
        async with places:
            await shop.serve_customer(number, rng)

    await asyncio.gather(*(customer(number) for number in range(ORDERS)))
    await sandbox.sender.wait_until_idle()
    # A copy that arrives while another is handled is rejected for now, as is one that a busy machine acknowledges too
    # late: both are sent again by the schedule.
    while any(delivery.state == "pending" for delivery in sandbox.sender.deliveries):
        sandbox.control.advance_clock(15)
        await asyncio.sleep(0.01)
        await sandbox.sender.wait_until_idle()

    # Each event is handled once, however often it was delivered.
    handled = Counter(
        (
            one.type,
            one.resource.get("out_refund_no") or one.resource.get("out_order_no") or one.resource["out_trade_no"],
        )
        for one in shop.handled
    )
    assert handled == Counter(
        [
            *(("TRANSACTION.SUCCESS", order) for order in books.paid),
            *(("REFUND.SUCCESS", f"R-{order}") for order in books.refunded),
            *(("PROFITSHARING.SUCCESS", f"S-{order}") for order in books.shared),
        ]
    )
    assert shop.deliveries >= 3 * len(shop.handled)
    assert len(books.paid) > 300
    assert min(len(books.closed), len(books.refunded), len(books.shared)) >= 30

    # The state of single orders.
    for order in [*list(books.paid)[:20], *list(books.closed)[:5]]:
        response = await shop.wxpay.v3.pay.transactions.outTradeNo[order].get(mchid=mchid)
        expected = "CLOSED" if order in books.closed else "REFUND" if order in books.refunded else "SUCCESS"
        assert response.data["trade_state"] == expected

    # The bills, which are available on the next day.
    sandbox.control.advance_clock(86400)
    async with shop.wxpay.download(shop.wxpay.v3.bill.tradebill.get, bill_date=day.isoformat()) as download:
        trade = bills.rows(download, bills.TradeRow)
        rows = [row async for row in trade]
    assert {row.out_trade_no: row.total for row in rows if row.trade_state == "SUCCESS"} == books.paid
    assert {row.out_trade_no: row.refund for row in rows if row.trade_state == "REFUND"} == books.refunded
    summary = trade.summary
    assert isinstance(summary, bills.TradeSummary)
    assert summary.count == len(books.paid) + len(books.refunded)
    assert (summary.total, summary.refund) == (sum(books.paid.values()), sum(books.refunded.values()))

    async with shop.wxpay.download(
        shop.wxpay.v3.bill.fundflowbill.get, bill_date=day.isoformat(), tar_type="GZIP"
    ) as download:
        flow = [row async for row in bills.rows(download, bills.FundFlowRow)]
    fees = sum(map(fee, books.paid.values())) - sum(map(fee, books.refunded.values()))
    kept = sum(books.paid.values()) - sum(books.refunded.values()) - sum(books.shared.values()) - fees
    assert sum(row.change for row in flow) == kept
    assert flow[-1].balance == OPENING_BALANCE + kept

    async with shop.wxpay.download(shop.wxpay.v3.profitsharing.bills.get, bill_date=day.isoformat()) as download:
        shares = [row async for row in bills.rows(download, bills.ProfitSharingRow)]
    assert {row.out_order_no.removeprefix("S-"): row.amount for row in shares} == books.shared
