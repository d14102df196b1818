"""商店：下单、二维码、支付通知、退款，数据在 SQLite · A shop in FastAPI: order, QR code, notification, refund; SQLite.

pip install 'wxpay-dsl[qr]' fastapi uvicorn
WXPAY_PROFILE=wxpay.toml APPID=wx… NOTIFY_URL=https://…/wxpay/notify uvicorn shop_fastapi:app
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from wxpay_dsl import Notification, Notifications, OrderNotExistError, SdkError, qr, wxpay

APPID = os.environ.get("APPID", "wx8888888888888888")
NOTIFY_URL = os.environ.get("NOTIFY_URL", "https://www.example.com/wxpay/notify")
DATABASE = os.environ.get("DATABASE", "shop.db")

notifications = Notifications(wxpay, store="notifications.db")


class OrderRequest(BaseModel):
    """下单的内容 · What is ordered."""

    description: str = Field(max_length=127)
    #: 分 · fen
    total: int = Field(gt=0)


def connect() -> sqlite3.Connection:
    """打开数据库；每次写入都同步到磁盘 · Open the database; every write is synced to disk."""
    connection = sqlite3.connect(DATABASE, isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection


def execute(statement: str, *values: Any) -> int:
    """执行语句，返回修改的行数 · Execute a statement; return the number of changed rows."""
    with closing(connect()) as connection:
        return connection.execute(statement, values).rowcount


def order_of(number: str) -> dict[str, Any]:
    """一笔订单 · One order. Raises HTTPException 404."""
    with closing(connect()) as connection:
        row = connection.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such order 没有这笔订单")
    return dict(row)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """启动和停止 · Start and stop."""
    execute(
        "CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, description TEXT NOT NULL, total INTEGER NOT NULL,"
        " state TEXT NOT NULL, code_url TEXT, transaction_id TEXT, refund TEXT UNIQUE)"
    )
    yield
    await notifications.close()
    await wxpay.close()


app = FastAPI(title="商店", lifespan=lifespan)


@app.post("/orders", status_code=201)
async def create_order(wanted: OrderRequest) -> dict[str, Any]:
    """先记录单号，再下单；中断后单号不丢失 · Record the number first, so that it is known if the call fails."""
    number = secrets.token_hex(16)
    execute("INSERT INTO orders VALUES (?, ?, ?, 'NEW', NULL, NULL, NULL)", number, wanted.description, wanted.total)
    return await place(number)


async def place(number: str) -> dict[str, Any]:
    """用已记录的单号下单；可以重复 · Place the order with its recorded number; may be repeated."""
    found = order_of(number)
    try:
        response = await wxpay.v3.pay.transactions.native.post(
            appid=APPID,
            mchid=wxpay.settings.mchid,
            description=found["description"],
            out_trade_no=number,
            notify_url=NOTIFY_URL,
            amount={"total": found["total"]},
        )
    except SdkError as error:
        raise HTTPException(502, str(error)) from error
    execute(
        "UPDATE orders SET state = 'NOTPAY', code_url = ? WHERE number = ? AND state = 'NEW'",
        response.data["code_url"],
        number,
    )
    return order_of(number)


@app.get("/orders/{number}")
async def get_order(number: str) -> dict[str, Any]:
    """没有收到通知时主动查单 · Query the order if there was no notification yet."""
    found = order_of(number)
    if found["state"] in ("NEW", "NOTPAY"):
        try:
            response = await wxpay.v3.pay.transactions.outTradeNo[number].get(mchid=wxpay.settings.mchid)
        except OrderNotExistError:
            return await place(number)
        if response.data["trade_state"] == "SUCCESS":
            record_payment(response.data)
    return order_of(number)


@app.get("/orders/{number}/qr.svg")
async def qr_code(number: str) -> Response:
    """付款二维码 · The QR code for payment."""
    found = order_of(number)
    if not found["code_url"]:
        raise HTTPException(409, "not placed yet 尚未下单")
    return Response(qr.svg(found["code_url"]), media_type="image/svg+xml")


@app.post("/orders/{number}/refund")
async def refund(number: str) -> dict[str, Any]:
    """先记录退款单号，重复请求只退款一次 · Record the refund number first: one refund for repeated requests."""
    execute(
        "UPDATE orders SET refund = ? WHERE number = ? AND state = 'PAID' AND refund IS NULL", f"R{number[1:]}", number
    )
    found = order_of(number)
    if found["refund"] is None:
        raise HTTPException(409, "not paid 未支付")
    if found["state"] != "REFUNDED":
        try:
            await wxpay.v3.refund.domestic.refunds.post(
                out_trade_no=number,
                out_refund_no=found["refund"],
                notify_url=NOTIFY_URL,
                amount={"refund": found["total"], "total": found["total"], "currency": "CNY"},
            )
        except SdkError as error:
            raise HTTPException(502, str(error)) from error
    return order_of(number)


def record_payment(payment: Any) -> None:
    """入账：核对金额，且只入账一次 · Record a payment, once, if the amount is right."""
    changed = execute(
        "UPDATE orders SET state = 'PAID', transaction_id = ?"
        " WHERE number = ? AND total = ? AND state IN ('NEW', 'NOTPAY')",
        payment["transaction_id"],
        payment["out_trade_no"],
        payment["amount"]["total"],
    )
    if changed:
        print(f"paid {payment['out_trade_no']}: {payment['amount']['total']} fen", flush=True)


@notifications.on("TRANSACTION.SUCCESS")
def paid(event: Notification) -> None:
    """支付成功 · A payment succeeded."""
    record_payment(event.resource)


@notifications.on("REFUND.SUCCESS")
def refunded(event: Notification) -> None:
    """退款成功 · A refund succeeded."""
    execute("UPDATE orders SET state = 'REFUNDED' WHERE refund = ?", event.resource["out_refund_no"])


app.router.add_route("/wxpay/notify", notifications.asgi, methods=["POST"])
