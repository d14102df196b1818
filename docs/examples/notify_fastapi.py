"""微信支付回调，FastAPI（Starlette 同样）· Notifications in FastAPI; the same in Starlette.

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
    """支付成功；重复的通知不会再次调用 · A payment succeeded; not called again for duplicates."""
    order, amount = event.resource["out_trade_no"], event.resource["amount"]
    print(f"paid {order}: {amount['total']} fen", flush=True)


@notifications.on(original_type="refund")
async def refunded(event: Notification) -> None:
    """退款结果 · The result of a refund."""
    print(f"refund {event.resource['out_refund_no']}: {event.resource['refund_status']}", flush=True)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """结束时等待正在运行的处理函数 · Wait for running handlers at shutdown."""
    yield
    await notifications.close()
    await wxpay.close()


app = FastAPI(lifespan=lifespan)
# 不要用 mount()：它会 307 跳转，而微信支付不跟随 · Do not use mount(): it redirects, and the service does not follow.
app.router.add_route("/wxpay/notify", notifications.asgi, methods=["POST"])
app.router.add_route("/wxpay/notify/{merchant}", notifications.asgi, methods=["POST"])
