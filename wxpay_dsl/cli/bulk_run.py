"""Runs the rows of a bulk run: so many at once, so many a second, each step in the journal before the next.

A row is sent again only where it cannot have been executed, or where the spec says that the operation may be repeated;
then with the very same numbers. Any other whose outcome is unknown is asked for, or reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from wxpay_dsl.core.errors import ConnectionFailedError, SdkError, ServiceError
from wxpay_dsl.core.model import SECTIONS

from .bulk_journal import Entry, Journal, State
from .bulk_outcome import failure_of, told_by_query
from .bulk_rows import Row

if TYPE_CHECKING:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.core.chain import Target

__all__ = ["Plan", "pending", "run"]


@frozen
class Plan:
    """How a run is done."""

    target: Target = field(repr=False)
    #: Whether sending a row again does what sending it once does.
    repeatable: bool
    #: What tells the outcome of a row that cannot be sent again, by fields of the same names; None: nobody.
    query: Target | None = field(default=None, repr=False)
    concurrency: int = 8
    #: Calls a second, at most; None for as many as go.
    rate: float | None = None
    #: Refused rows are sent again, as they are.
    retry_refused: bool = False


def pending(plan: Plan, rows: Sequence[Row], journal: Journal) -> Iterator[tuple[int, Row, bool]]:
    """``(number, row, whether it is to be asked for rather than sent)`` of each row that is not settled."""
    for number, row in enumerate(rows, 1):
        known = journal.entries.get(number)
        if known is None or known.state == "unsent":
            yield number, row, False
        elif known.state in ("sent", "unknown"):
            if plan.repeatable:
                yield number, row, False
            elif plan.query is not None:
                yield number, row, True
        elif known.state == "refused" and plan.retry_refused:
            yield number, row, False


async def run(
    plan: Plan,
    client: Wechatpay,
    rows: Sequence[Row],
    journal: Journal,
    settled: Callable[[Entry], None],
    stop: asyncio.Event,
) -> None:
    """Runs what is pending; ``settled`` is told of each row's outcome, and ``stop`` ends it after those under way.

    Raises OSError where the journal cannot be written: then nothing more is sent.
    """
    work = iter([*pending(plan, rows, journal)])
    pace = _Pace(plan.rate)

    async def worker() -> None:
        for number, row, ask in work:
            await pace.turn(stop)
            if stop.is_set():
                return
            before = journal.entries.get(number)
            entry = Entry(number, row.digest, "sent")
            if not ask:
                await journal.add(entry)
                entry = await _send(plan, client, row, entry, before)
            if plan.query is not None and (ask or entry.state == "unknown"):
                entry = await _ask(plan, plan.query, client, row, entry)
            await journal.add(entry)
            settled(entry)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.concurrency):
                group.create_task(worker())
    except BaseExceptionGroup as several:
        # The first says it: a worker that cannot write stops the others.
        raise several.exceptions[0] from None


async def _send(plan: Plan, client: Wechatpay, row: Row, entry: Entry, before: Entry | None) -> Entry:
    try:
        reply = await client.call(plan.target, row.data, row.fields)
    except SdkError as error:
        return _failed(plan, error, entry, before)
    failure = failure_of(reply.data)
    if failure:
        return evolve(_answered(reply, entry), state="refused", message=f"the answer says: {failure}")
    return evolve(_answered(reply, entry), state="done")


async def _ask(plan: Plan, query: Target, client: Wechatpay, row: Row, entry: Entry) -> Entry:
    """The outcome of a row as the query tells it.

    Where its answer is not about this row, or says neither success nor failure, the row stays unknown.
    """
    operation = query.declared.operation() if query.declared is not None else None
    schemas = [operation.section(name) for name in SECTIONS] if operation is not None else []
    names = {name for schema in schemas if schema is not None for name in schema.properties}
    given = {name: value for name, value in {**row.fields, **(row.data or {})}.items() if name in names}
    if operation is not None and operation.family == "v3" and "mchid" in names:
        given.setdefault("mchid", client.settings.mchid)
    try:
        reply = await client.call(query, None, given)
    except SdkError as error:
        return evolve(entry, state="unknown", message=f"the query: {error}")
    own = plan.target.declared.operation().returns if plan.target.declared is not None else None
    told = told_by_query(reply.data, row.numbers, own)
    return evolve(_answered(reply, entry), state=told.state, code="", message=told.message)


def _answered(reply: Any, entry: Entry) -> Entry:
    data = reply.data if not isinstance(reply.data, bytes) else None
    return evolve(entry, status=reply.status, request_id=reply.request_id, data=data)


def _failed(plan: Plan, error: SdkError, entry: Entry, before: Entry | None) -> Entry:
    from wxpay_dsl import RateLimitError

    if isinstance(error, ServiceError):
        state: State = "refused"
        if error.outcome_unknown or error.status >= 500 or _was_done(error, before):
            state = "unknown"
        elif isinstance(error, RateLimitError):
            # Nobody signs a refusal: a gateway may have limited the answer, or somebody else written it. What may not
            # be repeated is not sent again for that.
            state = "unsent" if plan.repeatable else "unknown"
        message = error.message or str(error)
        if state == "unknown" and isinstance(error, RateLimitError):
            message += "; too many calls, but the refusal is not signed: the row may have been executed (give --rate)"
        return evolve(
            entry, state=state, status=error.status, code=error.code, message=message, request_id=error.request_id
        )
    nothing_left = isinstance(error, ConnectionFailedError) and not error.sent
    # Whatever else went wrong went wrong after the request had left, as far as anyone knows.
    return evolve(entry, state="unsent" if nothing_left else "unknown", message=str(error))


def _was_done(error: ServiceError, before: Entry | None) -> bool:
    """Whether it is refused because it was executed the time before, when no answer came."""
    from wxpay_dsl import OrderPaidError, OutTradeNoUsedError, ResourceAlreadyExistsError

    refusals = (OrderPaidError, OutTradeNoUsedError, ResourceAlreadyExistsError)
    return before is not None and before.state in ("sent", "unknown") and isinstance(error, refusals)


class _Pace:
    """Lets so many through a second, evenly."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 0.0 if rate is None else 1 / rate
        self._next = 0.0

    async def turn(self, stop: asyncio.Event) -> None:
        """Waits for the next place in the line, or until nobody is let through any more."""
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        slot = max(now, self._next)
        self._next = slot + self._gap
        with suppress(TimeoutError):
            async with asyncio.timeout(slot - now):
                await stop.wait()
