"""Sends a call again where that is harmless and may help: a middleware, outside the one that signs, so that each
attempt is signed afresh.

What may have done something (a POST whose spec does not call it idempotent) is never sent twice. Only when no
connection could be made at all, so that nothing was sent, does it go to the origin that stands in for the first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from attrs import evolve, frozen
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_random_exponential
from yarl import URL

from wxpay_dsl.core.errors import ConnectionFailedError, ResponseTooLargeError, TransportError
from wxpay_dsl.core.messages import Exchange

from .failover import FailoverHosts
from .transport import Handler, Middleware

__all__ = ["RetryPolicy", "retry", "retry_after"]

_log: Final = logging.getLogger(__name__)

#: What an attempt ended in.
_Outcome = aiohttp.ClientResponse | TransportError


@frozen
class RetryPolicy:
    """How often a call that is safe to repeat is sent, and when again."""

    #: In all, the first included; 1 sends nothing again.
    attempts: int = 3
    #: Seconds before the second attempt, at most; doubled each time, at random below that (full jitter).
    pause: float = 0.25
    #: Seconds of a pause, at most.
    longest_pause: float = 4.0
    #: ``Retry-After`` of so many seconds is waited for; a longer one is left to the caller.
    longest_retry_after: float = 10.0
    statuses: frozenset[int] = frozenset({429, 500, 502, 503, 504})


def retry(exchange: Exchange, policy: RetryPolicy, hosts: FailoverHosts | None = None) -> Middleware | None:
    """The middleware of one call, or None where the call has only one attempt anyway."""
    attempts = policy.attempts if exchange.request.repeatable else 1
    standing_in = hosts if hosts is not None and hosts.serve(URL(exchange.request.url, encoded=True).origin()) else None
    if attempts == 1 and standing_in is None:
        return None

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        call = _Call(exchange, policy, attempts, standing_in, wire, handler)
        outcome = await call.attempt()
        # tenacity costs 15 µs a call, and nearly every call is good at once: it is for the others.
        if call.again(outcome):
            outcome = await call.retry(outcome)
        if isinstance(outcome, TransportError):
            if exchange.attempts > 1:
                outcome = evolve(outcome, message=f"{outcome.message} (after {exchange.attempts} attempts)")
            if exchange.maybe_executed:
                outcome = evolve(outcome, outcome_unknown=True)
                if isinstance(outcome, ConnectionFailedError):
                    outcome = evolve(outcome, sent=True)
            raise outcome
        return outcome

    return middleware


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """The seconds that ``Retry-After`` asks for, given as seconds or as a date; None where it says nothing."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now()).total_seconds())
    except (ValueError, OverflowError):  # a year or an offset of twenty digits
        return None


class _Call:
    """The attempts of one call."""

    def __init__(
        self,
        exchange: Exchange,
        policy: RetryPolicy,
        attempts: int,
        hosts: FailoverHosts | None,
        wire: aiohttp.ClientRequest,
        handler: Handler,
    ) -> None:
        self._exchange = exchange
        self._policy = policy
        self._attempts = attempts
        self._hosts = hosts
        self._wire = wire
        self._handler = handler
        self._backoff = wait_random_exponential(policy.pause, policy.longest_pause)
        #: Whether the other origin may still be tried because this one cannot be reached.
        self._fallback = hosts is not None
        if hosts is not None:
            self._aim(hosts.first())

    async def attempt(self) -> _Outcome:
        """Sends it once; a broken exchange is an outcome, whatever else is raised passes through."""
        try:
            return await self._handler(self._wire)
        except TransportError as error:
            if self._hosts is not None and _unreachable(error):
                self._hosts.unreachable(self._wire.url.origin())
            return error

    def again(self, outcome: _Outcome) -> bool:
        """Whether sending it again is harmless and may help, as far as the outcome says."""
        if _unreachable(outcome) and self._fallback:
            return True
        if isinstance(outcome, TransportError):
            return self._attempts > 1 and not isinstance(outcome, ResponseTooLargeError)
        return self._attempts > 1 and outcome.status in self._policy.statuses

    async def retry(self, first: _Outcome) -> _Outcome:
        """Sends it until it is good, or enough."""
        outcomes = [first]

        async def step() -> _Outcome:
            return outcomes.pop() if outcomes else await self.attempt()

        retrying = AsyncRetrying(
            retry=retry_if_result(self.again),
            wait=self._pause,
            stop=self._enough,
            before_sleep=self._prepare,
            retry_error_callback=_result,
            sleep=asyncio.sleep,
        )
        result: _Outcome = await retrying(step)
        return result

    def _pause(self, state: RetryCallState) -> float:
        outcome = _result(state)
        if _unreachable(outcome) and self._fallback:
            return 0.0
        pause = self._backoff(state)
        asked = None if isinstance(outcome, TransportError) else retry_after(outcome.headers)
        return pause if asked is None else max(pause, asked)

    def _enough(self, state: RetryCallState) -> bool:
        pause = state.upcoming_sleep
        if asyncio.get_running_loop().time() + pause >= self._exchange.deadline:
            return True
        if _unreachable(_result(state)) and self._fallback:
            return False
        return state.attempt_number >= self._attempts or pause > self._policy.longest_retry_after

    def _prepare(self, state: RetryCallState) -> None:
        outcome = _result(state)
        if not self._exchange.request.safe and _may_be_done(outcome):
            self._exchange.maybe_executed = True
        if isinstance(outcome, TransportError):
            what = str(outcome)
            if self._hosts is not None:
                self._aim(self._hosts.other(self._wire.url.origin()))
                self._fallback = self._fallback and not _unreachable(outcome)
        else:
            what = f"{self._exchange.request.name}: {outcome.status}"
            outcome.release()
        origin = self._wire.url.origin()
        _log.info("%s; attempt %d in %.2f s at %s", what, state.attempt_number + 1, state.upcoming_sleep, origin)

    def _aim(self, origin: URL) -> None:
        """Points the request at ``origin``; what is signed, the path and the query, stays as it is."""
        wire = self._wire
        if wire.url.origin() != origin:
            wire.url = wire.url.with_scheme(origin.scheme).with_host(str(origin.host)).with_port(origin.explicit_port)
            wire.headers["Host"] = origin.host_port_subcomponent or ""


def _unreachable(outcome: _Outcome) -> bool:
    """Whether nothing was sent, as there was no connection."""
    return isinstance(outcome, ConnectionFailedError) and not outcome.sent


def _may_be_done(outcome: _Outcome) -> bool:
    """Whether the attempt may have been carried out: no answer came back, or one that somebody broke down."""
    return not _unreachable(outcome) if isinstance(outcome, TransportError) else outcome.status >= 500


def _result(state: RetryCallState) -> _Outcome:
    if state.outcome is None:
        raise LookupError("no attempt has ended yet")
    result: _Outcome = state.outcome.result()
    return result
