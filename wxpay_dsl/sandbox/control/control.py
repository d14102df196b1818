"""What a test may do to a sandbox beyond calling it as a merchant: be the payer, move the clock, break things.

The same as the methods here is served under ``/sandbox/`` (see :mod:`.control_api`).
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Final

import attrs

from wxpay_dsl.sandbox.domain.contracts import Contract
from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.flows import complaints, contracts, payments, settling
from wxpay_dsl.sandbox.keys.identity import Merchant, throwaway_merchant
from wxpay_dsl.sandbox.keys.platform import MODES, Mode, Platform
from wxpay_dsl.sandbox.notifications.sender import NotificationSender
from wxpay_dsl.sandbox.protocol.faults import Faults
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import State

from . import payer

__all__ = ["TABLES", "Control"]

#: What can be listed, and the table that it is in.
TABLES: Final = {
    "transactions": "transactions",
    "combined-orders": "combined",
    "refunds": "refunds",
    "service-orders": "service_orders",
    "contracts": "contracts",
    "profit_sharing_orders": "shares",
    "share-returns": "share_returns",
    "receivers": "receivers",
    "transfers": "transfers",
    "batches": "batches",
    "complaints": "complaints",
    "accounts": "accounts",
    "ledger_entries": "entries",
    "pending": "pending",
    "notifications": "deliveries",
}
_TEN_YEARS: Final = 10 * 366 * 86400
_ENDS: Final = ("succeed", "abnormal", "close")


class Control:
    """A hand on the sandbox. Every step raises Refusal, with the service's own code, where it cannot be taken."""

    def __init__(
        self,
        state: State,
        platform: Platform,
        merchants: MutableMapping[str, Merchant],
        faults: Faults,
        sender: NotificationSender,
    ) -> None:
        self.state = state
        self.platform = platform
        self.merchants = merchants
        self.faults = faults
        self.sender = sender
        self._mode: Mode = platform.mode

    def pay(self, thing: str, openid: str = "") -> dict[str, Any]:
        """Pays an order by its ``code_url``, ``prepay_id``, ``h5_url`` or number; gives its record."""
        return self._approve(thing, openid)

    def sign(self, thing: str, openid: str = "") -> dict[str, Any]:
        """Signs a contract by its token, link or number; gives its record, with ``contract_id``."""
        return self._approve(thing, openid)

    def confirm(self, thing: str, openid: str = "") -> dict[str, Any]:
        """Confirms a payscore order or takes a transfer, by its package or number; gives its record."""
        return self._approve(thing, openid)

    def decline(self, thing: str) -> dict[str, Any]:
        """Does not pay, or does not take a transfer; gives the record."""
        with self.state.unit():
            declined = payer.decline(self.state, payer.find(self.state, thing))
        return _record(declined)

    def terminate(self, contract_id: str) -> dict[str, Any]:
        """The user ends a contract; gives its record."""
        with self.state.unit():
            found = self.state.contracts.find("contract_id", contract_id)
            if found is None:
                raise Refusal(404, "RESOURCE_NOT_EXISTS", "签约协议不存在", signed=False)
            ended: Contract = contracts.terminate(self.state, found, "USER_TERMINATE", "")
        return _record(ended)

    def complete_refund(self, number: str, how: str) -> dict[str, Any]:
        """Lets a refund that is under way ``succeed``, become ``abnormal`` or ``close``, by either of its numbers."""
        with self.state.unit():
            found = self.state.refunds.find("refund_id", number) or next(
                (one for one in reversed(self.state.refunds.all()) if one.out_refund_no == number), None
            )
            if found is None:
                raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在", signed=False)
            if how not in _ENDS:
                raise Refusal(400, "PARAM_ERROR", f"{how!r}: {', '.join(_ENDS)}", signed=False)
            self.state.pending.drop("refund", found.mchid, found.out_refund_no)
            steps: dict[str, Callable[[State, Refund], Refund]] = {
                "succeed": payments.succeed_refund,
                "abnormal": payments.get_stuck,
                "close": payments.close_refund,
            }
            ended = steps[how](self.state, found)
        return _record(ended)

    def create_complaint(self, thing: str, detail: str = "", phone: str = "13800000000") -> dict[str, Any]:
        """The payer of a transaction complains about it; gives the complaint's record."""
        state = self.state
        with state.unit():
            found = state.transactions.find("transaction_id", thing) or payer.find(state, thing)
            transaction_id = getattr(found, "transaction_id", "")
            if not transaction_id:
                raise Refusal(400, "INVALID_REQUEST", "只有已支付的订单可以投诉", signed=False)
            paid = state.transactions.find("transaction_id", transaction_id)
            if paid is None:
                raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在", signed=False)
            complaint = complaints.create(state, paid, detail, phone)
        return _record(complaint)

    def advance_clock(self, seconds: float) -> float:
        """Moves the clock on; gives the sandbox's new present, Unix time. Signatures keep the machine's time.

        Raises ValueError for less than 0 seconds, or more than ten years.
        """
        if not 0 <= seconds <= _TEN_YEARS:
            raise ValueError(f"the clock goes on by 0 to {_TEN_YEARS} seconds at a time, not {seconds}")
        with self.state.unit():
            self.state.advance(seconds)
        self.sender.wake()
        return self.state.now

    def set_auto_complete(self, *, automatic: bool) -> None:
        """Whether refunds, shares, batches and collections come to their end by themselves, once answered (True)."""
        with self.state.unit():
            self.state.set_auto_complete(automatic=automatic)

    def run_pending(self) -> int:
        """Takes all steps that are pending now; gives how many."""
        return settling.settle(self.state)

    def set_balance(self, mchid: str, fen: int) -> None:
        """Gives a merchant's account another balance."""
        with self.state.unit():
            account = self.state.account(mchid)
            self.state.book(mchid, "调整", fen - account.balance, "sandbox")

    def stage_certificate(self) -> str:
        """A new platform certificate can be downloaded, and does not sign yet; gives its serial."""
        return self.platform.stage_certificate().id

    def rotate_certificate(self) -> str:
        """The announced platform certificate, or else a new one, signs from now on; gives its serial."""
        return self.platform.rotate_certificate().id

    def set_mode(self, mode: Mode) -> None:
        """``public-key``, ``certificate`` or ``both``: how the platform signs from now on. Raises ValueError."""
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
        self.platform.mode = mode

    def add_merchant(self, mchid: str) -> Merchant:
        """One more merchant, with keys of its own; the same as before where it is known. Raises ValueError."""
        if not (mchid.isascii() and mchid.isdigit() and 6 <= len(mchid) <= 16):
            raise ValueError(f"a merchant id is 6 to 16 digits, not {mchid!r:.40}")
        if mchid not in self.merchants:
            self.merchants[mchid] = throwaway_merchant(mchid)
        return self.merchants[mchid]

    def list(self, what: str) -> list[dict[str, Any]]:
        """The records of one kind (:data:`TABLES`), oldest first. Raises Refusal RESOURCE_NOT_EXISTS."""
        if what not in TABLES:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", f"{what!r}: {', '.join(TABLES)}", signed=False)
        return [_record(record) for record in getattr(self.state, TABLES[what]).all()]

    def reset(self) -> None:
        """As it was when it started: no business, no faults, the machine's clock; merchants and keys stay."""
        self.state.reset()
        self.platform.mode = self._mode
        self.faults.clear()
        self.sender.forget()

    def _approve(self, thing: str, openid: str) -> dict[str, Any]:
        with self.state.unit():
            done = payer.approve(self.state, payer.find(self.state, thing), openid)
        if self.state.automatic:
            self.run_pending()
        return _record(done)


def _record(record: Any) -> dict[str, Any]:
    return attrs.asdict(record, filter=lambda attribute, _: attribute.name not in ("contents", "encoded"))
