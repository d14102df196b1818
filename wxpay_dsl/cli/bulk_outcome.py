"""What an answer says of a row of a bulk run: whether it is about that row, and what state it names. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

if TYPE_CHECKING:
    from wxpay_dsl.core.model import Operation, Schema

__all__ = ["Told", "failure_of", "is_number", "numbers_of", "query_problem", "told_by_query"]

#: Merchants' own numbers of what a call does: 商户订单号, 商户退款单号, 商户单号 …
_NUMBER: Final = re.compile(r"(?:combine_)?out_(?!.*mchid)\w+|partner_trade_no|mch_billno")
#: Fields that say how far a thing has come.
_STATE: Final = re.compile(r"(?:\w+_)?(?:state|status)")
#: ``refund_status_0``, ``coupon_refund_id_0_1``: APIv2 numbers the fields of what there may be many of.
_NUMBERED: Final = re.compile(r"(\w+?)((?:_\d+)+|(?:_\$\w)+)")
#: It was done, money has moved (or is there to be taken: a red packet that is SENT).
_SUCCEEDED: Final = frozenset({"SUCCESS", "FINISHED", "COMPLETED", "DONE", "SENT", "RECEIVED"})
#: It was accepted: as good as done where the call itself answers with such a state.
_ACCEPTED: Final = frozenset({"ACCEPTED", "PROCESSING", "WAIT_USER_CONFIRM", "TRANSFERING", "WAIT_PAY"})
#: It was not done, or undone, and no money moves any more.
_FAILED: Final = frozenset(
    {"FAIL", "FAILED", "BANK_FAIL", "PAYERROR", "CLOSED", "CLOSE", "REFUNDCLOSE", "CANCELLED", "CANCELED", "REVOKED"}
)
#: Of those, what a call's own answer may say of the very thing that it asked for: closing answers CLOSED, and succeeds.
_REFUSED: Final = frozenset({"FAIL", "FAILED", "BANK_FAIL"})
#: Operations that undo something: the state of what they undo does not say whether they were executed.
_UNDOING: Final = re.compile(r"cancel|close|closeorder|reverse|revoke|terminate|unfreeze|delete|stop|deactivate")


@frozen
class Told:
    """What a query's answer says of a row."""

    #: ``done``: executed; ``refused``: failed for good; ``unknown``: neither is said.
    state: Literal["done", "refused", "unknown"]
    message: str = ""


def is_number(name: str) -> bool:
    """Whether a field of this name is a merchant's own number of what a call does."""
    return _NUMBER.fullmatch(name) is not None


def numbers_of(sent: Any) -> dict[str, str]:
    """The merchant's own numbers in what a row sends, objects within it included; arrays hold those of other things."""
    found: dict[str, str] = {}
    if isinstance(sent, Mapping):
        for name, value in sent.items():
            if isinstance(value, Mapping):
                found |= numbers_of(value)
            elif isinstance(value, (str, int)) and is_number(name):
                found[name] = str(value)
    return found


def query_problem(operation: Operation, asked: Operation, numbers: Mapping[str, str]) -> str:
    """Why ``asked`` cannot tell what became of a row of ``operation`` with these numbers; empty if it can."""
    last = operation.chain[-1].strip("{}")
    if _UNDOING.fullmatch(last):
        return f"{operation.name} undoes something, and the state of what it undoes does not say whether that was done"
    if not numbers:
        return "the rows have no number of yours (out_trade_no, out_refund_no, out_bill_no …) by which one can be found"
    if asked.returns is not None:
        names = {*_names(asked.returns)}
        missing = next((name for name in numbers if name not in names), None)
        if missing is not None:
            return f"its answer does not say {missing}, so it cannot be about a row of {operation.name}"
        if not any(_STATE.fullmatch(name) for name in names):
            return "its answer names no state (trade_state, refund_status, state …)"
    return ""


def told_by_query(data: Any, numbers: Mapping[str, str], own: Schema | None) -> Told:
    """What a query's answer says of the row with these ``numbers``.

    ``own`` is the answer of the called operation itself. Where that has the same field, a state on the way
    (``WAIT_USER_CONFIRM``) is what the call would have answered, and counts as done, as it does then.
    """
    if not numbers:
        return Told("unknown", "the query's answer cannot be told to be about this row: the row has no number of yours")
    shown = ", ".join(f"{name}={number}" for name, number in numbers.items())
    records = list(_about(data, numbers))
    if not records:
        return Told("unknown", f"the query's answer is not about {shown}")
    states = [
        (name, value)
        for record in records
        for name, value in record.items()
        if _STATE.fullmatch(name) and isinstance(value, str) and value
    ]
    if not states:
        return Told("unknown", f"the query's answer names no state of {shown}")
    said = ", ".join(f"{name} {value[:60]}" for name, value in states[:5])
    if any(value in _FAILED for _, value in states):
        return Told("refused", f"the query says: {said}")
    if all(value in _SUCCEEDED or (value in _ACCEPTED and own and name in own.properties) for name, value in states):
        return Told("done")
    return Told("unknown", f"the query says: {said}; ask again later")


def failure_of(data: Any) -> str:
    """The state by which a successful answer of the call itself says that it failed; empty if it says no such thing."""
    if not isinstance(data, Mapping):
        return ""
    states = ((name, value) for name, value in data.items() if _STATE.fullmatch(name) and isinstance(value, str))
    return next((f"{name} {value}" for name, value in states if value in _REFUSED), "")


def _about(data: Any, numbers: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The records of an answer that have all the numbers, their own or those of what they are in."""
    for inherited, own in _records(data, {}):
        every = {**inherited, **own}
        matches = all(str(every.get(name)) == number for name, number in numbers.items())
        # What merely lies within it (a receiver of a profit sharing) has a state of its own.
        if matches and any(name in own for name in numbers):
            yield own


def _records(data: Any, inherited: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each object of an answer as ``(fields of the objects that it is in, its own fields)``.

    Fields that APIv2 numbers alike (``out_refund_no_0``, ``refund_status_0``) are one object's.
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
    """The names of all fields of a schema, numbered ones without their numbers."""
    for name, below in schema.properties.items():
        numbered = _NUMBERED.fullmatch(name)
        yield numbered[1] if numbered else name
        yield from _names(below)
    if schema.items is not None:
        yield from _names(schema.items)
