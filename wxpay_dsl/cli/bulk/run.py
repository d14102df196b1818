"""Sends the rows of a bulk run with limits on concurrency and rate, and records each step before the next.

A row is sent again only if it cannot have been executed, or if the spec says that the operation may be repeated, and
then with the same numbers. The outcome of any other unknown row is queried, or stays unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from wxpay_dsl.core.errors import ConnectionFailedError, SdkError, ServiceError
from wxpay_dsl.core.specs.model import SECTIONS

from .journal import Entry, Journal, State
from .outcome import failure_of, query_outcome
from .rows import Row

if TYPE_CHECKING:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.core.chain.node import Target

__all__ = ["Plan", "pending", "run"]


@frozen
class Plan:
    """What a run calls, and how."""

    target: Target = field(repr=False)
    #: Whether sending a row twice has the same effect as sending it once.
    repeatable: bool
    #: The operation that queries the outcome of an unknown row by fields of the same names; None: no query.
    query: Target | None = field(default=None, repr=False)
    concurrency: int = 8
    #: Calls per second, at most; None: no limit.
    rate: float | None = None
    #: Whether rejected rows are sent again, unchanged.
    retry_rejected: bool = False


def pending(plan: Plan, rows: Sequence[Row], journal: Journal) -> Iterator[tuple[int, Row, bool]]:
    """``(number from 1, row, whether to query rather than send it)`` of each row that has work left."""
    for number, row in enumerate(rows, 1):
        entry = journal.entries.get(number)
        if entry is None or entry.state == "not_sent":
            yield number, row, False
        elif entry.state in ("sent", "unknown"):
            if plan.repeatable:
                yield number, row, False
            elif plan.query is not None:
                yield number, row, True
        elif entry.state == "rejected" and plan.retry_rejected:
            yield number, row, False


async def run(
    plan: Plan,
    client: Wechatpay,
    rows: Sequence[Row],
    journal: Journal,
    on_settled: Callable[[Entry], None],
    stop: asyncio.Event,
) -> None:
    """Sends or queries the pending rows; calls ``on_settled`` with each outcome.

    Once ``stop`` is set, no more rows are started. Raises OSError if the journal cannot be written: then no more rows
    are sent.
    """
    work = iter([*pending(plan, rows, journal)])
    rate_limit = _RateLimit(plan.rate)

    async def worker() -> None:
        for number, row, query_only in work:
            await rate_limit.wait(stop)
            if stop.is_set():
                return
            before = journal.entries.get(number)
            entry = Entry(number, row.digest, "sent")
            if not query_only:
                await journal.add(entry)
                entry = await _send(plan, client, row, entry, before)
            if plan.query is not None and (query_only or entry.state == "unknown"):
                entry = await _query(plan, plan.query, client, row, entry)
            await journal.add(entry)
            on_settled(entry)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.concurrency):
                group.create_task(worker())
    except BaseExceptionGroup as several:
        # A worker that fails cancels the others: report the first error.
        raise several.exceptions[0] from None


async def _send(plan: Plan, client: Wechatpay, row: Row, entry: Entry, before: Entry | None) -> Entry:
    try:
        response = await client.call(plan.target, row.data, row.fields)
    except SdkError as error:
        return _failed(plan, error, entry, before)
    failure = failure_of(response.data)
    if failure:
        return evolve(_with_response(response, entry), state="rejected", message=f"the response says: {failure}")
    return evolve(_with_response(response, entry), state="succeeded")


async def _query(plan: Plan, query: Target, client: Wechatpay, row: Row, entry: Entry) -> Entry:
    """The row's entry after a query.

    It stays ``unknown`` if the query fails, or its response is not about the row or has no final state.
    """
    operation = query.declared.operation() if query.declared is not None else None
    schemas = [operation.section(name) for name in SECTIONS] if operation is not None else []
    names = {name for schema in schemas if schema is not None for name in schema.properties}
    given = {name: value for name, value in {**row.fields, **(row.data or {})}.items() if name in names}
    if operation is not None and operation.dialect == "v3" and "mchid" in names:
        given.setdefault("mchid", client.settings.mchid)
    try:
        response = await client.call(query, None, given)
    except SdkError as error:
        return evolve(entry, state="unknown", message=f"the query: {error}")
    own = plan.target.declared.operation().returns if plan.target.declared is not None else None
    outcome = query_outcome(response.data, row.numbers, own)
    return evolve(_with_response(response, entry), state=outcome.state, code="", message=outcome.message)


def _with_response(response: Any, entry: Entry) -> Entry:
    data = response.data if not isinstance(response.data, bytes) else None
    return evolve(entry, status=response.status, request_id=response.request_id, data=data)


def _failed(plan: Plan, error: SdkError, entry: Entry, before: Entry | None) -> Entry:
    from wxpay_dsl import RateLimitError

    if isinstance(error, ServiceError):
        state: State = "rejected"
        if error.outcome_unknown or error.status >= 500 or _already_executed(error, before):
            state = "unknown"
        elif isinstance(error, RateLimitError):
            # An error response is not signed: a gateway may have limited the response, or an attacker written it. So
            # only a row that may be repeated counts as not sent.
            state = "not_sent" if plan.repeatable else "unknown"
        message = error.message or str(error)
        if state == "unknown" and isinstance(error, RateLimitError):
            message += "; this rate limit is not signed, so the row may have been executed (limit calls with --rate)"
        return evolve(
            entry, state=state, status=error.status, code=error.code, message=message, request_id=error.request_id
        )
    not_sent = isinstance(error, ConnectionFailedError) and not error.sent
    # Any other error may have occurred after the request was sent.
    return evolve(entry, state="not_sent" if not_sent else "unknown", message=str(error))


def _already_executed(error: ServiceError, before: Entry | None) -> bool:
    """Whether the refusal may mean that an earlier attempt without a response was executed."""
    from wxpay_dsl import OrderPaidError, OutTradeNoUsedError, ResourceAlreadyExistsError

    refusals = (OrderPaidError, OutTradeNoUsedError, ResourceAlreadyExistsError)
    return before is not None and before.state in ("sent", "unknown") and isinstance(error, refusals)


class _RateLimit:
    """Spaces calls evenly, at most ``rate`` per second."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 0.0 if rate is None else 1 / rate
        self._next = 0.0

    async def wait(self, stop: asyncio.Event) -> None:
        """Waits for the next free time slot, or until ``stop`` is set."""
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        slot = max(now, self._next)
        self._next = slot + self._gap
        with suppress(TimeoutError):
            async with asyncio.timeout(slot - now):
                await stop.wait()
