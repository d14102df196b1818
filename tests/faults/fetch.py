"""Downloads a bill again and again: ``python -m tests.faults.fetch URL COUNT`` makes ``files/bill-N.csv``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from wxpay_dsl import SdkError, Wechatpay

FOLDER = Path("files")


async def main(url: str, count: int) -> None:
    FOLDER.mkdir(exist_ok=True)  # noqa: ASYNC240 (before anything else runs)
    async with Wechatpay(profile="home/wxpay.toml", base_url=url, timeout=5) as wxpay:
        for number in range(count):
            target = FOLDER / f"bill-{number}.csv"
            while not target.exists():
                try:
                    async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18") as bill:
                        await bill.save(target)
                except SdkError as error:
                    sys.stdout.write(f"{error}\n")
                    await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
