"""Who signs requests: a protocol to await, and the signer that holds a private key in this process.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Final, Protocol, runtime_checkable
from weakref import WeakKeyDictionary, ref

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.core.origins import Origins

from . import authorization, signing_v3
from .service_hosts import SERVICE

__all__ = ["Credential", "LocalSigner", "Signer", "SignerError"]

#: Seconds of signing in one turn of the loop while a crowd waits: two signatures of RSA-2048. With three, each call
#: costs 7 µs less, and other tasks are 4.5 ms late instead of 4.0; with six, 8 ms. A timer needs two turns.
SLICE: Final = 0.0004
#: Seconds while few wait, who are through in two turns: six signatures.
LONG_SLICE: Final = 0.0014
#: As many as wait at once are few.
FEW: Final = 16


@frozen(str=False)
class SignerError(SdkError):
    """A signer that is elsewhere did not sign: a token failed, a service could not be reached. Nothing was sent."""

    message: str

    def __str__(self) -> str:
        return f"{self.message}; nothing was sent"


@runtime_checkable
class Signer(Protocol):
    """Signs canonical messages; awaited, so that a key may live in an HSM or a KMS."""

    @property
    def scheme(self) -> str:
        """The scheme of the Authorization header: ``WECHATPAY2-SHA256-RSA2048``."""

    async def sign(self, message: bytes) -> str:
        """The signature over ``message`` in base64."""


class Turnstile:
    """Lets through what fits into a slice of an event loop's turn, so that a hundred signatures hold up nobody else.

    A signature takes 240 µs. A hundred calls that begin at once would sign one after the other without the loop
    ever looking at its other tasks: 35 ms late at the 99th percentile, 4 ms with this. Up to :data:`SLICE` seconds
    of signing pass before the loop has a turn, or :data:`LONG_SLICE` where few calls are made at a time, as a turn
    costs too: 10 µs for each of ten calls in flight, were their slices short.
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
    """One loop's queue; another thread's loop has its own."""

    __slots__ = ("_called", "_crowd", "cost", "slice", "spent", "waiting")

    def __init__(self) -> None:
        #: Seconds that one signature takes, on average of the latest.
        self.cost = SLICE / 2
        #: Seconds that were signed, or are promised to be, since the loop had a turn, and may be.
        self.spent = 0.0
        self.slice = LONG_SLICE
        #: Those who wait. Whoever finds somebody here, or the slice spent, has to :meth:`wait` as well.
        self.waiting: deque[asyncio.Future[None]] = deque()
        #: How many wait, at most, of late.
        self._crowd = 0.0
        #: Whether the loop's next turn is asked for.
        self._called = False

    async def wait(self) -> None:
        """Returns when it is the caller's turn, which is paid for already."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self.waiting.append(turn)
        if not self._called:
            self._called = True
            loop.call_soon(self._next, loop)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop has had its turn: as many as fit into a slice are let through."""
        self.spent = 0.0
        self._crowd = max(len(self.waiting), self._crowd * 0.98)
        self.slice = LONG_SLICE if self._crowd <= FEW else SLICE
        while self.waiting and self.spent < self.slice:
            turn = self.waiting.popleft()
            if not turn.done():  # a cancelled call has given up its turn
                turn.set_result(None)
                self.spent += self.cost
        # Those who are let through sign before this is called again.
        self._called = bool(self.waiting)
        if self._called:
            loop.call_soon(self._next, loop)


@frozen
class LocalSigner:
    """Signs with a private key in memory (240 µs for RSA-2048), a slice of each turn of the event loop long."""

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
        begun = perf_counter()
        signature = signing_v3.sign(message, self.private_key)
        turns.cost += (perf_counter() - begun - turns.cost) / 8
        return signature

    def __reduce__(self) -> str:
        raise TypeError("a signer holds a private key and is never pickled")


@frozen
class Credential:
    """Who a request is from, merchant or brand: its certificate's serial, who signs, and where signatures may go."""

    #: The merchant's id, or the brand's.
    mchid: str
    serial: str
    signer: Signer
    #: Where requests that are signed may go.
    origins: Origins = field(default=SERVICE, repr=False)
    #: The scheme of the Authorization header, where it is not the signer's own.
    own_scheme: str = ""

    @property
    def scheme(self) -> str:
        """The scheme of the Authorization header."""
        return self.own_scheme or self.signer.scheme
