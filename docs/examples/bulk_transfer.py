"""批量转账：SAQ 任务队列（Redis），多个工作进程 · Bulk transfers with SAQ, a task queue over Redis, in several workers.

pip install wxpay-dsl 'saq[redis]'
REDIS_URL=redis://… WXPAY_PROFILE=wxpay.toml saq bulk_transfer.settings --workers 4
REDIS_URL=redis://… python bulk_transfer.py rows.csv      # 入队，等待每行的结果 · enqueue all rows, wait for results

不重复：单号是任务的键，重试总用同一个单号 · No duplicates: the bill number is the job's key in every attempt.
不丢失：工作进程崩溃后，任务回到队列 · No losses: if a worker crashes, its job returns to the queue.
SAQ 清扫任务时被杀会丢失任务，所以等待结果的进程也检查 · SAQ can lose a job if it is killed while it
sweeps; therefore the process that waits for the results checks the jobs too.
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
#: 秒；超过即视为工作进程已崩溃，应大于调用的时限 · Seconds after which a worker counts as crashed; longer than a call.
JOB_TIMEOUT = int(os.environ.get("JOB_TIMEOUT", "60"))

queue = Queue.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"), name="transfers")


async def transfer(context: Mapping[str, Any], *, out_bill_no: str, openid: str, amount: int) -> dict[str, str]:
    """一笔转账；抛出异常时由队列重试 · One transfer; if it raises, the queue tries again."""
    try:
        response = await wxpay.v3.fundApp.mchTransfer.transferBills.post(
            appid=APPID,
            out_bill_no=out_bill_no,
            openid=openid,
            transfer_amount=amount,
            transfer_remark="报销",
            transfer_scene_id="1000",
            transfer_scene_report_infos=[{"info_type": "活动名称", "info_content": "新会员有礼"}],
            timeout=JOB_TIMEOUT / 2,
        )
    except ServiceError as error:
        if error.outcome_unknown or error.status >= 500 or isinstance(error, RateLimitError):
            raise
        return {"state": "REJECTED", "code": error.code, "message": error.message}
    return {"state": response.data["state"], "transfer_bill_no": response.data["transfer_bill_no"]}


async def end(context: Mapping[str, Any]) -> None:
    """工作进程退出时关闭连接 · Close the connections when a worker ends."""
    await wxpay.close()


settings = {"queue": queue, "functions": [transfer], "concurrency": 8, "shutdown": end}


async def main(rows: list[dict[str, str]]) -> int:
    """每行入队一次并等待结果；可以用同一个文件再次运行 · Enqueue each row once, then wait; may be run again."""
    for row in rows:
        await queue.enqueue(
            "transfer",
            key=row["out_bill_no"],  # 已在队列里的不会重复加入 · a job that is queued is not added again
            timeout=JOB_TIMEOUT,
            retries=100,
            retry_delay=0.2,
            retry_backoff=float(JOB_TIMEOUT),
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
            elif time.time() - max(job.queued, job.started, job.touched) / 1000 > 2 * JOB_TIMEOUT:
                # 工作进程已崩溃；即使没有，同一个单号也只转账一次。
                # Its worker has crashed; if it has not, the same number is still paid only once.
                await queue.retry(job, "its worker has crashed")
        await asyncio.sleep(0.5)
    await queue.disconnect()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main([*csv.DictReader(Path(sys.argv[1]).read_text("utf-8-sig").splitlines())])))
