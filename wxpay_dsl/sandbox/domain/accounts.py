"""The account of a merchant (基本账户): its balance, and a ledger entry for each change."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

__all__ = ["FEE_RATE", "OPENING_BALANCE", "Account", "LedgerEntry", "book", "fee"]

#: The fee rate (手续费率) as printed on bills; :func:`fee` computes with it.
FEE_RATE: Final = "0.60%"
#: Balance of a new account in fen, so that transfers work before the first payment.
OPENING_BALANCE: Final = 100_000_000


@frozen
class Account:
    """An account (基本账户). ``balance`` is in fen; ``entries`` is the number of ledger entries so far."""

    mchid: str
    balance: int = OPENING_BALANCE
    entries: int = 0


@frozen
class LedgerEntry:
    """One line of the fund-flow bill (资金账单).

    ``amount`` is in fen, negative for money paid out; ``balance`` is the balance after it, in fen; ``at`` is Unix time.
    """

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
    """Returns the service's fee for a payment of ``total`` fen, in fen, rounded half up."""
    return (total * 60 + 5000) // 10000


def book(account: Account, at: float, kind: str, amount: int, voucher: str) -> tuple[Account, LedgerEntry]:
    """Books ``amount`` fen; returns the account after the entry, and the entry."""
    number = account.entries + 1
    after = evolve(account, balance=account.balance + amount, entries=number)
    flow_no = f"{int(at)}{number:010d}"
    return after, LedgerEntry(account.mchid, number, at, kind, amount, after.balance, flow_no, voucher)
