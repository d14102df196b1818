"""The middleware that retries calls. It runs outside the signing middleware, so that each attempt has a new signature.

A call that may change something (a POST that its spec does not declare idempotent) is never sent twice. Only if no
connection could be made, so that nothing was sent, is it sent to the backup origin.
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

#: The outcome of one attempt.
_Outcome = aiohttp.ClientResponse | TransportError


@frozen
class RetryPolicy:
    """How often, and after which pauses, a call that is safe to repeat is retried."""

    #: The most attempts, the first included; 1 disables retries.
    attempts: int = 3
    #: The longest pause before the second attempt, in seconds. It doubles with each attempt, and the actual pause is
    #: random below it (full jitter).
    pause: float = 0.25
    #: The longest pause before any attempt, in seconds.
    longest_pause: float = 4.0
    #: The longest ``Retry-After`` that is waited for, in seconds; after a longer one the response is returned as it is.
    longest_retry_after: float = 10.0
    #: The HTTP statuses that are retried.
    statuses: frozenset[int] = frozenset({429, 500, 502, 503, 504})


def retry(exchange: Exchange, policy: RetryPolicy, hosts: FailoverHosts | None = None) -> Middleware | None:
    """The retry middleware of one call, or None if the call has only one attempt and no backup origin.

    ``hosts``: the origins to fail over between.
    """
    attempts = policy.attempts if exchange.request.repeatable else 1
    failover = hosts if hosts is not None and hosts.serve(URL(exchange.request.url, encoded=True).origin()) else None
    if attempts == 1 and failover is None:
        return None

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        call = _Call(exchange, policy, attempts, failover, wire, handler)
        outcome = await call.attempt()
        # tenacity costs 15 µs per call, so it is only used after a first attempt that failed.
        if call.should_retry(outcome):
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
    """The seconds of the header ``Retry-After``, which is a number or a date; None if it is absent or invalid."""
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
        #: Whether the other origin may still be tried if this one cannot be reached.
        self._fallback = hosts is not None
        if hosts is not None:
            self._set_origin(hosts.first())

    async def attempt(self) -> _Outcome:
        """Sends the request once. A TransportError is returned as the outcome; other exceptions are raised."""
        try:
            return await self._handler(self._wire)
        except TransportError as error:
            if self._hosts is not None and _unreachable(error):
                self._hosts.unreachable(self._wire.url.origin())
            return error

    def should_retry(self, outcome: _Outcome) -> bool:
        """Whether the outcome allows another attempt."""
        if _unreachable(outcome) and self._fallback:
            return True
        if isinstance(outcome, TransportError):
            return self._attempts > 1 and not isinstance(outcome, ResponseTooLargeError)
        return self._attempts > 1 and outcome.status in self._policy.statuses

    async def retry(self, first: _Outcome) -> _Outcome:
        """Sends the request until it succeeds or the policy ends the attempts."""
        outcomes = [first]

        async def step() -> _Outcome:
            return outcomes.pop() if outcomes else await self.attempt()

        retrying = AsyncRetrying(
            retry=retry_if_result(self.should_retry),
            wait=self._pause,
            stop=self._should_stop,
            before_sleep=self._before_retry,
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
        requested = None if isinstance(outcome, TransportError) else retry_after(outcome.headers)
        return pause if requested is None else max(pause, requested)

    def _should_stop(self, state: RetryCallState) -> bool:
        pause = state.upcoming_sleep
        if asyncio.get_running_loop().time() + pause >= self._exchange.deadline:
            return True
        if _unreachable(_result(state)) and self._fallback:
            return False
        return state.attempt_number >= self._attempts or pause > self._policy.longest_retry_after

    def _before_retry(self, state: RetryCallState) -> None:
        outcome = _result(state)
        if not self._exchange.request.safe and _maybe_executed(outcome):
            self._exchange.maybe_executed = True
        if isinstance(outcome, TransportError):
            what = str(outcome)
            if self._hosts is not None:
                self._set_origin(self._hosts.other(self._wire.url.origin()))
                self._fallback = self._fallback and not _unreachable(outcome)
        else:
            what = f"{self._exchange.request.name}: {outcome.status}"
            outcome.release()
        origin = self._wire.url.origin()
        _log.info("%s; attempt %d in %.2f s at %s", what, state.attempt_number + 1, state.upcoming_sleep, origin)

    def _set_origin(self, origin: URL) -> None:
        """Sends the next attempt to ``origin``; the path and query, which are signed, do not change."""
        wire = self._wire
        if wire.url.origin() != origin:
            wire.url = wire.url.with_scheme(origin.scheme).with_host(str(origin.host)).with_port(origin.explicit_port)
            wire.headers["Host"] = origin.host_port_subcomponent or ""


def _unreachable(outcome: _Outcome) -> bool:
    """Whether no connection could be made, so that nothing was sent."""
    return isinstance(outcome, ConnectionFailedError) and not outcome.sent


def _maybe_executed(outcome: _Outcome) -> bool:
    """Whether the service may have executed the attempt: no response was received, or one of a failed server."""
    return not _unreachable(outcome) if isinstance(outcome, TransportError) else outcome.status >= 500


def _result(state: RetryCallState) -> _Outcome:
    if state.outcome is None:
        raise LookupError("no attempt has ended yet")
    result: _Outcome = state.outcome.result()
    return result
