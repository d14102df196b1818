"""All that the sandbox knows of its merchants' business, and what it tells them of by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from .domain.accounts import Account, Entry, book
from .domain.batches import Batch
from .domain.bills import Bill
from .domain.combined import CombinedOrder
from .domain.complaints import Complaint
from .domain.contracts import Contract
from .domain.converters import numbers
from .domain.media import Medium
from .domain.payscore import ServiceOrder
from .domain.refunds import Refund
from .domain.sharing import Receiver, Share, ShareReturn
from .domain.transactions import Transaction
from .domain.transfers import Transfer
from .messages import Refusal
from .store import Store

__all__ = ["Event", "Pending", "Setting", "State"]

_CLOCK: Final = "clock"
_AUTOMATIC: Final = "automatic"


@frozen
class Event:
    """Something that the service tells a merchant of (通知)."""

    #: Who is told: the partner, where there is one.
    mchid: str
    #: ``TRANSACTION.SUCCESS``, as ``tree().event(…)`` knows it; of APIv2 ``v2/transaction-success``.
    event_type: str
    #: ``transaction``: what the resource is.
    original_type: str
    #: The fields of the resource, decrypted; of APIv2 the message's own, without its signature.
    resource: Mapping[str, Any] = field(repr=False)
    #: Where the merchant wants to hear of it; empty where it said nothing.
    notify_url: str
    summary: str = ""
    #: ``v3`` or ``v2``.
    family: str = "v3"


@frozen
class Pending:
    """A step that the service takes by itself, after it has answered."""

    #: ``refund share batch deduct collect``
    step: str
    key: tuple[str, ...] = field(converter=numbers)


@frozen
class Setting:
    """Something that the control API has set."""

    name: str
    value: Any


class State:
    """The records of all merchants. Every change happens inside :meth:`unit`."""

    def __init__(self, file: Path | None = None) -> None:
        """In memory, or kept in ``file``. Raises ConfigurationError for a file that cannot be used."""
        self.store = Store(file)
        table = self.store.table
        self.transactions = table(
            "transaction",
            Transaction,
            lambda one: (one.mchid, one.out_trade_no),
            transaction_id=lambda one: one.transaction_id,
            prepay_id=lambda one: one.prepay_id,
            token=lambda one: one.token,
        )
        self.combined = table(
            "combined",
            CombinedOrder,
            lambda one: (one.mchid, one.out_trade_no),
            prepay_id=lambda one: one.prepay_id,
            token=lambda one: one.token,
        )
        self.refunds = table(
            "refund", Refund, lambda one: (one.mchid, one.out_refund_no), refund_id=lambda one: one.refund_id
        )
        self.receivers = table("receiver", Receiver, lambda one: (one.mchid, one.type, one.account))
        self.shares = table(
            "share", Share, lambda one: (one.mchid, one.out_order_no), order_id=lambda one: one.order_id
        )
        self.share_returns = table("share-return", ShareReturn, lambda one: (one.mchid, one.out_return_no))
        self.transfers = table(
            "transfer",
            Transfer,
            lambda one: (one.mchid, one.out_bill_no),
            bill_no=lambda one: one.bill_no,
            package=lambda one: one.package,
        )
        self.batches = table(
            "batch", Batch, lambda one: (one.mchid, one.out_batch_no), batch_id=lambda one: one.batch_id
        )
        self.service_orders = table(
            "service-order",
            ServiceOrder,
            lambda one: (one.mchid, one.out_order_no),
            order_id=lambda one: one.order_id,
            package=lambda one: one.package,
        )
        self.contracts = table(
            "contract",
            Contract,
            lambda one: (one.product, one.mchid, one.plan_id, one.out_contract_code),
            token=lambda one: one.token,
            contract_id=lambda one: one.contract_id,
        )
        self.complaints = table("complaint", Complaint, lambda one: (one.complaint_id,))
        self.media = table("medium", Medium, lambda one: (one.media_id,))
        self.bills = table("bill", Bill, lambda one: (one.token,))
        self.accounts = table("account", Account, lambda one: (one.mchid,))
        self.entries = table("entry", Entry, lambda one: (one.mchid, str(one.number)))
        self.pending = table("pending", Pending, lambda one: (one.step, *one.key))
        self.settings = table("setting", Setting, lambda one: (one.name,))
        self._listeners: list[Callable[[Event], object]] = []
        self._events: list[Event] = []

    @property
    def now(self) -> float:
        """The sandbox's present, Unix time in seconds: the machine's, moved by what the clock was advanced."""
        return time.time() + float(self._setting(_CLOCK, 0.0))

    @property
    def automatic(self) -> bool:
        """Whether steps that take the service a while happen at once, rather than when they are told to."""
        return bool(self._setting(_AUTOMATIC, True))

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self.settings.put(Setting(_CLOCK, float(self._setting(_CLOCK, 0.0)) + seconds))

    def set_automatic(self, *, automatic: bool) -> None:
        """See :attr:`automatic`."""
        self.settings.put(Setting(_AUTOMATIC, automatic))

    def later(self, step: str, *key: str) -> None:
        """Puts a step off until the present call is answered."""
        self.pending.put(Pending(step, key))

    def account(self, mchid: str) -> Account:
        """A merchant's account."""
        return self.accounts.get(mchid) or Account(mchid)

    def book(self, mchid: str, kind: str, amount: int, voucher: str) -> None:
        """Changes a merchant's balance by ``amount`` fen, with an entry."""
        account, entry = book(self.account(mchid), self.now, kind, amount, voucher)
        self.accounts.put(account)
        self.entries.put(entry)

    def emit(self, event: Event) -> None:
        """Tells the listeners of an event, once the unit of work is kept."""
        self._events.append(event)

    def listen(self, listener: Callable[[Event], object]) -> None:
        """``listener(event)`` is called after each unit of work, for each of its events in order."""
        self._listeners.append(listener)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """A unit of work: kept and told of whole, or undone whole."""
        kept: Refusal | None = None
        try:
            with self.store.unit():
                try:
                    yield
                except Refusal as refusal:
                    if not refusal.keeps:
                        raise
                    kept = refusal
        except BaseException:
            self._events.clear()
            raise
        self._tell()
        if kept is not None:
            raise kept

    def _tell(self) -> None:
        events, self._events = self._events, []
        for event in events:
            for listener in self._listeners:
                listener(event)

    def reset(self) -> None:
        """Forgets all business; merchants and keys stay."""
        self.store.reset()
        self._events.clear()

    def close(self) -> None:
        """Closes the file."""
        self.store.close()

    def _setting(self, name: str, default: Any) -> Any:
        setting = self.settings.get(name)
        return default if setting is None else setting.value
