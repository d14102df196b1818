"""小店：下单、二维码、支付通知、退款，账在 SQLite · A shop in FastAPI: order, QR code, notification, refund, in SQLite.

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
BOOKS = os.environ.get("BOOKS", "shop.db")

notifications = Notifications(wxpay, store="notifications.db")


class Wish(BaseModel):
    """要买什么 · What is bought."""

    description: str = Field(max_length=127)
    #: 分 · fen
    total: int = Field(gt=0)


def books() -> sqlite3.Connection:
    """账本；每次写都提交到磁盘才返回 · The books; a write is on disk before it returns."""
    connection = sqlite3.connect(BOOKS, isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection


def change(statement: str, *values: Any) -> int:
    """改了几行 · How many rows were changed."""
    with closing(books()) as connection:
        return connection.execute(statement, values).rowcount


def order_of(number: str) -> dict[str, Any]:
    """一张订单 · One order. Raises HTTPException 404."""
    with closing(books()) as connection:
        row = connection.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such order 没有这张订单")
    return dict(row)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """开店，打烊 · Opens, and closes."""
    change(
        "CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, description TEXT NOT NULL, total INTEGER NOT NULL,"
        " state TEXT NOT NULL, code_url TEXT, transaction_id TEXT, refund TEXT UNIQUE)"
    )
    yield
    await notifications.close()
    await wxpay.close()


app = FastAPI(title="小店", lifespan=lifespan)


@app.post("/orders", status_code=201)
async def order(wish: Wish) -> dict[str, Any]:
    """先记账，再下单：中断了也知道有过这个单号 · Booked first: whatever breaks, the number is known."""
    number = secrets.token_hex(16)
    change("INSERT INTO orders VALUES (?, ?, ?, 'NEW', NULL, NULL, NULL)", number, wish.description, wish.total)
    return await place(number)


async def place(number: str) -> dict[str, Any]:
    """用记下的单号下单；可以重复 · Places it under the number that was booked; may be repeated."""
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
    change(
        "UPDATE orders SET state = 'NOTPAY', code_url = ? WHERE number = ? AND state = 'NEW'",
        response.data["code_url"],
        number,
    )
    return order_of(number)


@app.get("/orders/{number}")
async def look(number: str) -> dict[str, Any]:
    """没等到通知就主动查单 · Asks, where no notification has come yet."""
    found = order_of(number)
    if found["state"] in ("NEW", "NOTPAY"):
        try:
            response = await wxpay.v3.pay.transactions.outTradeNo[number].get(mchid=wxpay.settings.mchid)
        except OrderNotExistError:
            return await place(number)
        if response.data["trade_state"] == "SUCCESS":
            book(response.data)
    return order_of(number)


@app.get("/orders/{number}/qr.svg")
async def code(number: str) -> Response:
    """用户扫的码 · What the user scans."""
    found = order_of(number)
    if not found["code_url"]:
        raise HTTPException(409, "not placed yet 尚未下单")
    return Response(qr.svg(found["code_url"]), media_type="image/svg+xml")


@app.post("/orders/{number}/refund")
async def refund(number: str) -> dict[str, Any]:
    """退款单号先记账，重复点也只退一次 · The number is booked first: however often it is clicked, it is one refund."""
    change(
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


def book(payment: Any) -> None:
    """入账：金额要对，且只从未付变为已付 · Booked only if the amount is right, and only once."""
    changed = change(
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
    """支付成功 · A payment."""
    book(event.resource)


@notifications.on("REFUND.SUCCESS")
def refunded(event: Notification) -> None:
    """退款成功 · A refund has arrived."""
    change("UPDATE orders SET state = 'REFUNDED' WHERE refund = ?", event.resource["out_refund_no"])


app.router.add_route("/wxpay/notify", notifications.asgi, methods=["POST"])
