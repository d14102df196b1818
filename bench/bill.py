"""Measures a bill that a client process downloads, decompresses, verifies by its hash and parses into rows.

``peak_rss_mb`` is the memory that the bill needs: the peak of resident memory minus that after a first call
(``process_rss_mb`` is the whole peak). ``mb_per_s`` is the rate in millions of decompressed bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from attrs import frozen

_HEADER: Final = (
    "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,"
    "订单金额,申请退款金额,费率备注\r\n"
)
_SUMS: Final = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"
#: Rows that are written at once.
_BLOCK: Final = 2000

#: The client: argument 1 is its profile. It prints one JSON object.
_CLIENT: Final = """
import asyncio, json, sys, time
from pathlib import Path
from wxpay_dsl import Wechatpay, bills

def resident(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1000

async def main():
    async with Wechatpay(profile=sys.argv[1]) as wxpay:
        ask = wxpay.v3.bill.tradebill.get
        await ask(bill_date="2026-03-18")
        Path("/proc/self/clear_refs").write_text("5")
        before, total = resident("VmRSS"), 0
        begun = time.perf_counter()
        async with wxpay.download(ask, bill_date="2026-03-18", tar_type="GZIP") as bill:
            rows = bills.rows(bill, bills.TradeRow)
            async for row in rows:
                total += row.total
        seconds = time.perf_counter() - begun
        peak = resident("VmHWM")
        summary = [rows.summary.count, rows.summary.total]
    print(json.dumps({"before": before, "peak": peak, "rows": rows.count, "total": total, "summary": summary,
                      "seconds": seconds}))

asyncio.run(main())
"""


@frozen
class _Bill:
    """A compressed bill in a file."""

    file: Path
    #: Decompressed size in bytes.
    size: int
    sha1: str
    rows: int
    #: In fen.
    total: int


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--mb``"""
    parser.add_argument("--mb", type=int, default=200, help="the decompressed size of the bill, in millions of bytes")


def run(quick: bool, mb: int = 200) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """``{"peak_rss_mb", "hash_ok", "rows", "mb_per_s", …}``"""
    with tempfile.TemporaryDirectory() as folder:
        bill = _write(Path(folder) / "bill.gz", min(mb, 20) if quick else mb)
        found = asyncio.run(_measure(bill, Path(folder)))
    # The client raises if the hash is wrong; that it parsed every row is checked by the count and the sum.
    same = found["rows"] == bill.rows and found["total"] == bill.total and found["summary"] == [bill.rows, bill.total]
    return {
        "peak_rss_mb": round(found["peak"] - found["before"], 1),
        "hash_ok": same,
        "rows": found["rows"],
        "mb_per_s": round(bill.size / 1e6 / found["seconds"], 1),
        "process_rss_mb": round(found["peak"], 1),
        "mb": round(bill.size / 1e6, 1),
    }


def _write(file: Path, mb: int) -> _Bill:
    """Writes a trade bill of ``mb`` million bytes whose payments all differ."""
    chance = random.Random(7)  # noqa: S311 (not for keys)
    packer, hashing = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16), hashlib.sha1(usedforsecurity=False)
    size = rows = total = 0
    with file.open("wb") as handle:

        def put(text: str) -> None:
            nonlocal size
            data = text.encode()
            size += len(data)
            hashing.update(data)
            handle.write(packer.compress(data))

        put(_HEADER)
        while size < mb * 1_000_000:
            lines = []
            for _ in range(_BLOCK):
                fen = chance.randrange(1, 1_000_000)
                rows, total = rows + 1, total + fen
                lines.append(_row(rows, fen))
            put("".join(lines))
        yuan = f"{total // 100}.{total % 100:02}"
        put(_SUMS)
        put(f"`{rows},`{yuan},`0.00,`0.00,`0.00000,`{yuan},`0.00\r\n")
        handle.write(packer.flush())
    return _Bill(file, size, hashing.hexdigest(), rows, total)


def _row(number: int, fen: int) -> str:
    yuan = f"{fen // 100}.{fen % 100:02}"
    when = f"2026-03-18 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
    return (
        f"`{when},`wx8888888888888888,`1900000109,`0,`,`42000{number:023},`{number:032},"
        f"`oUpF8uMuAJO_{number:016},`JSAPI,`SUCCESS,`OTHERS,`CNY,`{yuan},`0.00,`0,`0,`0.00,`0.00,`,`,"
        f"`会员 {number % 97},`,`{fen * 60 // 100}.{number % 100:02}000,`0.60%,`{yuan},`0.00,`\r\n"
    )


async def _measure(bill: _Bill, folder: Path) -> dict[str, Any]:
    """Runs the client against a server in this process; returns what the client prints."""
    from wxpay_dsl.sandbox import Sandbox

    application = web.Application()
    runner = web.AppRunner(application, access_log=None)
    # The sandbox only provides keys: the server here needs little memory and is as fast as a file.
    async with Sandbox(mode="public-key") as sandbox:
        sandbox.write_home(folder)

        async def ask(request: web.Request) -> web.Response:
            url = f"http://{request.host}/v3/billdownload/file?token=1"
            data = {"download_url": url, "hash_type": "SHA1", "hash_value": bill.sha1}
            body = json.dumps(data).encode()
            headers = sandbox.platform.sign(sandbox.platform.public_key, body, int(time.time()))
            return web.Response(body=body, content_type="application/json", headers=headers)

        async def send(_: web.Request) -> web.FileResponse:
            return web.FileResponse(bill.file, headers={"Content-Type": "application/x-gzip"})

        application.router.add_get("/v3/bill/tradebill", ask)
        application.router.add_get("/v3/billdownload/file", send)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            environment = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
            environment["WXPAY_BASE_URL"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            client = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _CLIENT, str(folder / "wxpay.toml")),
                stdout=asyncio.subprocess.PIPE,
                env=environment,
            )
            output, _ = await client.communicate()
        finally:
            await runner.cleanup()
    if client.returncode:
        raise RuntimeError("the client failed")
    found: dict[str, Any] = json.loads(output)
    return found
