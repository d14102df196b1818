"""微信支付回调，FastAPI（Starlette 同样）· Notifications in FastAPI, and likewise in Starlette.

pip install wxpay-dsl fastapi uvicorn
WXPAY_PROFILE=wxpay.toml uvicorn notify_fastapi:app
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from wxpay_dsl import Notification, Notifications, wxpay

notifications = Notifications(wxpay, store="notifications.db")


@notifications.on("TRANSACTION.SUCCESS")
async def paid(event: Notification) -> None:
    """支付成功 · A payment: booked once, however often the service tells of it."""
    order, amount = event.resource["out_trade_no"], event.resource["amount"]
    print(f"paid {order}: {amount['total']} fen", flush=True)


@notifications.on(original_type="refund")
async def refunded(event: Notification) -> None:
    """退款结果 · What became of a refund."""
    print(f"refund {event.resource['out_refund_no']}: {event.resource['refund_status']}", flush=True)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """等待处理中的通知 · Waits, at the end, for handlers that still run."""
    yield
    await notifications.close()
    await wxpay.close()


app = FastAPI(lifespan=lifespan)
# 不要用 mount：少一个斜杠就会 307，微信支付不跟随 · Not by mount(): it redirects, and the service does not follow.
app.router.add_route("/wxpay/notify", notifications.asgi, methods=["POST"])
app.router.add_route("/wxpay/notify/{merchant}", notifications.asgi, methods=["POST"])
