"""The default signer: it signs with a private key in memory, on the event loop, a few signatures in each turn of it."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Final
from weakref import WeakKeyDictionary, ref

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

__all__ = ["LocalSigner"]

#: Seconds of signing in one turn of the loop while many calls wait: two signatures of RSA-2048. With three, each call
#: costs 7 µs less, and other tasks are 4.5 ms late instead of 4.0; with six, 8 ms. (A timer takes two turns.)
SLICE: Final = 0.0004
#: The same while few calls wait, which are done within two turns: six signatures.
LONG_SLICE: Final = 0.0014
#: The most waiting calls that count as few.
FEW: Final = 16


class Turnstile:
    """Limits the time spent on signing in one turn of an event loop, so that a burst of calls does not block its tasks.

    A signature takes 240 µs. A hundred calls that start at once would sign one after the other before the loop runs
    any other task: those are then 35 ms late at the 99th percentile, and 4 ms with this limit. The limit is
    :data:`SLICE` seconds, or :data:`LONG_SLICE` while few calls wait, since each turn of the loop has a cost as well:
    10 µs for each of ten calls in flight with short slices.
    """

    __slots__ = ("_latest", "_turns")

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()
        self._latest: tuple[ref[asyncio.AbstractEventLoop], _Turns] | None = None

    def turns(self) -> _Turns:
        """The running loop's queue."""
        loop = asyncio.get_running_loop()
        latest = self._latest
        if latest is not None and latest[0]() is loop:
            return latest[1]
        turns = self._turns.get(loop)
        if turns is None:
            turns = self._turns[loop] = _Turns()
        self._latest = ref(loop), turns
        return turns


class _Turns:
    """The queue of one event loop."""

    __slots__ = ("_most_waiting", "_scheduled", "cost", "slice", "spent", "waiting")

    def __init__(self) -> None:
        #: Seconds that one signature takes: a moving average.
        self.cost = SLICE / 2
        #: Seconds of signing done, or admitted, in this turn of the loop; and the limit.
        self.spent = 0.0
        self.slice = LONG_SLICE
        #: The waiting calls. A call must :meth:`wait` if another one waits already, or if the slice is used up.
        self.waiting: deque[asyncio.Future[None]] = deque()
        #: The recent maximum of waiting calls; it decays.
        self._most_waiting = 0.0
        #: Whether :meth:`_next` is scheduled.
        self._scheduled = False

    async def wait(self) -> None:
        """Returns when the caller may sign; the cost of its signature is already counted."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self.waiting.append(turn)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._next, loop)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts a new slice and admits as many waiting calls as fit into it."""
        self.spent = 0.0
        self._most_waiting = max(len(self.waiting), self._most_waiting * 0.98)
        self.slice = LONG_SLICE if self._most_waiting <= FEW else SLICE
        while self.waiting and self.spent < self.slice:
            turn = self.waiting.popleft()
            if not turn.done():  # it is done if the call was cancelled
                turn.set_result(None)
                self.spent += self.cost
        # The admitted calls sign before the next call of this method.
        self._scheduled = bool(self.waiting)
        if self._scheduled:
            loop.call_soon(self._next, loop)


@frozen
class LocalSigner:
    """Signs with a private key in memory (240 µs for RSA-2048), a limited time in each turn of the event loop."""

    private_key: RSAPrivateKey = field(repr=False)
    _turnstile: Turnstile = field(factory=Turnstile, init=False, repr=False, eq=False)

    @property
    def scheme(self) -> str:
        """``WECHATPAY2-SHA256-RSA2048``"""
        return authorization.RSA_SCHEME

    async def sign(self, message: bytes) -> str:
        """The signature over ``message`` in base64."""
        turns = self._turnstile.turns()
        if turns.waiting or turns.spent >= turns.slice:
            await turns.wait()
        else:
            turns.spent += turns.cost
        start = perf_counter()
        signature = signing_v3.sign(message, self.private_key)
        turns.cost += (perf_counter() - start - turns.cost) / 8
        return signature

    def __reduce__(self) -> str:
        raise TypeError("a signer holds a private key and is never pickled")
