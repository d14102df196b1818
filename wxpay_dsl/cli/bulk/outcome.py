"""Interprets responses for a row of a bulk run: whether one is about that row, and which state it names. No I/O."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

if TYPE_CHECKING:
    from wxpay_dsl.core.specs.model import Operation, Schema

__all__ = ["QueryOutcome", "failure_of", "is_number", "numbers_of", "query_outcome", "query_problem"]

#: Names of the merchant's own numbers: 商户订单号, 商户退款单号, 商户单号 …
_NUMBER: Final = re.compile(r"(?:combine_)?out_(?!.*mchid)\w+|partner_trade_no|mch_billno")
#: Names of fields that hold a state.
_STATE: Final = re.compile(r"(?:\w+_)?(?:state|status)")
#: ``refund_status_0``, ``coupon_refund_id_0_1``: APIv2 numbers the fields of repeated records.
_NUMBERED: Final = re.compile(r"(\w+?)((?:_\d+)+|(?:_\$\w)+)")
#: States after execution: money has moved, or waits for its receiver (a red packet that is SENT).
_SUCCEEDED: Final = frozenset({"SUCCESS", "FINISHED", "COMPLETED", "DONE", "SENT", "RECEIVED"})
#: States of an accepted request: a success if the response of the call itself has this state.
_ACCEPTED: Final = frozenset({"ACCEPTED", "PROCESSING", "WAIT_USER_CONFIRM", "TRANSFERING", "WAIT_PAY"})
#: Final states of what was not executed, or was undone: no money moves any more.
_FAILED: Final = frozenset(
    {"FAIL", "FAILED", "BANK_FAIL", "PAYERROR", "CLOSED", "CLOSE", "REFUNDCLOSE", "CANCELLED", "CANCELED", "REVOKED"}
)
#: Those that mean failure in the response of the call itself: a call that closes answers CLOSED, and has succeeded.
_CALL_FAILED: Final = frozenset({"FAIL", "FAILED", "BANK_FAIL"})
#: Last segments of operations that undo something: the state of what they undo does not tell whether they executed.
_UNDOING: Final = re.compile(r"cancel|close|closeorder|reverse|revoke|terminate|unfreeze|delete|stop|deactivate")


@frozen
class QueryOutcome:
    """What the response of a query says about a row."""

    #: ``succeeded``: executed; ``rejected``: finally failed; ``unknown``: neither.
    state: Literal["succeeded", "rejected", "unknown"]
    message: str = ""


def is_number(name: str) -> bool:
    """Whether a field of this name holds a number that the merchant has assigned (``out_trade_no`` …)."""
    return _NUMBER.fullmatch(name) is not None


def numbers_of(data: Any) -> dict[str, str]:
    """The merchant's own numbers in the data of a row, by name; inner objects are searched, arrays are not."""
    numbers: dict[str, str] = {}
    if isinstance(data, Mapping):
        for name, value in data.items():
            if isinstance(value, Mapping):
                numbers |= numbers_of(value)
            elif isinstance(value, (str, int)) and is_number(name):
                numbers[name] = str(value)
    return numbers


def query_problem(operation: Operation, query: Operation, numbers: Mapping[str, str]) -> str:
    """Why ``query`` cannot tell the outcome of a row of ``operation`` with these numbers; empty if it can."""
    last = operation.chain[-1].strip("{}")
    if _UNDOING.fullmatch(last):
        return (
            f"{operation.name} undoes something, and the state of what it undoes does not say whether it was executed"
        )
    if not numbers:
        return "the rows have no number of yours (out_trade_no, out_refund_no, out_bill_no …) to query by"
    if query.returns is not None:
        names = {*_names(query.returns)}
        missing = next((name for name in numbers if name not in names), None)
        if missing is not None:
            return f"its response does not say {missing}, so it cannot be about a row of {operation.name}"
        if not any(_STATE.fullmatch(name) for name in names):
            return "its response has no state (trade_state, refund_status, state …)"
    return ""


def query_outcome(data: Any, numbers: Mapping[str, str], own: Schema | None) -> QueryOutcome:
    """The outcome of the row with these ``numbers``, from the response ``data`` of a query.

    ``own`` is the response schema of the called operation itself. If it has the same field, a state of an accepted
    request (``WAIT_USER_CONFIRM``) counts as success, as it does in the response of the call.
    """
    if not numbers:
        return QueryOutcome("unknown", "the row has no number of yours by which to match the response of the query")
    shown = ", ".join(f"{name}={number}" for name, number in numbers.items())
    records = list(_about(data, numbers))
    if not records:
        return QueryOutcome("unknown", f"the response of the query is not about {shown}")
    states = [
        (name, value)
        for record in records
        for name, value in record.items()
        if _STATE.fullmatch(name) and isinstance(value, str) and value
    ]
    if not states:
        return QueryOutcome("unknown", f"the response of the query has no state of {shown}")
    shown_states = ", ".join(f"{name} {value[:60]}" for name, value in states[:5])
    if any(value in _FAILED for _, value in states):
        return QueryOutcome("rejected", f"the query says: {shown_states}")
    if all(value in _SUCCEEDED or (value in _ACCEPTED and own and name in own.properties) for name, value in states):
        return QueryOutcome("succeeded")
    return QueryOutcome("unknown", f"the query says: {shown_states}; ask again later")


def failure_of(data: Any) -> str:
    """The state by which a 2xx response of the call itself says that it failed; empty if it does not."""
    if not isinstance(data, Mapping):
        return ""
    states = ((name, value) for name, value in data.items() if _STATE.fullmatch(name) and isinstance(value, str))
    return next((f"{name} {value}" for name, value in states if value in _CALL_FAILED), "")


def _about(data: Any, numbers: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The records of a response that have all the numbers, in their own fields or in those of enclosing objects."""
    for inherited, own in _records(data, {}):
        every = {**inherited, **own}
        matches = all(str(every.get(name)) == number for name, number in numbers.items())
        # A record without any of the numbers (a receiver of a profit sharing) has a state of its own.
        if matches and any(name in own for name in numbers):
            yield own


def _records(data: Any, inherited: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each object of a response as ``(fields of the enclosing objects, its own fields)``.

    APIv2 fields with the same number (``out_refund_no_0``, ``refund_status_0``) form one object.
    """
    if isinstance(data, list):
        for item in data:
            yield from _records(item, inherited)
    if not isinstance(data, Mapping):
        return
    own: dict[str, Any] = {}
    counted: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    below = []
    for name, value in data.items():
        numbered = _NUMBERED.fullmatch(name)
        if isinstance(value, (Mapping, list)):
            below.append(value)
        elif numbered:
            counted[numbered[2]][numbered[1]] = value
        else:
            own[name] = value
    yield inherited, own
    outer = {**inherited, **own}
    for record in counted.values():
        yield outer, record
    for each in below:
        yield from _records(each, outer)


def _names(schema: Schema) -> Iterator[str]:
    """The names of all fields of a schema, at any depth; APIv2's numbered ones without their numbers."""
    for name, below in schema.properties.items():
        numbered = _NUMBERED.fullmatch(name)
        yield numbered[1] if numbered else name
        yield from _names(below)
    if schema.items is not None:
        yield from _names(schema.items)
