"""Delivers notifications to ``notify_url`` as the service does: signed, with a timeout of five seconds, and retried by
the schedule until the merchant accepts. It sends to loopback only.

Deliveries are part of the state: committed together with the change that they report, and resumed after a restart.

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

#: Seconds within which the merchant must respond.
_TIMEOUT: Final = 5.0
#: Bytes of a response that are read.
_LIMIT: Final = 64 * 1024
#: Concurrent deliveries.
_CONCURRENCY: Final = 50
#: Finished deliveries that are kept.
_KEPT: Final = 10_000
_DELIVERY_OPTIONS: Final = "delivery_options"


@frozen
class DeliveryOptions:
    """How notifications are delivered: duplicates, reordering and delays that a merchant must handle.

    Raises ValueError for a number that is out of range, TypeError for ``copies`` that is not an integer.
    """

    #: By what factor retries are faster than the real schedule.
    speed: float = field(default=1.0, validator=validators.gt(0))
    #: How many times each is sent at once, 1 to 1000.
    copies: int = field(default=1, validator=[validators.instance_of(int), validators.in_(range(1, 1001))])
    #: Whether each is delayed at random, by up to ``max_delay`` seconds, so that they arrive out of order.
    out_of_order: bool = False
    max_delay: float = field(default=1.0, validator=[validators.ge(0), validators.le(3600)])
    #: Whether each is sent once more after the merchant accepted it.
    redeliver: bool = False


class NotificationSender:
    """Delivers events as notifications. It belongs to one event loop and must be called in it."""

    def __init__(
        self,
        state: State,
        platform: Platform,
        merchants: Mapping[str, Merchant],
        *,
        delivery_options: DeliveryOptions | None = None,
        seed: int | None = None,
    ) -> None:
        """``state``: keeps the deliveries, and its clock schedules them. ``merchants``: by merchant id.

        ``delivery_options``: if None, those that the state has kept, or else the defaults. ``seed`` makes random
        delays reproducible.
        """
        self._state = state
        self._platform = platform
        self._merchants = merchants
        self._initial_options = delivery_options or DeliveryOptions()
        kept = state.settings.get(_DELIVERY_OPTIONS)
        self._delivery_options = delivery_options or (
            DeliveryOptions(**kept.value) if kept is not None else self._initial_options
        )
        self._random = random.Random(seed)  # noqa: S311 - not used for security
        #: A heap of ``(Unix time, number, delivery id, whether a rejection is retried)``.
        self._due: list[tuple[float, int, str, bool]] = []
        self._numbers = count()
        #: The numbers of first attempts that have not begun.
        self._waiting: set[int] = set()
        #: The ids of finished deliveries, in order.
        self._ended: deque[str] = deque(maxlen=_KEPT)
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._slots = asyncio.Semaphore(_CONCURRENCY)
        self._sending: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def delivery_options(self) -> DeliveryOptions:
        """How notifications are delivered from now on. Setting it stores it in the state."""
        return self._delivery_options

    @delivery_options.setter
    def delivery_options(self, delivery_options: DeliveryOptions) -> None:
        with self._state.unit():
            self._state.settings.put(Setting(_DELIVERY_OPTIONS, attrs.asdict(delivery_options)))
        self._delivery_options = delivery_options

    @property
    def deliveries(self) -> list[Delivery]:
        """The pending and the most recent finished deliveries, oldest first."""
        return self._state.deliveries.all()

    def resume(self) -> None:
        """Schedule the pending deliveries that the state has kept. Call it once, after the state was loaded."""
        for delivery in self._state.deliveries.all():
            if delivery.state == "pending":
                self._schedule(delivery.id, delivery.due, retries=True, first=not delivery.attempts)
            else:
                self._ended.append(delivery.id)

    def send(self, event: Event) -> Delivery | None:
        """Schedule the delivery of an event in a unit of work of its own; see :meth:`enqueue`."""
        with self._state.unit():
            return self.enqueue(event)

    def enqueue(self, event: Event) -> Delivery | None:
        """Schedule the delivery of an event within the current unit of work.

        Nothing is sent before the unit of work is committed, nor if it is rolled back.

        Returns None if there is no ``notify_url``, the merchant is unknown, or the URL is beyond loopback (logged).
        """
        merchant = self._merchants.get(event.mchid)
        if not event.notify_url or merchant is None:
            return None
        if not is_loopback(event.notify_url):
            _log.warning(
                "notification not sent: notify_url %.200s is not on loopback, and the sandbox sends to loopback only",
                event.notify_url,
            )
            return None
        # Imported with the first notification, to keep the start short.
        from .render import notice

        now = self._state.now
        delay = self._random.uniform(0, self.delivery_options.max_delay) if self.delivery_options.out_of_order else 0.0
        delivery = self._state.deliveries.put(attrs.evolve(notice(event, merchant, now), due=now + delay))
        for number in range(self.delivery_options.copies):
            self._schedule(delivery.id, delivery.due, retries=number == 0, first=True)
        return delivery

    def resend(self, delivery: Delivery) -> None:
        """Send a notification once more now, whatever the merchant responded before."""
        self._schedule(delivery.id, self._state.now, retries=False, first=True)

    def reset(self) -> None:
        """Drop all scheduled attempts and restore the initial options. The caller resets the state."""
        self._delivery_options = self._initial_options
        self._due.clear()
        self._waiting.clear()
        self._ended.clear()
        self._update_idle()

    def wake(self) -> None:
        """Check for due attempts, after the clock was advanced."""
        self._update_idle()
        self._changed.set()

    async def wait_until_idle(self) -> None:
        """Wait until no attempt is due or under way. Retries that are scheduled for later are not waited for."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop sending and close connections; pending deliveries stay pending."""
        tasks = [task for task in (self._task, *self._sending) if task is not None]
        self._task = None
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._due.clear()
            self._waiting.clear()
            self._update_idle()
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    def _schedule(self, delivery_id: str, when: float, *, retries: bool, first: bool) -> None:
        number = next(self._numbers)
        heapq.heappush(self._due, (when, number, delivery_id, retries))
        if first:
            self._waiting.add(number)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        self.wake()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now = self._state.now
            while self._due and self._due[0][0] <= now:
                _, number, delivery_id, retries = heapq.heappop(self._due)
                self._waiting.discard(number)
                task = asyncio.get_running_loop().create_task(self._attempt(delivery_id, retries=retries))
                self._sending.add(task)
                task.add_done_callback(self._on_attempt_done)
            self._update_idle()
            pause = self._due[0][0] - now if self._due else None
            # Not wait_for: on Python 3.11 it swallows a cancellation that comes with the event, and close() hangs.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    def _on_attempt_done(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._update_idle()
        if not task.cancelled() and task.exception() is not None:
            _log.error("delivering a notification failed", exc_info=task.exception())

    def _update_idle(self) -> None:
        if self._sending or self._waiting or (self._due and self._due[0][0] <= self._state.now):
            self._idle.clear()
        else:
            self._idle.set()

    async def _attempt(self, delivery_id: str, *, retries: bool) -> None:
        async with self._slots:
            delivery = self._state.deliveries.get(delivery_id)
            if delivery is None or (retries and delivery.state != "pending"):
                return  # dropped by a reset or rolled back; or a copy was accepted meanwhile
            at = self._state.now
            try:
                status, rejection = await self._post(delivery)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                status, rejection = 0, f"{type(error).__name__}: {error}".removesuffix(": ")
        self._record(delivery_id, Attempt(at, status, rejection), retries=retries)

    def _record(self, delivery_id: str, attempt: Attempt, *, retries: bool) -> None:
        """Store the result of an attempt and schedule the next one."""
        with self._state.unit():
            before = self._state.deliveries.get(delivery_id)
            if before is None:
                return  # dropped by a reset meanwhile
            after = record_attempt(before, attempt, self._state.now, self.delivery_options.speed, follows=retries)
            self._state.deliveries.put(after)
            ended = before.state == "pending" != after.state
            if ended and len(self._ended) == _KEPT:
                self._state.deliveries.drop(self._ended[0])
        if ended:
            self._ended.append(delivery_id)
        if after.state == "pending" and retries:
            self._schedule(delivery_id, after.due, retries=True, first=False)
        elif ended and after.state == "accepted" and self.delivery_options.redeliver:
            self._schedule(delivery_id, self._state.now, retries=False, first=True)

    async def _post(self, delivery: Delivery) -> tuple[int, str]:
        """The status of the response, and why it is not an acceptance (empty if it is one)."""
        from .render import rendered

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
            headers = {"User-Agent": "Mozilla/4.0", "Accept": "*/*"}
            self._session = aiohttp.ClientSession(timeout=timeout, headers=headers, cookie_jar=aiohttp.DummyCookieJar())
        merchant = self._merchants.get(delivery.mchid)
        if merchant is None:
            return 0, f"unknown merchant {delivery.mchid}"
        # The receiver checks the timestamp against the machine's clock.
        headers, body = rendered(delivery, merchant, self._platform, int(time.time()))
        async with self._session.post(delivery.url, data=body, headers=headers, allow_redirects=False) as response:
            content = await response.content.read(_LIMIT)
            return response.status, _rejection(delivery.dialect, response.status, content)


def _rejection(dialect: str, status: int, body: bytes) -> str:
    """Why a response does not accept the notification; empty if it does."""
    if dialect == "v2":
        from wxpay_dsl.wechat.v2 import xml

        try:
            return_code = xml.loads(body).get("return_code", "")
        except xml.XmlError as error:
            return f"answered {status}: {error}"
        if status == 200 and return_code == "SUCCESS":
            return ""
        return f"answered {status}, return_code {return_code[:40]!r}"
    if status in (200, 204):
        return ""
    return f"answered {status}: {body[:200].decode('utf-8', 'replace')}"


def is_loopback(url: str) -> bool:
    """Whether the host of an http(s) URL is ``localhost`` or a loopback address; names are not resolved."""
    try:
        # Parsed by the same library as the request: two parsers may find different hosts in one URL.
        parsed = URL(url)
        if parsed.scheme not in ("http", "https"):
            return False
        return parsed.host == "localhost" or ipaddress.ip_address(parsed.host or "").is_loopback
    except ValueError:
        return False
