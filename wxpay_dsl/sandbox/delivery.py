"""Delivers notifications to ``notify_url``, as the service does: signed, within five seconds, again and again until the
merchant says yes. Only to loopback.

https://pay.weixin.qq.com/doc/v3/merchant/4012075249
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import ipaddress
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Final

import aiohttp
from attrs import define, field, frozen, validators
from yarl import URL

from .identity import Merchant
from .platform import Platform
from .state import Event

if TYPE_CHECKING:
    from .notices import Notice

__all__ = ["SCHEDULE", "Attempt", "Courier", "Delivery", "Manner", "is_loopback"]

_log = logging.getLogger("wxpay_dsl.sandbox")

#: Seconds between one delivery and the next, until the merchant says yes: 15 times in 24 hours.
SCHEDULE: Final = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
#: Seconds that the merchant has to answer.
_TIMEOUT: Final = 5.0
#: Bytes of an answer that are read.
_LIMIT: Final = 64 * 1024
#: Deliveries on their way at the same time, and those that are remembered.
_AT_ONCE: Final = 50
_REMEMBERED: Final = 10_000


@frozen
class Manner:
    """How notifications are delivered. The real service does all of it now and then; a merchant must bear it.

    Raises ValueError for numbers that are out of range.
    """

    #: How many times faster than the real schedule.
    speed: float = field(default=1.0, validator=validators.gt(0))
    #: How often each is sent at the same time.
    copies: int = field(default=1, validator=[validators.instance_of(int), validators.in_(range(1, 1001))])
    #: Whether they come out of order: each is held back for up to ``hold`` seconds, at random.
    shuffled: bool = False
    hold: float = field(default=1.0, validator=[validators.ge(0), validators.le(3600)])
    #: Whether each is sent once more after the merchant said yes.
    again: bool = False


@frozen
class Attempt:
    """One delivery: when (Unix time), what the merchant answered, and why that counts for nothing, if so."""

    at: float
    #: 0 where there was no answer.
    status: int
    fault: str = ""


@define
class Delivery:
    """A notification and what became of it."""

    notice: Notice
    url: str
    attempts: list[Attempt] = field(factory=list)
    #: ``pending``, ``accepted``, or ``given up``.
    state: str = "pending"
    _failures: int = field(default=0, repr=False)

    def next_pause(self) -> float | None:
        """Seconds until it is sent again; None when it is given up."""
        self._failures += 1
        return SCHEDULE[self._failures - 1] if self._failures <= len(SCHEDULE) else None


class Courier:
    """Delivers events. Belongs to one event loop; ``send`` may be called from it at any time."""

    def __init__(
        self,
        platform: Platform,
        merchants: Mapping[str, Merchant],
        *,
        manner: Manner | None = None,
        clock: Callable[[], float] = time.time,
        seed: int | None = None,
    ) -> None:
        """``clock``: the sandbox's own Unix time, which may be moved on (then :meth:`wake`)."""
        self.manner = manner or Manner()
        #: The latest deliveries, oldest first.
        self.deliveries: deque[Delivery] = deque(maxlen=_REMEMBERED)
        self._platform = platform
        self._merchants = merchants
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - it shuffles, it protects nothing
        #: ``(when, number, delivery, whether a refusal is followed by another attempt)``, a heap.
        self._due: list[tuple[float, int, Delivery, bool]] = []
        self._numbers = count()
        #: What has been sent for and is not on its way yet, as it is held back or its turn has not come.
        self._held: set[int] = set()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None

    def send(self, event: Event) -> Delivery | None:
        """Begins to deliver an event; None where its merchant named no URL, or one beyond loopback."""
        merchant = self._merchants.get(event.mchid)
        if not event.notify_url or merchant is None:
            return None
        if not is_loopback(event.notify_url):
            _log.warning(
                "not sent: notify_url %.200s is not on loopback, where alone a sandbox sends", event.notify_url
            )
            return None
        # Loaded with the first of them, not with the sandbox.
        from .notices import notice

        platform = self._platform
        pair = platform.signing(platform.public_key.id if platform.mode != "certificate" else None)
        delivery = Delivery(notice(event, merchant, platform, pair, self._clock()), event.notify_url)
        self.deliveries.append(delivery)
        held = self._random.uniform(0, self.manner.hold) if self.manner.shuffled else 0.0
        for number in range(self.manner.copies):
            self._schedule(delivery, held, follows=number == 0)
        return delivery

    def resend(self, delivery: Delivery) -> None:
        """Sends it once more at once, whatever was answered before."""
        self._schedule(delivery, 0.0, follows=False)

    def forget(self) -> None:
        """Drops what is pending, and the record of what was."""
        self.deliveries.clear()
        self._due.clear()
        self._held.clear()
        self._look_idle()

    def wake(self) -> None:
        """Looks at the clock, which has been moved on."""
        self._changed.set()

    async def settle(self) -> None:
        """Waits until nothing is on its way; what was refused waits for its next turn, and is not waited for."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stops; what is pending stays undelivered."""
        tasks = [task for task in (self._task, *self._sending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _schedule(self, delivery: Delivery, pause: float, *, follows: bool, retry: bool = False) -> None:
        number = next(self._numbers)
        heapq.heappush(self._due, (self._clock() + pause, number, delivery, follows))
        if not retry:
            self._held.add(number)
            self._idle.clear()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now = self._clock()
            while self._due and self._due[0][0] <= now:
                _, number, delivery, follows = heapq.heappop(self._due)
                self._held.discard(number)
                self._idle.clear()
                task = asyncio.get_running_loop().create_task(self._attempt(delivery, follows=follows))
                self._sending.add(task)
                task.add_done_callback(self._sent)
            self._look_idle()
            pause = self._due[0][0] - now if self._due else None
            # Not wait_for: on Python 3.11 it swallows a cancellation that comes with the event, and close() hangs.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._look_idle()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a delivery broke", exc_info=task.exception())

    def _look_idle(self) -> None:
        if not self._sending and not self._held and not (self._due and self._due[0][0] <= self._clock()):
            self._idle.set()

    async def _attempt(self, delivery: Delivery, *, follows: bool) -> None:
        async with self._places:
            at = self._clock()
            try:
                status, fault = await self._post(delivery)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                status, fault = 0, f"{type(error).__name__}: {error}".removesuffix(": ")
        delivery.attempts.append(Attempt(at, status, fault))
        if not fault:
            again = self.manner.again and delivery.state == "pending"
            delivery.state = "accepted"
            if again:
                self._schedule(delivery, 0.0, follows=False)
        elif follows and delivery.state == "pending":
            pause = delivery.next_pause()
            if pause is None:
                delivery.state = "given up"
            else:
                self._schedule(delivery, pause / self.manner.speed, follows=True, retry=True)

    async def _post(self, delivery: Delivery) -> tuple[int, str]:
        """Status of the answer, and why it is no yes."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            headers = {"User-Agent": "Mozilla/4.0", "Accept": "*/*"}
            self._session = aiohttp.ClientSession(timeout=timeout, headers=headers, cookie_jar=aiohttp.DummyCookieJar())
        # The receiver checks its own clock, not the sandbox's.
        headers, body = delivery.notice.render(int(time.time()))
        async with self._session.post(delivery.url, data=body, headers=headers, allow_redirects=False) as response:
            answer = await response.content.read(_LIMIT)
            return response.status, _fault(delivery.notice.family, response.status, answer)


def _fault(family: str, status: int, answer: bytes) -> str:
    """Why an answer is no yes; empty for one that is."""
    if family == "v2":
        from wxpay_dsl.wechat import xml

        try:
            said = xml.loads(answer).get("return_code", "")
        except xml.XmlError as error:
            return f"answered {status}: {error}"
        return "" if status == 200 and said == "SUCCESS" else f"answered {status}, return_code {said[:40]!r}"
    if status in (200, 204):
        return ""
    return f"answered {status}: {answer[:200].decode('utf-8', 'replace')}"


def is_loopback(url: str) -> bool:
    """Whether a URL is on this machine; names are not resolved, but for ``localhost``."""
    try:
        # Read as the client that sends reads it: two readers may find two hosts in one URL.
        found = URL(url)
        if found.scheme not in ("http", "https"):
            return False
        return found.host == "localhost" or ipaddress.ip_address(found.host or "").is_loopback
    except ValueError:
        return False
