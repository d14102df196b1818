"""A merchant's money: a balance, and an entry for everything that changed it."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

__all__ = ["FEE_RATE", "OPENING", "Account", "Entry", "book", "fee"]

#: 手续费率, as bills show it.
FEE_RATE: Final = "0.60%"
#: Fen that a merchant has before its first payment, so that transfers can be tried at once.
OPENING: Final = 100_000_000


@frozen
class Account:
    """基本账户. ``balance`` and ``frozen`` (waiting to be shared) are fen."""

    mchid: str
    balance: int = OPENING
    entries: int = 0


@frozen
class Entry:
    """One line of the fund-flow bill (资金账单). ``amount`` is fen, below 0 for what was paid out."""

    mchid: str
    number: int
    at: float
    #: 业务类型: 交易 退款 扣除交易手续费 分账 转账 …
    kind: str
    amount: int
    balance: int
    #: 资金流水单号
    flow_no: str
    #: 业务凭证号
    voucher: str


def fee(total: int) -> int:
    """The service's fee for ``total`` fen, in fen, rounded half up."""
    return (total * 60 + 5000) // 10000


def book(account: Account, at: float, kind: str, amount: int, voucher: str) -> tuple[Account, Entry]:
    """The account after an entry, and the entry."""
    number = account.entries + 1
    after = evolve(account, balance=account.balance + amount, entries=number)
    flow_no = f"{int(at)}{number:010d}"
    return after, Entry(account.mchid, number, at, kind, amount, after.balance, flow_no, voucher)
