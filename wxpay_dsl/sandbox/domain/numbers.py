"""New numbers in the forms that the service gives them."""

from __future__ import annotations

import secrets

from .times import compact

__all__ = [
    "batch_id",
    "bill_no",
    "complaint_id",
    "contract_id",
    "media_id",
    "prepay_id",
    "refund_id",
    "service_order_id",
    "share_id",
    "token",
    "transaction_id",
]


def transaction_id(now: float) -> str:
    """微信支付订单号: 28 digits that begin with 42."""
    return f"4200{_digits(6)}{compact(now)[:8]}{_digits(10)}"


def refund_id(now: float) -> str:
    """微信支付退款单号: 29 digits that begin with 50."""
    return f"5030{_digits(7)}{compact(now)[:8]}{_digits(10)}"


def prepay_id(now: float) -> str:
    """预支付交易会话标识."""
    return f"wx{compact(now)}{secrets.token_hex(10)}"


def service_order_id(now: float) -> str:
    """微信支付服务订单号 of 支付分."""
    return f"1500{_digits(6)}{compact(now)}{_digits(4)}"


def contract_id(now: float) -> str:
    """委托代扣协议号."""
    return f"{compact(now)[:8]}{_digits(10)}"


def share_id(now: float) -> str:
    """微信分账单号."""
    return f"3008{_digits(8)}{compact(now)[:8]}{_digits(8)}"


def bill_no(now: float) -> str:
    """微信转账单号."""
    return f"1330{_digits(8)}{compact(now)[:8]}{_digits(12)}"


def batch_id(now: float) -> str:
    """微信批次单号."""
    return f"1030{_digits(8)}{compact(now)[:8]}{_digits(12)}"


def complaint_id(now: float) -> str:
    """投诉单号."""
    return f"2002{compact(now)}{_digits(10)}"


def media_id() -> str:
    """媒体文件标识, percent-encoded as the service gives it."""
    return f"BB04{secrets.token_hex(20)}%3D%3D"


def token() -> str:
    """Something to be handed back, and not to be guessed."""
    return secrets.token_urlsafe(24)


def _digits(count: int) -> str:
    return str(secrets.randbelow(10**count)).zfill(count)
