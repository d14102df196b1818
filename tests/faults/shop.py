"""A shop that sells, refunds and pays out, and goes on where it was killed.

``python -m tests.faults.shop COUNT [URL]`` runs in a folder with ``home/wxpay.toml``, and keeps ``ledger.jsonl`` there;
with ``URL``, where it is notified, it only sells. What it believes: an error whose outcome is known says that nothing
was done, and the next try is another one, under another number; where the outcome is unknown the same number is asked
for, or used again.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from tests.faults.ledger import Ledger
from wxpay_dsl import ResourceNotExistsError, SdkError, ServiceError, Wechatpay
from wxpay_dsl.sandbox.control.remote import step

__all__ = ["AT_ONCE", "refunded", "total_of"]

AT_ONCE = 4
NOWHERE = "https://www.example.com/notify"
APPID = "wx8888888888888888"
REPORT = [{"info_type": "活动名称", "info_content": "新会员有礼"}]
#: Seconds between two tries.
PAUSE = 0.02


def total_of(number: int) -> int:
    """The amount of order ``number`` in fen, different for each order."""
    return 100 + number


def refunded(number: int) -> bool:
    """Whether order ``number`` is refunded."""
    return number % 2 == 0


async def main(count: int, notify_url: str = "") -> None:
    ledger = Ledger(Path("ledger.jsonl"))
    async with Wechatpay(profile="home/wxpay.toml", timeout=5) as wxpay:
        numbers = iter(range(count))

        async def work() -> None:
            for number in numbers:
                await sell(wxpay, ledger, number, notify_url or NOWHERE)
                if not notify_url:
                    if refunded(number):
                        await give_back(wxpay, ledger, number)
                    await pay_out(wxpay, ledger, number)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())


async def stubborn(wxpay: Wechatpay, call: Any) -> Any:
    """The response of a call that may be repeated, after as many attempts as necessary."""
    while True:
        try:
            return (await call()).data
        except SdkError:
            await asyncio.sleep(PAUSE)


async def sell(wxpay: Wechatpay, ledger: Ledger, number: int, notify_url: str) -> None:
    order, total = f"T{number:08}", total_of(number)
    if ledger.state(order) == "paid":
        return
    mchid = wxpay.settings.mchid
    if not ledger.state(order):
        ledger.write(order, "begun", total=total)
    if ledger.state(order) == "begun":
        fields = {"description": "公仔", "out_trade_no": order, "amount": {"total": total}}
        where = {"appid": APPID, "mchid": mchid, "notify_url": notify_url}
        await stubborn(wxpay, lambda: wxpay.v3.pay.transactions.native.post(**where, **fields))
        ledger.write(order, "ordered", total=total)
    query = wxpay.v3.pay.transactions.outTradeNo._out_trade_no_.get
    while True:
        found = await stubborn(wxpay, lambda: query(out_trade_no=order, mchid=mchid))
        if found["trade_state"] != "NOTPAY":
            break
        try:
            await asyncio.to_thread(step, wxpay.settings.base_url, "pay", {"order": order})
        except SdkError:
            await asyncio.sleep(PAUSE)  # the payer's telephone has lost the network; he looks, and tries again
    ledger.write(order, "paid", total=found["amount"]["total"])


async def give_back(wxpay: Wechatpay, ledger: Ledger, number: int) -> None:
    order, refund, total = f"T{number:08}", f"R{number:08}", total_of(number)
    if ledger.state(refund) == "done":
        return
    ledger.write(refund, "begun", total=total)
    amount = {"refund": total, "total": total, "currency": "CNY"}
    post = wxpay.v3.refund.domestic.refunds.post
    found = await stubborn(wxpay, lambda: post(out_trade_no=order, out_refund_no=refund, amount=amount))
    ledger.write(refund, "done", total=found["amount"]["refund"])


async def pay_out(wxpay: Wechatpay, ledger: Ledger, number: int) -> None:
    """A transfer: each try that is said not to have been carried out is followed by one under a number of its own."""
    person, amount = f"B{number:06}", 30 + number
    if ledger.state(person) == "done":
        return
    attempt = int(ledger.last.get(person, {}).get("attempt", 0))
    doubtful = ledger.state(person) == "begun"
    while True:
        bill = f"{person}x{attempt}"
        if doubtful:
            found = await asked(wxpay, bill)
            if found is not None:
                ledger.write(person, "done", attempt=attempt, bill=bill, amount=found["transfer_amount"])
                return
        else:
            ledger.write(person, "begun", attempt=attempt, bill=bill)
        fields = {"out_bill_no": bill, "openid": f"o-{number}", "transfer_amount": amount, "transfer_remark": "报销"}
        scene = {"appid": APPID, "transfer_scene_id": "1000", "transfer_scene_report_infos": REPORT}
        try:
            await wxpay.v3.fundApp.mchTransfer.transferBills.post(**fields, **scene)
        except SdkError as error:
            doubtful = getattr(error, "outcome_unknown", True)
            if not doubtful:
                ledger.write(f"{bill} not", "not", bill=bill, error=str(error))
                attempt += 1
            await asyncio.sleep(PAUSE)
            continue
        ledger.write(person, "done", attempt=attempt, bill=bill, amount=amount)
        return


async def asked(wxpay: Wechatpay, bill: str) -> dict[str, Any] | None:
    """The service's state of a transfer, or None if it has none."""
    query = wxpay.v3.fundApp.mchTransfer.transferBills.outBillNo._out_bill_no_.get
    while True:
        try:
            found: dict[str, Any] = (await query(out_bill_no=bill)).data
        except ResourceNotExistsError:
            return None
        except ServiceError as error:
            if error.status == 404:
                return None
            await asyncio.sleep(PAUSE)
        except SdkError:
            await asyncio.sleep(PAUSE)
        else:
            return found


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
