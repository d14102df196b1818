"""微信支付回调，aiohttp.web · Notifications in aiohttp.web.

pip install wxpay-dsl
WXPAY_PROFILE=wxpay.toml python notify_aiohttp.py
"""

from __future__ import annotations

import os

from aiohttp import web

from wxpay_dsl import Notification, Notifications, wxpay

# 已处理的通知记在 SQLite，由本机各进程共用 · Handled notifications are recorded in SQLite, for all local processes.
notifications = Notifications(wxpay, store="notifications.db")


@notifications.on("TRANSACTION.SUCCESS")
async def paid(event: Notification) -> None:
    """支付成功；重复的通知不会再次调用 · A payment succeeded; not called again for duplicates."""
    order, amount = event.resource["out_trade_no"], event.resource["amount"]
    print(f"paid {order}: {amount['total']} fen", flush=True)


@notifications.on("REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED")
async def refunded(event: Notification) -> None:
    """退款结果 · The result of a refund."""
    print(f"refund {event.resource['out_refund_no']}: {event.resource['refund_status']}", flush=True)


async def end(app: web.Application) -> None:
    """等待正在运行的处理函数 · Wait for running handlers."""
    await notifications.close()
    await wxpay.close()


app = web.Application()
app.router.add_post("/wxpay/notify", notifications.aiohttp)
# 多商户：URL 里带商户号 · Many merchants: the URL contains the merchant id.
app.router.add_post("/wxpay/notify/{merchant}", notifications.aiohttp)
app.on_cleanup.append(end)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
