"""微信支付回调，Flask · Notifications in Flask, or with any other WSGI application.

pip install wxpay-dsl flask gunicorn
WXPAY_PROFILE=wxpay.toml gunicorn --workers 2 notify_flask:app
"""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from wxpay_dsl import Notification, Notifications, wxpay

app = Flask(__name__)
notifications = Notifications(wxpay, store="notifications.db")


@notifications.on("TRANSACTION.SUCCESS")
def paid(event: Notification) -> None:
    """支付成功；在线程里运行，重复的通知不会再次调用 · A payment succeeded; runs in a thread, once in all workers."""
    with app.app_context():
        order, amount = event.resource["out_trade_no"], event.resource["amount"]
        print(f"paid {order}: {amount['total']} fen", flush=True)


@notifications.fallback
def other(event: Notification) -> None:
    """其他通知 · All other notifications."""
    print(f"{event.type} {event.id}", flush=True)


# /wxpay/notify 和 /wxpay/notify/{商户号} · With or without a merchant id at the end.
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/wxpay/notify": notifications.wsgi})
