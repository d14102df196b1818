"""What a test can do to a sandbox beyond calling it as a merchant: act as the payer, move the clock, inject faults.

The same methods are served over HTTP under ``/sandbox/`` (:mod:`.http_api`).
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Final

import attrs

from wxpay_dsl.sandbox.domain.contracts import Contract
from wxpay_dsl.sandbox.domain.refunds import Refund
from wxpay_dsl.sandbox.flows import complaints, contracts, pending_steps, refunds
from wxpay_dsl.sandbox.keys.identity import Merchant, throwaway_merchant
from wxpay_dsl.sandbox.keys.platform import MODES, Mode, Platform
from wxpay_dsl.sandbox.notifications.sender import NotificationSender
from wxpay_dsl.sandbox.protocol.faults import Faults
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import State

from . import payer

__all__ = ["TABLES", "Control"]

#: The kinds of records that can be listed, and the attribute of the state that holds each.
TABLES: Final = {
    "transactions": "transactions",
    "combined_orders": "combined",
    "refunds": "refunds",
    "service_orders": "service_orders",
    "contracts": "contracts",
    "profit_sharing_orders": "profit_sharing_orders",
    "profit_sharing_returns": "profit_sharing_returns",
    "receivers": "receivers",
    "transfers": "transfers",
    "batches": "batches",
    "complaints": "complaints",
    "accounts": "accounts",
    "ledger_entries": "ledger_entries",
    "pending": "pending",
    "notifications": "deliveries",
}
_TEN_YEARS: Final = 10 * 366 * 86400
_OUTCOMES: Final = ("succeed", "abnormal", "close")


class Control:
    """Controls a sandbox. A method whose step is not possible raises Refusal with the service's error code."""

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

    def pay(self, reference: str, openid: str = "") -> dict[str, Any]:
        """Pay an order, given its ``code_url``, ``prepay_id``, ``h5_url`` or number, and return its record."""
        return self._approve(reference, openid)

    def sign(self, reference: str, openid: str = "") -> dict[str, Any]:
        """Sign a contract, given its token, link or number, and return its record, with ``contract_id``."""
        return self._approve(reference, openid)

    def confirm(self, reference: str, openid: str = "") -> dict[str, Any]:
        """Confirm a payscore order or accept a transfer, given its package or number, and return its record."""
        return self._approve(reference, openid)

    def decline(self, reference: str) -> dict[str, Any]:
        """Decline to pay an order or to accept a transfer, and return its record."""
        with self.state.unit():
            declined = payer.decline(self.state, payer.find(self.state, reference))
        return _record(declined)

    def terminate(self, contract_id: str) -> dict[str, Any]:
        """Terminate a contract as its user, and return its record."""
        with self.state.unit():
            found = self.state.contracts.find("contract_id", contract_id)
            if found is None:
                raise Refusal(404, "RESOURCE_NOT_EXISTS", "签约协议不存在", signed=False)
            ended: Contract = contracts.terminate(self.state, found, "USER_TERMINATE", "")
        return _record(ended)

    def complete_refund(self, number: str, outcome: str) -> dict[str, Any]:
        """Complete a pending refund, given either of its numbers, and return its record.

        ``outcome``: ``"succeed"``, ``"abnormal"`` or ``"close"``.
        """
        with self.state.unit():
            found = self.state.refunds.find("refund_id", number) or next(
                (one for one in reversed(self.state.refunds.all()) if one.out_refund_no == number), None
            )
            if found is None:
                raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在", signed=False)
            if outcome not in _OUTCOMES:
                message = f"the outcome {outcome!r:.40} is not one of {', '.join(_OUTCOMES)}"
                raise Refusal(400, "PARAM_ERROR", message, signed=False)
            self.state.pending.drop("refund", found.mchid, found.out_refund_no)
            steps: dict[str, Callable[[State, Refund], Refund]] = {
                "succeed": refunds.succeed,
                "abnormal": refunds.mark_abnormal,
                "close": refunds.close,
            }
            ended = steps[outcome](self.state, found)
        return _record(ended)

    def create_complaint(self, reference: str, detail: str = "", phone: str = "13800000000") -> dict[str, Any]:
        """Complain about a paid order as its payer and return the complaint's record.

        ``reference``: its number, ``transaction_id`` or link.
        """
        state = self.state
        with state.unit():
            found = state.transactions.find("transaction_id", reference) or payer.find(state, reference)
            transaction_id = getattr(found, "transaction_id", "")
            if not transaction_id:
                raise Refusal(400, "INVALID_REQUEST", "只有已支付的订单可以投诉", signed=False)
            paid = state.transactions.find("transaction_id", transaction_id)
            if paid is None:
                raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在", signed=False)
            complaint = complaints.create_complaint(state, paid, detail, phone)
        return _record(complaint)

    def advance_clock(self, seconds: float) -> float:
        """Advance the sandbox's clock and return its new time, a Unix time in seconds.

        Signatures still use the machine's time. Raises ValueError for less than 0 seconds or more than ten years.
        """
        if not 0 <= seconds <= _TEN_YEARS:
            raise ValueError(f"the clock can be advanced by 0 to {_TEN_YEARS} seconds at a time, not {seconds}")
        with self.state.unit():
            self.state.advance(seconds)
        self.sender.wake()
        return self.state.now

    def set_auto_complete(self, *, automatic: bool) -> None:
        """Set whether refunds, profit sharing, batches and collections complete right after their call (the default).

        Otherwise they stay pending until :meth:`run_pending`.
        """
        with self.state.unit():
            self.state.set_auto_complete(automatic=automatic)

    def run_pending(self) -> int:
        """Complete all pending steps and return how many there were."""
        return pending_steps.run_pending(self.state)

    def set_balance(self, mchid: str, fen: int) -> None:
        """Set the balance of a merchant's account, in fen."""
        with self.state.unit():
            account = self.state.account(mchid)
            self.state.book(mchid, "调整", fen - account.balance, "sandbox")

    def stage_certificate(self) -> str:
        """Make a new platform certificate available for download, not signing yet, and return its serial."""
        return self.platform.stage_certificate().id

    def rotate_certificate(self) -> str:
        """Sign with the staged platform certificate, or with a new one if none is staged, and return its serial."""
        return self.platform.rotate_certificate().id

    def set_mode(self, mode: Mode) -> None:
        """Set the keys that the platform signs with: ``public-key``, ``certificate`` or ``both``. Raises ValueError."""
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
        self.platform.mode = mode

    def add_merchant(self, mchid: str) -> Merchant:
        """Add a merchant with keys of its own and return it; an existing one is returned unchanged.

        Raises ValueError for an id that is not 6 to 16 digits.
        """
        if not (mchid.isascii() and mchid.isdigit() and 6 <= len(mchid) <= 16):
            raise ValueError(f"a merchant id is 6 to 16 digits, not {mchid!r:.40}")
        if mchid not in self.merchants:
            self.merchants[mchid] = throwaway_merchant(mchid)
        return self.merchants[mchid]

    def list(self, kind: str) -> list[dict[str, Any]]:
        """The records of one kind, a key of :data:`TABLES`, oldest first. Raises Refusal RESOURCE_NOT_EXISTS."""
        if kind not in TABLES:
            message = f"{kind!r:.80} cannot be listed; the kinds are {', '.join(TABLES)}"
            raise Refusal(404, "RESOURCE_NOT_EXISTS", message, signed=False)
        return [_record(record) for record in getattr(self.state, TABLES[kind]).all()]

    def reset(self) -> None:
        """Restore the state at the start: no records, no faults, the machine's clock. Merchants and keys are kept."""
        self.state.reset()
        self.platform.mode = self._mode
        self.faults.clear()
        self.sender.reset()

    def _approve(self, reference: str, openid: str) -> dict[str, Any]:
        with self.state.unit():
            done = payer.approve(self.state, payer.find(self.state, reference), openid)
        if self.state.automatic:
            self.run_pending()
        return _record(done)


def _record(record: Any) -> dict[str, Any]:
    return attrs.asdict(record, filter=lambda attribute, _: attribute.name not in ("contents", "encoded"))
