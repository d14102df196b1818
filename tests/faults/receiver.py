"""Records payments from notifications: ``python -m tests.faults.receiver PORT STORE``, in a folder with ``home``.

``shop.db`` has ``payments``. Where STORE is that file, a payment and its mark are one transaction; with any other store
the database itself holds that a payment is booked once, and ``runs`` how often the handler did it.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import time

from aiohttp import web

from wxpay_dsl import Notification, Wechatpay
from wxpay_dsl.notify import Claim, Notifications
from wxpay_dsl.notify.stores import Store, open_store
from wxpay_dsl.notify.stores.redis import RedisStore
from wxpay_dsl.notify.stores.sqlite import SqliteStore

DATABASE = "shop.db"
TABLES = """
CREATE TABLE IF NOT EXISTS payments (number TEXT, total INTEGER, event TEXT);
CREATE TABLE IF NOT EXISTS runs (event TEXT);
CREATE TABLE IF NOT EXISTS handled (event TEXT PRIMARY KEY);
"""
#: Seconds. A crash in the middle of a handler is made good after so long.
LEASE = 2.0


def main(port: int, where: str) -> None:
    logging.basicConfig(level=logging.ERROR)
    with sqlite3.connect(DATABASE) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(TABLES)
    own = where == DATABASE
    store: Store = RedisStore(where, timeout=0.5) if where.startswith("redis") else open_store(where)
    notifications = Notifications(Wechatpay(profile="home/wxpay.toml"), store=store, lease=LEASE, ack_timeout=1.0)

    @notifications.on("TRANSACTION.SUCCESS")
    def paid(event: Notification, claim: Claim) -> None:
        time.sleep(0.005)  # long enough to be killed in
        payment = (event.resource["out_trade_no"], event.resource["amount"]["total"], event.id)
        with sqlite3.connect(DATABASE, timeout=30) as database:
            if own and isinstance(store, SqliteStore):
                database.execute("INSERT INTO payments VALUES (?, ?, ?)", payment)
                store.mark_done(claim, database)
                return
            database.execute("INSERT INTO runs VALUES (?)", (event.id,))
            if database.execute("INSERT OR IGNORE INTO handled VALUES (?)", (event.key,)).rowcount:
                database.execute("INSERT INTO payments VALUES (?, ?, ?)", payment)

    application = web.Application()
    application.router.add_post("/notify", notifications.aiohttp)
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
