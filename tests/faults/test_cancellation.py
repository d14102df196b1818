"""Cancels a call at each of its suspensions: the pool is intact, no task is left, and the next call succeeds.

Each client has one connection: where one stayed taken, the next call would find none. The sandbox serves from another
thread, so that every task of this loop is the client's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.suspension import Cancelled, cancelled_at
from tests.patience import until
from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox.background import BackgroundSandbox

#: More suspensions than any call here has: a test that comes so far goes round in circles.
ENOUGH = 400
#: The day on which T0 was paid: midnight may be near.
PAID_ON: list[str] = []
PNG = b"\x89PNG\r\n\x1a\n" + bytes(70_000)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BackgroundSandbox]:
    with BackgroundSandbox() as sandbox:

        async def sell() -> None:
            async with Wechatpay(**sandbox.credentials) as wxpay:
                await order(wxpay, "T0")

        async def day() -> str:
            async with Wechatpay(**sandbox.credentials) as wxpay:
                query = wxpay.v3.pay.transactions.outTradeNo._out_trade_no_.get
                return str((await query(out_trade_no="T0", mchid=wxpay.settings.mchid)).data["success_time"][:10])

        asyncio.run(sell())
        sandbox.control.pay("T0")
        PAID_ON[:] = [asyncio.run(day())]
        sandbox.control.advance_clock(86400)
        yield sandbox
        sandbox.control.faults.clear()


async def order(wxpay: Wechatpay, number: str = "T1") -> Any:
    return await wxpay.v3.pay.transactions.native.post(
        appid="wx8888888888888888",
        mchid=wxpay.settings.mchid,
        description="公仔",
        out_trade_no=number,
        notify_url="https://www.example.com/notify",
        amount={"total": 100},
    )


async def upload(wxpay: Wechatpay, folder: Path) -> Any:
    file = folder / "license.png"
    if not file.exists():
        file.write_bytes(PNG)
    return await wxpay.upload(file)


async def download(wxpay: Wechatpay, folder: Path) -> Any:
    async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date=PAID_ON[0], tar_type="GZIP") as bill:
        return await bill.save(folder / "bill.csv")


async def rows(wxpay: Wechatpay, folder: Path) -> Any:
    async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date=PAID_ON[0]) as bill:
        return [piece async for piece in bill]


async def plain(wxpay: Wechatpay, folder: Path) -> Any:
    return await order(wxpay)


async def v2(wxpay: Wechatpay, folder: Path) -> Any:
    return await wxpay.v2.pay.orderquery.post(appid="wx8888888888888888", out_trade_no="T0")


Call = Callable[[Wechatpay, Path], Awaitable[Any]]


async def each_suspension(make: Callable[[], Wechatpay], call: Call, folder: Path, *, warm: bool = False) -> int:
    """Cancels ``call`` at its first suspension, at its second, and so on until it ends before; returns the number."""
    place = 0
    while True:
        place += 1
        assert place < ENOUGH, "a call without end"
        before = asyncio.all_tasks()
        wxpay = make()
        if warm:
            await call(wxpay, folder)
        told = Cancelled()
        try:
            await cancelled_at(call(wxpay, folder), place, told)
        except asyncio.CancelledError:
            assert told.asked
            # This test cancelled the task; do not propagate it.
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        else:
            assert not told.asked, f"suspension {place} swallowed its cancellation"
        async with asyncio.timeout(60):
            await call(wxpay, folder)
        await wxpay.close()
        await until(lambda before=before: asyncio.all_tasks() <= before, "the end of every task")
        if not told.asked:
            return place - 1


def settings_of(sandbox: BackgroundSandbox, **more: Any) -> Callable[[], Wechatpay]:
    return lambda: Wechatpay(**{**sandbox.credentials, "max_connections": 1, "retries": 1, **more})


@pytest.mark.parametrize("warm", [False, True], ids=["first call", "connection at hand"])
@pytest.mark.parametrize("call", [plain, v2, upload, download, rows])
async def test_a_call(call: Call, warm: bool, sandbox: BackgroundSandbox, tmp_path: Path) -> None:
    assert await each_suspension(settings_of(sandbox), call, tmp_path, warm=warm) >= 1
    # No incomplete file is left.
    assert [file.name for file in tmp_path.iterdir() if file.name.endswith(".part")] == []  # noqa: ASYNC240


async def test_a_call_that_is_sent_again(sandbox: BackgroundSandbox, tmp_path: Path) -> None:
    async def again(wxpay: Wechatpay, folder: Path) -> Any:
        sandbox.control.faults.clear()
        sandbox.control.faults.add("drop-before", times=1)
        return await order(wxpay)

    try:
        assert await each_suspension(settings_of(sandbox), again, tmp_path) >= 4
    finally:
        sandbox.control.faults.clear()


@pytest.mark.parametrize("stored", [False, True], ids=["", "kept in a file"])
async def test_while_the_certificates_are_downloaded(stored: bool, sandbox: BackgroundSandbox, tmp_path: Path) -> None:
    """Concurrent calls share a download, which goes on if the call that started it is cancelled."""
    number = iter(range(ENOUGH))

    def make() -> Wechatpay:
        store = {"certificate_store": tmp_path / f"store-{next(number)}"} if stored else {}
        return settings_of(sandbox, platform_keys={}, **store)()

    assert await each_suspension(make, plain, tmp_path) >= 2


async def test_one_of_many_that_wait_for_the_certificates(sandbox: BackgroundSandbox) -> None:
    async with settings_of(sandbox, platform_keys={}, max_connections=10)() as wxpay:
        calls = [asyncio.ensure_future(order(wxpay)) for _ in range(5)]
        await asyncio.sleep(0)
        calls[0].cancel()
        first, *others = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert [response.status for response in others if not isinstance(response, BaseException)] == [200] * 4
