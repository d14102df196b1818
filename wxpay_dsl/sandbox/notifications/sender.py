"""Delivers notifications to ``notify_url``, as the service does: signed, within five seconds, again and again until the
merchant says yes. Only to loopback.

What is to be delivered is part of the state: written with what it tells of, and gone on with after a restart.

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
from collections.abc import Mapping
from itertools import count
from typing import Final

import aiohttp
import attrs
from attrs import field, frozen, validators
from yarl import URL

from wxpay_dsl.sandbox.domain.deliveries import Attempt, Delivery, record_attempt
from wxpay_dsl.sandbox.keys.identity import Merchant
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.sandbox.state.state import Event, Setting, State

__all__ = ["DeliveryOptions", "NotificationSender", "is_loopback"]

_log = logging.getLogger("wxpay_dsl.sandbox")

#: Seconds that the merchant has to answer.
_TIMEOUT: Final = 5.0
#: Bytes of an answer that are read.
_LIMIT: Final = 64 * 1024
#: Deliveries on their way at the same time, and those that are remembered once they have come to an end.
_AT_ONCE: Final = 50
_REMEMBERED: Final = 10_000
_DELIVERY_OPTIONS: Final = "delivery_options"


@frozen
class DeliveryOptions:
    """How notifications are delivered. The real service does all of it now and then; a merchant must bear it.

    Raises ValueError for numbers that are out of range.
    """

    #: How many times faster than the real schedule.
    speed: float = field(default=1.0, validator=validators.gt(0))
    #: How often each is sent at the same time.
    copies: int = field(default=1, validator=[validators.instance_of(int), validators.in_(range(1, 1001))])
    #: Whether they come out of order: each is held back for up to ``max_delay`` seconds, at random.
    out_of_order: bool = False
    max_delay: float = field(default=1.0, validator=[validators.ge(0), validators.le(3600)])
    #: Whether each is sent once more after the merchant said yes.
    redeliver: bool = False


class NotificationSender:
    """Delivers events. Belongs to one event loop; ``send`` may be called from it at any time."""

    def __init__(
        self,
        state: State,
        platform: Platform,
        merchants: Mapping[str, Merchant],
        *,
        delivery_options: DeliveryOptions | None = None,
        seed: int | None = None,
    ) -> None:
        """``state``: where deliveries are kept, and whose clock they go by. ``delivery_options``: as it was last set, unless
        told.
        """
        self._state = state
        self._platform = platform
        self._merchants = merchants
        self._begun = delivery_options or DeliveryOptions()
        known = state.settings.get(_DELIVERY_OPTIONS)
        self._delivery_options = delivery_options or (
            DeliveryOptions(**known.value) if known is not None else self._begun
        )
        self._random = random.Random(seed)  # noqa: S311 - it shuffles, it protects nothing
        #: ``(when, number, id, whether a refusal is followed by another attempt)``, a heap.
        self._due: list[tuple[float, int, str, bool]] = []
        self._numbers = count()
        #: What has been sent for and is not on its way yet, as it is held back or its turn has not come.
        self._held: set[int] = set()
        #: What has come to an end, in this order, by its id.
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def delivery_options(self) -> DeliveryOptions:
        """How notifications are delivered from now on; kept with the state once it is set."""
        return self._delivery_options

    @delivery_options.setter
    def delivery_options(self, delivery_options: DeliveryOptions) -> None:
        with self._state.unit():
            self._state.settings.put(Setting(_DELIVERY_OPTIONS, attrs.asdict(delivery_options)))
        self._delivery_options = delivery_options

    @property
    def deliveries(self) -> list[Delivery]:
        """What is pending and the latest that were delivered or given up, oldest first, as they are now."""
        return self._state.deliveries.all()

    def resume(self) -> None:
        """Goes on with what the state has from before; to be called once."""
        for delivery in self._state.deliveries.all():
            if delivery.state == "pending":
                self._schedule(delivery.id, delivery.due, follows=True, first=not delivery.attempts)
            else:
                self._ended.append(delivery.id)

    def send(self, event: Event) -> Delivery | None:
        """Begins to deliver an event; None where its merchant named no URL, or one beyond loopback."""
        with self._state.unit():
            return self.take(event)

    def take(self, event: Event) -> Delivery | None:
        """The same inside of a unit of work. Nothing is sent before its end, nor if it is undone."""
        merchant = self._merchants.get(event.mchid)
        if not event.notify_url or merchant is None:
            return None
        if not is_loopback(event.notify_url):
            _log.warning(
                "not sent: notify_url %.200s is not on loopback, where alone a sandbox sends", event.notify_url
            )
            return None
        # Loaded with the first of them, not with the sandbox.
        from .render import notice

        now = self._state.now
        held = self._random.uniform(0, self.delivery_options.max_delay) if self.delivery_options.out_of_order else 0.0
        delivery = self._state.deliveries.put(attrs.evolve(notice(event, merchant, now), due=now + held))
        for number in range(self.delivery_options.copies):
            self._schedule(delivery.id, delivery.due, follows=number == 0, first=True)
        return delivery

    def resend(self, delivery: Delivery) -> None:
        """Sends it once more at once, whatever was answered before."""
        self._schedule(delivery.id, self._state.now, follows=False, first=True)

    def forget(self) -> None:
        """Drops what is scheduled, and how it was to be delivered; the state is reset by whoever has it."""
        self._delivery_options = self._begun
        self._due.clear()
        self._held.clear()
        self._ended.clear()
        self._look_idle()

    def wake(self) -> None:
        """Looks at the clock, which has been moved on."""
        self._look_idle()
        self._changed.set()

    async def settle(self) -> None:
        """Waits until nothing is on its way; what was refused waits for its next turn, and is not waited for."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stops; what is pending stays so."""
        tasks = [task for task in (self._task, *self._sending) if task is not None]
        self._task = None
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._due.clear()
            self._held.clear()
            self._look_idle()
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    def _schedule(self, identity: str, when: float, *, follows: bool, first: bool) -> None:
        number = next(self._numbers)
        heapq.heappush(self._due, (when, number, identity, follows))
        if first:
            self._held.add(number)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        self.wake()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now = self._state.now
            while self._due and self._due[0][0] <= now:
                _, number, identity, follows = heapq.heappop(self._due)
                self._held.discard(number)
                task = asyncio.get_running_loop().create_task(self._attempt(identity, follows=follows))
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
        if self._sending or self._held or (self._due and self._due[0][0] <= self._state.now):
            self._idle.clear()
        else:
            self._idle.set()

    async def _attempt(self, identity: str, *, follows: bool) -> None:
        async with self._places:
            delivery = self._state.deliveries.get(identity)
            if delivery is None or (follows and delivery.state != "pending"):
                return  # forgotten or undone; or a duplicate was accepted meanwhile
            at = self._state.now
            try:
                status, fault = await self._post(delivery)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                status, fault = 0, f"{type(error).__name__}: {error}".removesuffix(": ")
        self._note(identity, Attempt(at, status, fault), follows=follows)

    def _note(self, identity: str, attempt: Attempt, *, follows: bool) -> None:
        """Keeps what was answered, and schedules what follows from it."""
        with self._state.unit():
            before = self._state.deliveries.get(identity)
            if before is None:
                return  # forgotten meanwhile
            after = record_attempt(before, attempt, self._state.now, self.delivery_options.speed, follows=follows)
            self._state.deliveries.put(after)
            ended = before.state == "pending" != after.state
            if ended and len(self._ended) == _REMEMBERED:
                self._state.deliveries.drop(self._ended[0])
        if ended:
            self._ended.append(identity)
        if after.state == "pending" and follows:
            self._schedule(identity, after.due, follows=True, first=False)
        elif ended and after.state == "accepted" and self.delivery_options.redeliver:
            self._schedule(identity, self._state.now, follows=False, first=True)

    async def _post(self, delivery: Delivery) -> tuple[int, str]:
        """Status of the answer, and why it is no yes."""
        from .render import rendered

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            headers = {"User-Agent": "Mozilla/4.0", "Accept": "*/*"}
            self._session = aiohttp.ClientSession(timeout=timeout, headers=headers, cookie_jar=aiohttp.DummyCookieJar())
        merchant = self._merchants.get(delivery.mchid)
        if merchant is None:
            return 0, f"merchant {delivery.mchid} is not known any more"
        # The receiver checks its own clock, not the sandbox's.
        headers, body = rendered(delivery, merchant, self._platform, int(time.time()))
        async with self._session.post(delivery.url, data=body, headers=headers, allow_redirects=False) as response:
            answer = await response.content.read(_LIMIT)
            return response.status, _fault(delivery.dialect, response.status, answer)


def _fault(dialect: str, status: int, answer: bytes) -> str:
    """Why an answer is no yes; empty for one that is."""
    if dialect == "v2":
        from wxpay_dsl.wechat.v2 import xml

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
