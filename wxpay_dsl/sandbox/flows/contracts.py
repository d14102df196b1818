"""Contracts and the deductions under them, with their notifications."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import contracts, transactions
from wxpay_dsl.sandbox.domain.contracts import Contract
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import contracts as view
from wxpay_dsl.sandbox.views import transactions as transaction_view

from .payments import create_order, record_payment

__all__ = ["collect", "deduct", "expect_own", "presign", "sign", "terminate"]


def presign(state: State, requested: Contract) -> Contract:
    """Creates a contract for the user to sign. Raises Refusal."""
    existing = state.contracts.get(requested.product, requested.mchid, requested.plan_id, requested.out_contract_code)
    return state.contracts.put(contracts.presign(requested, existing))


def expect_own(contract: Contract | None, product: str, caller: str) -> Contract:
    """Returns the contract. Raises Refusal RESOURCE_NOT_EXISTS for None, or if it is not the caller's."""
    if contract is None or contract.product != product or caller not in (contract.caller, contract.mchid):
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "签约协议不存在")
    return contract


def sign(state: State, contract: Contract, openid: str) -> Contract:
    """Signs a contract as the user ``openid``. Raises Refusal."""
    signed = state.contracts.put(contracts.sign(contract, openid, state.now))
    _notify(state, signed, "ENTRUST.SIGN", "签约成功")
    return signed


def terminate(state: State, contract: Contract, by: str, remark: str) -> Contract:
    """Terminates a contract; ``by`` is ``MCH_API_TERMINATE`` or ``USER_TERMINATE``. Raises Refusal."""
    ended = state.contracts.put(contracts.terminate(contract, by, remark, state.now))
    _notify(state, ended, "ENTRUST.TERMINATE", "解约成功")
    return ended


def deduct(state: State, contract: Contract, order: Transaction) -> Transaction:
    """Accepts a deduction; it is collected after the response. Raises Refusal."""
    contracts.expect_signed(contract)
    created = create_order(state, order)
    state.add_pending("deduct", created.mchid, created.out_trade_no)
    return created


def collect(state: State, order: Transaction) -> Transaction:
    """Collects a deduction from the user. Raises Refusal."""
    paid = record_payment(state, transactions.pay(order, state.now, order.openid))
    resource = transaction_view.transaction(paid)
    state.emit(Event(paid.caller, "TRANSACTION.SUCCESS", "transaction", resource, paid.notify_url, "支付成功"))
    return paid


def _notify(state: State, contract: Contract, kind: str, summary: str) -> None:
    if contract.notify_url:
        resource = view.papay_contract(contract)
        state.emit(Event(contract.caller, kind, "contract", resource, contract.notify_url, summary))
