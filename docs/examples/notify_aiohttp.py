"""微信支付回调，aiohttp.web · Notifications in aiohttp.web.

pip install wxpay-dsl
WXPAY_PROFILE=wxpay.toml python notify_aiohttp.py
"""

from __future__ import annotations

import os

from aiohttp import web

from wxpay_dsl import Notification, Notifications, wxpay

# 已处理的通知记在 SQLite，同机多进程共用 · What was handled is kept in SQLite, for all processes of this machine.
notifications = Notifications(wxpay, store="notifications.db")


@notifications.on("TRANSACTION.SUCCESS")
async def paid(event: Notification) -> None:
    """支付成功 · A payment: booked once, however often the service tells of it."""
    order, amount = event.resource["out_trade_no"], event.resource["amount"]
    print(f"paid {order}: {amount['total']} fen", flush=True)


@notifications.on("REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED")
async def refunded(event: Notification) -> None:
    """退款结果 · What became of a refund."""
    print(f"refund {event.resource['out_refund_no']}: {event.resource['refund_status']}", flush=True)


async def end(app: web.Application) -> None:
    """等待处理中的通知 · Waits for handlers that still run."""
    await notifications.close()
    await wxpay.close()


app = web.Application()
app.router.add_post("/wxpay/notify", notifications.aiohttp)
# 多商户：URL 里带商户号 · Many merchants: each has its own URL.
app.router.add_post("/wxpay/notify/{merchant}", notifications.aiohttp)
app.on_cleanup.append(end)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
