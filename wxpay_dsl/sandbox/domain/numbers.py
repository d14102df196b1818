"""Makes ids in the formats of the service: transaction ids, refund ids, contract ids and so on.

Each ``…_id`` here is called with the current Unix time and returns a new id.
"""

from __future__ import annotations

import secrets
from typing import Final

from attrs import frozen

from .times import compact

__all__ = [
    "IdFormat",
    "batch_id",
    "bill_no",
    "complaint_id",
    "contract_id",
    "media_id",
    "prepay_id",
    "profit_sharing_id",
    "refund_id",
    "service_order_id",
    "token",
    "transaction_id",
]

_DATE: Final = len("20260102")
_TIME: Final = len("20260102150405")


@frozen
class IdFormat:
    """The format of one kind of id: a prefix, random digits, the time of creation, and random digits again.

    Calling it with the current Unix time returns a new id.
    """

    prefix: str
    #: How many random digits stand before the time.
    before: int
    #: How many digits of the time (``YYYYMMDDhhmmss``, Beijing) it has.
    time: int
    #: How many random digits stand after the time.
    after: int

    def __call__(self, now: float) -> str:
        return f"{self.prefix}{_digits(self.before)}{compact(now)[: self.time]}{_digits(self.after)}"


#: 微信支付订单号: 28 digits.
transaction_id: Final = IdFormat("4200", 6, _DATE, 10)
#: 微信支付退款单号: 29 digits.
refund_id: Final = IdFormat("5030", 7, _DATE, 10)
#: 微信支付服务订单号 of 支付分.
service_order_id: Final = IdFormat("1500", 6, _TIME, 4)
#: 委托代扣协议号.
contract_id: Final = IdFormat("", 0, _DATE, 10)
#: 微信分账单号; details and returns have ids of the same format.
profit_sharing_id: Final = IdFormat("3008", 8, _DATE, 8)
#: 微信转账单号.
bill_no: Final = IdFormat("1330", 8, _DATE, 12)
#: 微信批次单号; details have ids of the same format.
batch_id: Final = IdFormat("1030", 8, _DATE, 12)
#: 投诉单号.
complaint_id: Final = IdFormat("2002", 0, _TIME, 10)


def prepay_id(now: float) -> str:
    """预支付交易会话标识: ``wx``, the time of creation, and 20 hexadecimal digits."""
    return f"wx{compact(now)}{secrets.token_hex(10)}"


def media_id() -> str:
    """媒体文件标识, percent-encoded as the service returns it."""
    return f"BB04{secrets.token_hex(20)}%3D%3D"


def token() -> str:
    """A random, URL-safe token that cannot be guessed."""
    return secrets.token_urlsafe(24)


def _digits(count: int) -> str:
    return str(secrets.randbelow(10**count)).zfill(count) if count else ""
