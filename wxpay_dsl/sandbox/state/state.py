"""All that the sandbox knows of its merchants' business, and what it tells them of by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from wxpay_dsl.sandbox.domain.converters import numbers
from wxpay_dsl.sandbox.protocol.messages import Refusal

from .store import Store, Table

if TYPE_CHECKING:
    from wxpay_dsl.sandbox.domain.accounts import Account, Entry
    from wxpay_dsl.sandbox.domain.batches import Batch
    from wxpay_dsl.sandbox.domain.bills import Bill
    from wxpay_dsl.sandbox.domain.combined import CombinedOrder
    from wxpay_dsl.sandbox.domain.complaints import Complaint
    from wxpay_dsl.sandbox.domain.contracts import Contract
    from wxpay_dsl.sandbox.domain.deliveries import Delivery
    from wxpay_dsl.sandbox.domain.media import Medium
    from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
    from wxpay_dsl.sandbox.domain.refunds import Refund
    from wxpay_dsl.sandbox.domain.sharing import Receiver, Share, ShareReturn
    from wxpay_dsl.sandbox.domain.transactions import Transaction
    from wxpay_dsl.sandbox.domain.transfers import Transfer

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
    dialect: str = "v3"


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
        self.pending = self.store.table("pending", Pending, lambda one: (one.step, *one.key))
        self.settings = self.store.table("setting", Setting, lambda one: (one.name,))
        self._listeners: list[Callable[[Event], object]] = []
        self._events: list[Event] = []
        if file is not None:
            # What a file holds is read now, while somebody waits for it and can be told what is wrong.
            for name, found in vars(State).items():
                if isinstance(found, cached_property):
                    getattr(self, name)

    # A table is made, and its records' module loaded, when it is first touched: a sandbox starts without any.

    @cached_property
    def transactions(self) -> Table[Transaction]:
        """Orders, and the payments they become."""
        from wxpay_dsl.sandbox.domain.transactions import Transaction

        return self.store.table(
            "transaction",
            Transaction,
            lambda one: (one.mchid, one.out_trade_no),
            transaction_id=lambda one: one.transaction_id,
            prepay_id=lambda one: one.prepay_id,
            token=lambda one: one.token,
        )

    @cached_property
    def combined(self) -> Table[CombinedOrder]:
        """Combined orders (合单)."""
        from wxpay_dsl.sandbox.domain.combined import CombinedOrder

        return self.store.table(
            "combined",
            CombinedOrder,
            lambda one: (one.mchid, one.out_trade_no),
            prepay_id=lambda one: one.prepay_id,
            token=lambda one: one.token,
        )

    @cached_property
    def refunds(self) -> Table[Refund]:
        """Refunds (退款)."""
        from wxpay_dsl.sandbox.domain.refunds import Refund

        return self.store.table(
            "refund", Refund, lambda one: (one.mchid, one.out_refund_no), refund_id=lambda one: one.refund_id
        )

    @cached_property
    def receivers(self) -> Table[Receiver]:
        """Receivers of shares (分账接收方)."""
        from wxpay_dsl.sandbox.domain.sharing import Receiver

        return self.store.table("receiver", Receiver, lambda one: (one.mchid, one.type, one.account))

    @cached_property
    def shares(self) -> Table[Share]:
        """Orders of shares (分账单)."""
        from wxpay_dsl.sandbox.domain.sharing import Share

        return self.store.table(
            "share", Share, lambda one: (one.mchid, one.out_order_no), order_id=lambda one: one.order_id
        )

    @cached_property
    def share_returns(self) -> Table[ShareReturn]:
        """Shares given back (分账回退单)."""
        from wxpay_dsl.sandbox.domain.sharing import ShareReturn

        return self.store.table("share-return", ShareReturn, lambda one: (one.mchid, one.out_return_no))

    @cached_property
    def transfers(self) -> Table[Transfer]:
        """Transfers to users (转账单)."""
        from wxpay_dsl.sandbox.domain.transfers import Transfer

        return self.store.table(
            "transfer",
            Transfer,
            lambda one: (one.mchid, one.out_bill_no),
            bill_no=lambda one: one.bill_no,
            package=lambda one: one.package,
        )

    @cached_property
    def batches(self) -> Table[Batch]:
        """Batches of transfers (批次单)."""
        from wxpay_dsl.sandbox.domain.batches import Batch

        return self.store.table(
            "batch", Batch, lambda one: (one.mchid, one.out_batch_no), batch_id=lambda one: one.batch_id
        )

    @cached_property
    def service_orders(self) -> Table[ServiceOrder]:
        """Payscore orders (支付分订单)."""
        from wxpay_dsl.sandbox.domain.payscore import ServiceOrder

        return self.store.table(
            "service-order",
            ServiceOrder,
            lambda one: (one.mchid, one.out_order_no),
            order_id=lambda one: one.order_id,
            package=lambda one: one.package,
        )

    @cached_property
    def contracts(self) -> Table[Contract]:
        """Contracts (签约协议)."""
        from wxpay_dsl.sandbox.domain.contracts import Contract

        return self.store.table(
            "contract",
            Contract,
            lambda one: (one.product, one.mchid, one.plan_id, one.out_contract_code),
            token=lambda one: one.token,
            contract_id=lambda one: one.contract_id,
        )

    @cached_property
    def complaints(self) -> Table[Complaint]:
        """Complaints (投诉单)."""
        from wxpay_dsl.sandbox.domain.complaints import Complaint

        return self.store.table("complaint", Complaint, lambda one: (one.complaint_id,))

    @cached_property
    def media(self) -> Table[Medium]:
        """Uploaded files (媒体文件)."""
        from wxpay_dsl.sandbox.domain.media import Medium

        return self.store.table("medium", Medium, lambda one: (one.media_id,))

    @cached_property
    def bills(self) -> Table[Bill]:
        """Bills that were asked for (账单)."""
        from wxpay_dsl.sandbox.domain.bills import Bill

        return self.store.table("bill", Bill, lambda one: (one.token,))

    @cached_property
    def accounts(self) -> Table[Account]:
        """Accounts (基本账户)."""
        from wxpay_dsl.sandbox.domain.accounts import Account

        return self.store.table("account", Account, lambda one: (one.mchid,))

    @cached_property
    def entries(self) -> Table[Entry]:
        """What changed the accounts (资金流水)."""
        from wxpay_dsl.sandbox.domain.accounts import Entry

        return self.store.table("entry", Entry, lambda one: (one.mchid, str(one.number)))

    @cached_property
    def deliveries(self) -> Table[Delivery]:
        """Notifications (通知): what is to be delivered, and what was."""
        from wxpay_dsl.sandbox.domain.deliveries import Delivery

        return self.store.table("delivery", Delivery, lambda one: (one.id,))

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

    def set_auto_complete(self, *, automatic: bool) -> None:
        """See :attr:`automatic`."""
        self.settings.put(Setting(_AUTOMATIC, automatic))

    def later(self, step: str, *key: str) -> None:
        """Puts a step off until the present call is answered."""
        self.pending.put(Pending(step, key))

    def account(self, mchid: str) -> Account:
        """A merchant's account."""
        from wxpay_dsl.sandbox.domain.accounts import Account

        return self.accounts.get(mchid) or Account(mchid)

    def book(self, mchid: str, kind: str, amount: int, voucher: str) -> None:
        """Changes a merchant's balance by ``amount`` fen, with an entry."""
        from wxpay_dsl.sandbox.domain.accounts import book

        account, entry = book(self.account(mchid), self.now, kind, amount, voucher)
        self.accounts.put(account)
        self.entries.put(entry)

    def emit(self, event: Event) -> None:
        """Tells the listeners of an event, at the end of the unit of work."""
        self._events.append(event)

    def listen(self, listener: Callable[[Event], object]) -> None:
        """``listener(event)`` is called at the end of each unit of work, for each of its events in order.

        What it puts into the state is kept, or undone, together with what the event tells of.
        """
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
                self._tell()
        except BaseException:
            self._events.clear()
            raise
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
