"""A service with one large bill, which it sends slowly: ``python -m tests.faults.file_server PORT``.

It runs in a folder with ``home`` and ``bill.csv``, and resumes where it is asked to.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path

from aiohttp import web

from wxpay_dsl.sandbox import Sandbox

CHUNK = 32 * 1024


async def main(port: int) -> None:
    content = await asyncio.to_thread(Path("bill.csv").read_bytes)
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    async with Sandbox(home="home") as sandbox:

        async def ask(request: web.Request) -> web.Response:
            url = f"http://127.0.0.1:{port}/v3/billdownload/file?token=1"
            body = json.dumps({"download_url": url, "hash_type": "SHA1", "hash_value": digest}).encode()
            headers = sandbox.platform.sign(sandbox.platform.public_key, body, int(time.time()))
            return web.Response(body=body, content_type="application/json", headers=headers)

        async def send(request: web.Request) -> web.StreamResponse:
            start = request.http_range.start or 0
            response = web.StreamResponse(status=206 if start else 200)
            response.content_length = len(content) - start
            if start:
                response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            await response.prepare(request)
            for place in range(start, len(content), CHUNK):
                await response.write(content[place : place + CHUNK])
                await asyncio.sleep(0.002)
            return response

        application = web.Application()
        application.router.add_get("/v3/bill/tradebill", ask)
        application.router.add_get("/v3/billdownload/file", send)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
