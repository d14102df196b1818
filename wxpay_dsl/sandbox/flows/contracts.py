"""Contracts and what is collected by them, with the notifications that follow."""

from __future__ import annotations

from wxpay_dsl.sandbox.domain import contracts
from wxpay_dsl.sandbox.domain import transactions as paying
from wxpay_dsl.sandbox.domain.contracts import Contract
from wxpay_dsl.sandbox.domain.transactions import Transaction
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.sandbox.state.state import Event, State
from wxpay_dsl.sandbox.views import contracts as view
from wxpay_dsl.sandbox.views import v3

from .payments import place, record_payment

__all__ = ["collect", "deduct", "find", "presign", "sign", "terminate"]


def presign(state: State, wanted: Contract) -> Contract:
    """Ready for the user to sign. Raises Refusal."""
    known = state.contracts.get(wanted.product, wanted.mchid, wanted.plan_id, wanted.out_contract_code)
    return state.contracts.put(contracts.presign(wanted, known))


def find(found: Contract | None, product: str, caller: str) -> Contract:
    """Raises Refusal RESOURCE_NOT_EXISTS for none, or somebody else's."""
    if found is None or found.product != product or caller not in (found.caller, found.mchid):
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "签约协议不存在")
    return found


def sign(state: State, contract: Contract, openid: str) -> Contract:
    """The user signs. Raises Refusal."""
    signed = state.contracts.put(contracts.sign(contract, openid, state.now))
    _tell(state, signed, "ENTRUST.SIGN", "签约成功")
    return signed


def terminate(state: State, contract: Contract, by: str, remark: str) -> Contract:
    """Somebody ends it. Raises Refusal."""
    ended = state.contracts.put(contracts.terminate(contract, by, remark, state.now))
    _tell(state, ended, "ENTRUST.TERMINATE", "解约成功")
    return ended


def deduct(state: State, contract: Contract, order: Transaction) -> Transaction:
    """Accepts a collection; the money comes after the answer. Raises Refusal."""
    contracts.expect_signed(contract)
    placed = place(state, order)
    state.later("deduct", placed.mchid, placed.out_trade_no)
    return placed


def collect(state: State, order: Transaction) -> Transaction:
    """The user's money comes. Raises Refusal."""
    paid = record_payment(state, paying.pay(order, state.now, order.openid))
    resource = v3.transaction(paid)
    state.emit(Event(paid.caller, "TRANSACTION.SUCCESS", "transaction", resource, paid.notify_url, "支付成功"))
    return paid


def _tell(state: State, contract: Contract, kind: str, summary: str) -> None:
    if contract.notify_url:
        resource = view.papay_contract(contract)
        state.emit(Event(contract.caller, kind, "contract", resource, contract.notify_url, summary))
