"""批量转账：SAQ 任务队列（Redis），多个工作进程，杀掉哪个都不丢不重 · Bulk transfers on SAQ over Redis, many workers.

pip install wxpay-dsl 'saq[redis]'
REDIS_URL=redis://… WXPAY_PROFILE=wxpay.toml saq bulk_transfer.settings --workers 4
REDIS_URL=redis://… python bulk_transfer.py rows.csv      # 入队，等到每行都有结果 · enqueues, and waits for every row

不重：单号就是任务的键，重发总用同一个单号 · Nothing twice: the bill's number is the job's key, in every attempt.
不丢：没做完的任务回到队列 · Nothing lost: a job that a dead worker held goes back to the queue.
SAQ 的清扫半途被杀会丢任务，等结果的一方也看着 · A killed sweep of SAQ's loses its job: whoever waits looks too.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saq import Queue
from saq.job import Status

from wxpay_dsl import RateLimitError, ServiceError, wxpay

APPID = os.environ.get("APPID", "wx8888888888888888")
#: 秒；超过即视为工作进程已死，应大于调用的时限 · Seconds until a worker counts as dead: more than a call takes.
PATIENCE = int(os.environ.get("PATIENCE", "60"))

queue = Queue.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), name="transfers")


async def transfer(context: Mapping[str, Any], *, out_bill_no: str, openid: str, amount: int) -> dict[str, str]:
    """转一笔；抛出即由队列重试 · One transfer; what is raised, the queue tries again."""
    try:
        response = await wxpay.v3.fundApp.mchTransfer.transferBills.post(
            appid=APPID,
            out_bill_no=out_bill_no,
            openid=openid,
            transfer_amount=amount,
            transfer_remark="报销",
            transfer_scene_id="1000",
            transfer_scene_report_infos=[{"info_type": "活动名称", "info_content": "新会员有礼"}],
            timeout=PATIENCE / 2,
        )
    except ServiceError as error:
        if error.outcome_unknown or error.status >= 500 or isinstance(error, RateLimitError):
            raise
        return {"state": "REFUSED", "code": error.code, "message": error.message}
    return {"state": response.data["state"], "transfer_bill_no": response.data["transfer_bill_no"]}


async def end(context: Mapping[str, Any]) -> None:
    """工作进程退出时 · When a worker ends."""
    await wxpay.close()


settings = {"queue": queue, "functions": [transfer], "concurrency": 8, "shutdown": end}


async def main(rows: list[dict[str, str]]) -> int:
    """每行入队一次，再等；同一个文件可以反复运行 · Each row once; the same file may be given again, to wait on."""
    for row in rows:
        await queue.enqueue(
            "transfer",
            key=row["out_bill_no"],  # 已在队列里的不会再入 · one that is there is not added
            timeout=PATIENCE,
            retries=100,
            retry_delay=0.2,
            retry_backoff=float(PATIENCE),
            ttl=7 * 86400,
            out_bill_no=row["out_bill_no"],
            openid=row["openid"],
            amount=int(row["amount"]),
        )
    waiting = {row["out_bill_no"] for row in rows}
    while waiting:
        for job in await queue.jobs(sorted(waiting)):
            if job is None:
                continue
            if job.status in (Status.COMPLETE, Status.FAILED):
                waiting.remove(job.key)
                print(json.dumps({"out_bill_no": job.key, "status": job.status, "result": job.result}), flush=True)
            elif time.time() - max(job.queued, job.started, job.touched) / 1000 > 2 * PATIENCE:
                # 拿着它的工作进程死了；哪怕其实没死，同一个单号也只转一次。
                # Whoever held it is dead; and were it not, the same number is still paid once.
                await queue.retry(job, "nobody works on it")
        await asyncio.sleep(0.5)
    await queue.disconnect()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main([*csv.DictReader(Path(sys.argv[1]).read_text("utf-8-sig").splitlines())])))
