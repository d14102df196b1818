"""小程序、公众号的支付服务：下单、调起参数、主动查单 · An aiohttp service for JSAPI: orders, and queries for them.

pip install wxpay-dsl
WXPAY_PROFILE=wxpay.toml APPID=wx… NOTIFY_URL=https://…/wxpay/notify python service_aiohttp.py
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from aiohttp import web

from wxpay_dsl import Notification, Notifications, SdkError, ValidationError, wxpay

APPID = os.environ.get("APPID", "wx8888888888888888")
NOTIFY_URL = os.environ.get("NOTIFY_URL", "https://www.example.com/wxpay/notify")
#: 没有收到通知多少秒后查单 · Seconds without a notification after which an order is queried.
QUERY_AFTER = float(os.environ.get("QUERY_AFTER", "30"))

notifications = Notifications(wxpay, store="notifications.db")
routes = web.RouteTableDef()
#: 单号 -> 状态和下单时间；生产环境用数据库 · Number to state and time; use a database in production (shop_fastapi.py).
orders: dict[str, dict[str, Any]] = {}


@routes.post("/orders")
async def create_order(request: web.Request) -> web.Response:
    """下单，返回前端调起支付的参数 · Place an order; return the parameters that open the payment page."""
    wanted = await request.json()
    number = secrets.token_hex(16)
    orders[number] = {"state": "NOTPAY", "at": time.monotonic()}
    try:
        response = await wxpay.v3.pay.transactions.jsapi.post(
            appid=APPID,
            mchid=wxpay.settings.mchid,
            description=wanted.get("description"),
            out_trade_no=number,
            notify_url=NOTIFY_URL,
            amount={"total": wanted.get("total")},
            payer={"openid": wanted.get("openid")},
        )
    except ValidationError as error:
        del orders[number]
        return web.json_response({"errors": [str(each) for each in error.errors]}, status=400)
    except SdkError as error:
        return web.json_response({"number": number, "error": str(error)}, status=502)
    params = await wxpay.payment_params.jsapi(response)
    return web.json_response({"number": number, "params": dict(params)}, status=201)


@routes.get("/orders/{number}")
async def get_order(request: web.Request) -> web.Response:
    """订单的状态 · The state of an order."""
    found = orders.get(request.match_info["number"])
    if found is None:
        raise web.HTTPNotFound
    return web.json_response({"state": found["state"]})


@notifications.on("TRANSACTION.SUCCESS")
async def paid(event: Notification) -> None:
    """支付成功 · A payment succeeded."""
    orders.setdefault(event.resource["out_trade_no"], {"at": 0.0})["state"] = "SUCCESS"


async def follow_up() -> None:
    """查询没有收到通知的订单 · Query orders without a notification."""
    while True:
        await asyncio.sleep(QUERY_AFTER / 4)
        late = [
            number
            for number, each in orders.items()
            if each["state"] == "NOTPAY" and time.monotonic() - each["at"] > QUERY_AFTER
        ]
        for number in late:
            with suppress(SdkError):  # 下一轮再查 · queried again in the next round
                response = await wxpay.v3.pay.transactions.outTradeNo[number].get(mchid=wxpay.settings.mchid)
                orders[number]["state"] = response.data["trade_state"]


async def background(app: web.Application) -> AsyncIterator[None]:
    """与服务一同启动和停止 · Start and stop with the service."""
    task = asyncio.create_task(follow_up())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await notifications.close()
    await wxpay.close()


app = web.Application()
app.add_routes(routes)
app.router.add_post("/wxpay/notify", notifications.aiohttp)
app.cleanup_ctx.append(background)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
