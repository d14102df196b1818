"""The state of the sandbox: one table for each kind of record, the clock, pending steps and events to notify of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from wxpay_dsl.sandbox.domain.converters import strings
from wxpay_dsl.sandbox.protocol.messages import Refusal

from .store import Store
from .tables import TableField

if TYPE_CHECKING:
    from wxpay_dsl.sandbox.domain.accounts import Account, LedgerEntry
    from wxpay_dsl.sandbox.domain.bills import Bill
    from wxpay_dsl.sandbox.domain.combined import CombinedOrder
    from wxpay_dsl.sandbox.domain.complaints import Complaint
    from wxpay_dsl.sandbox.domain.contracts import Contract
    from wxpay_dsl.sandbox.domain.deliveries import Delivery
    from wxpay_dsl.sandbox.domain.media import MediaFile
    from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
    from wxpay_dsl.sandbox.domain.refunds import Refund
    from wxpay_dsl.sandbox.domain.sharing import ProfitSharingOrder, ProfitSharingReturn, Receiver
    from wxpay_dsl.sandbox.domain.transactions import Transaction
    from wxpay_dsl.sandbox.domain.transfers import Batch, Transfer

__all__ = ["Event", "Pending", "Setting", "State"]

_CLOCK: Final = "clock"
_AUTOMATIC: Final = "automatic"


@frozen
class Event:
    """An event that a merchant is notified of (通知)."""

    #: The merchant to notify; for partners' orders the partner.
    mchid: str
    #: The type as ``tree().event(…)`` takes it: ``TRANSACTION.SUCCESS``, or ``v2/transaction-success`` for APIv2.
    event_type: str
    #: The kind of the resource, such as ``transaction``.
    original_type: str
    #: The fields of the decrypted resource; for APIv2 the fields of the message without its signature.
    resource: Mapping[str, Any] = field(repr=False)
    #: The URL to notify; empty if the merchant gave none.
    notify_url: str
    summary: str = ""
    #: ``v3`` or ``v2``.
    dialect: str = "v3"


@frozen
class Pending:
    """A step that the service takes after the response, such as finishing a refund."""

    #: ``refund share batch deduct collect``: see :mod:`wxpay_dsl.sandbox.flows.pending_steps`.
    step: str
    key: tuple[str, ...] = field(converter=strings)


@frozen
class Setting:
    """A setting, by its name: made by the control API or by a merchant."""

    name: str
    value: Any


class State:
    """All records of the sandbox. Every change happens inside :meth:`unit`."""

    #: Orders and their payments (支付订单).
    transactions: TableField[Transaction] = TableField(
        "transaction",
        "transactions.Transaction",
        key=("mchid", "out_trade_no"),
        indexes=("transaction_id", "prepay_id", "token"),
    )
    #: Combined orders (合单).
    combined: TableField[CombinedOrder] = TableField(
        "combined", "combined.CombinedOrder", key=("mchid", "out_trade_no"), indexes=("prepay_id", "token")
    )
    #: Refunds (退款).
    refunds: TableField[Refund] = TableField(
        "refund", "refunds.Refund", key=("mchid", "out_refund_no"), indexes=("refund_id",)
    )
    #: Receivers of profit sharing (分账接收方).
    receivers: TableField[Receiver] = TableField("receiver", "sharing.Receiver", key=("mchid", "type", "account"))
    #: Profit sharing orders (分账单).
    profit_sharing_orders: TableField[ProfitSharingOrder] = TableField(
        "share", "sharing.ProfitSharingOrder", key=("mchid", "out_order_no"), indexes=("order_id",)
    )
    #: Returns of shared money (分账回退单).
    profit_sharing_returns: TableField[ProfitSharingReturn] = TableField(
        "share-return", "sharing.ProfitSharingReturn", key=("mchid", "out_return_no")
    )
    #: Transfers to users (转账单).
    transfers: TableField[Transfer] = TableField(
        "transfer", "transfers.Transfer", key=("mchid", "out_bill_no"), indexes=("bill_no", "package")
    )
    #: Batches of transfers (批次单).
    batches: TableField[Batch] = TableField(
        "batch", "transfers.Batch", key=("mchid", "out_batch_no"), indexes=("batch_id",)
    )
    #: Payscore orders (支付分订单).
    service_orders: TableField[ServiceOrder] = TableField(
        "service-order", "payscore.ServiceOrder", key=("mchid", "out_order_no"), indexes=("order_id", "package")
    )
    #: Contracts (签约协议).
    contracts: TableField[Contract] = TableField(
        "contract",
        "contracts.Contract",
        key=("product", "mchid", "plan_id", "out_contract_code"),
        indexes=("token", "contract_id"),
    )
    #: Complaints (投诉单).
    complaints: TableField[Complaint] = TableField("complaint", "complaints.Complaint", key=("complaint_id",))
    #: Uploaded files (媒体文件).
    media: TableField[MediaFile] = TableField("medium", "media.MediaFile", key=("media_id",))
    #: Requested bills (账单).
    bills: TableField[Bill] = TableField("bill", "bills.Bill", key=("token",))
    #: Accounts (基本账户).
    accounts: TableField[Account] = TableField("account", "accounts.Account", key=("mchid",))
    #: Ledger entries of the accounts (资金流水).
    ledger_entries: TableField[LedgerEntry] = TableField("entry", "accounts.LedgerEntry", key=("mchid", "number"))
    #: Notifications (通知) and the state of their delivery.
    deliveries: TableField[Delivery] = TableField("delivery", "deliveries.Delivery", key=("id",))

    def __init__(self, file: Path | None = None) -> None:
        """Keeps the state in memory, and in ``file`` if given. Raises ConfigurationError if the file cannot be used."""
        self.store = Store(file)
        self.pending = self.store.table("pending", Pending, key=("step", "key"))
        self.settings = self.store.table("setting", Setting, key=("name",))
        self._listeners: list[Callable[[Event], object]] = []
        self._events: list[Event] = []
        if file is not None:
            # Read all of the file at once, so that the caller of the constructor sees its errors.
            for name, declared in vars(State).items():
                if isinstance(declared, TableField):
                    getattr(self, name)

    @property
    def now(self) -> float:
        """The sandbox's current Unix time in seconds: the machine's time plus what the clock was advanced by."""
        return time.time() + float(self._setting(_CLOCK, 0.0))

    @property
    def automatic(self) -> bool:
        """Whether pending steps run right after the response, rather than on request."""
        return bool(self._setting(_AUTOMATIC, True))

    def advance(self, seconds: float) -> None:
        """Advances the clock by a number of seconds."""
        self.settings.put(Setting(_CLOCK, float(self._setting(_CLOCK, 0.0)) + seconds))

    def set_auto_complete(self, *, automatic: bool) -> None:
        """See :attr:`automatic`."""
        self.settings.put(Setting(_AUTOMATIC, automatic))

    def add_pending(self, step: str, *key: str) -> None:
        """Adds a step to be run after the response to the current call; ``key`` is the key of its record."""
        self.pending.put(Pending(step, key))

    def account(self, mchid: str) -> Account:
        """Returns a merchant's account, a new one if it has none yet."""
        from wxpay_dsl.sandbox.domain.accounts import Account

        return self.accounts.get(mchid) or Account(mchid)

    def book(self, mchid: str, kind: str, amount: int, voucher: str) -> None:
        """Changes a merchant's balance by ``amount`` fen and adds a ledger entry.

        ``kind``: its business type (业务类型); ``voucher``: its 业务凭证号.
        """
        from wxpay_dsl.sandbox.domain.accounts import book

        account, entry = book(self.account(mchid), self.now, kind, amount, voucher)
        self.accounts.put(account)
        self.ledger_entries.put(entry)

    def emit(self, event: Event) -> None:
        """Passes an event to the listeners at the end of the unit of work."""
        self._events.append(event)

    def listen(self, listener: Callable[[Event], object]) -> None:
        """Registers a function that is called with each event, in order, at the end of the unit of work.

        What it writes to the state is committed, or rolled back, together with that unit.
        """
        self._listeners.append(listener)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """A unit of work: committed with its events at the end, or rolled back if it raises.

        A Refusal with ``keeps`` set commits as well, and is raised again.
        """
        kept: Refusal | None = None
        try:
            with self.store.unit():
                try:
                    yield
                except Refusal as refusal:
                    if not refusal.keeps:
                        raise
                    kept = refusal
                self._dispatch_events()
        except BaseException:
            self._events.clear()
            raise
        if kept is not None:
            raise kept

    def _dispatch_events(self) -> None:
        events, self._events = self._events, []
        for event in events:
            for listener in self._listeners:
                listener(event)

    def reset(self) -> None:
        """Deletes all records; merchants and keys are kept elsewhere."""
        self.store.reset()
        self._events.clear()

    def close(self) -> None:
        """Closes the file."""
        self.store.close()

    def _setting(self, name: str, default: Any) -> Any:
        setting = self.settings.get(name)
        return default if setting is None else setting.value
