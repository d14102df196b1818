"""A keyring that downloads platform certificates (平台证书): when first needed, on schedule, on an unknown serial.

One download runs at a time, however many calls wait for it; until the new set is whole, and verified, the old one stays
in force. No timer runs: the calls themselves notice what is due, and none of them waits for a download on schedule.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import Context
from copy import copy
from datetime import datetime
from typing import Final, NoReturn

from attrs import evolve, field, frozen

from wxpay_dsl.core.errors import SdkError, ServiceError
from wxpay_dsl.core.forking import ForkSafeLock

from .key_store import KeyStore, StoredCertificates
from .keyring import Preference, describe, utc_now
from .platform_keys import (
    PlatformCertificatesError,
    PlatformKey,
    PlatformKeys,
    Refresh,
    RefreshPolicy,
    is_public_key_id,
)

__all__ = ["Download", "Downloaded", "Open", "RefreshingKeyring"]

_log: Final = logging.getLogger(__name__)
#: What can name a certificate; nothing else is worth a download.
_SERIAL: Final = re.compile(r"[0-9A-F]{8,64}\Z")


@frozen
class Downloaded:
    """What a download brought: the certificates, verified, and the answer they came in."""

    keys: tuple[PlatformKey, ...]
    answer: bytes = field(repr=False)


#: Downloads and verifies, given the keys in force, and whether calls wait for it.
Download = Callable[[PlatformKeys, bool], Awaitable[Downloaded]]
#: Decrypts a stored answer. Raises SdkError.
Open = Callable[[bytes], tuple[PlatformKey, ...]]


@frozen
class _Flight:
    """A download under way, awaited from any event loop."""

    loop: asyncio.AbstractEventLoop
    landed: Future[None]
    #: The process that it runs in.
    pid: int = field(factory=os.getpid)


class RefreshingKeyring:
    """Configured keys, and certificates that are downloaded and kept current.

    May be used from several event loops and threads; whoever begins a download runs it in its own loop.
    """

    def __init__(
        self,
        configured: PlatformKeys,
        download: Download,
        *,
        policy: RefreshPolicy | None = None,
        preference: Preference | None = None,
        store: KeyStore | None = None,
        name: str = "",
        open_answer: Open | None = None,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``store`` keeps downloads under ``name``; ``open_answer`` decrypts what comes out of it."""
        self._configured = configured
        self._keys = configured
        self._download = download
        self._policy = policy or RefreshPolicy()
        self._due = self._policy.next_due()
        self._preference = preference or Preference()
        self._store = store
        self._name = name
        self._open = open_answer
        self._now = now
        self._monotonic = monotonic
        self._fetched_at = 0.0
        self._flight: _Flight | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: SdkError | None = None
        self._lock = ForkSafeLock()

    def __repr__(self) -> str:
        return f"<RefreshingKeyring {', '.join(self.known()) or 'empty'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring downloads with a merchant's keys and is never pickled")

    @property
    def keys(self) -> PlatformKeys:
        """All keys at hand, those that have ended included."""
        return self._keys

    def known(self) -> list[str]:
        """The keys at hand, for an error to show."""
        return describe(self._keys, self._now())

    async def find(self, serial: str) -> PlatformKey | None:
        """The key that a ``Wechatpay-Serial`` names; an unknown certificate is looked for, at most once in a while.

        None, never an exception, where it cannot be had.
        """
        self._look_at_clock()
        key = self._valid(serial)
        if key is not None or is_public_key_id(serial) or not _SERIAL.match(serial.upper()):
            return key
        await self._wait(self._policy_says(RefreshPolicy.on_unknown_serial, wanted=serial, awaited=True))
        return self._valid(serial)

    async def preferred(self) -> PlatformKey:
        """The key to encrypt for, and to ask the service to sign with.

        Where there is none at all the certificates are downloaded first. Raises what that raised, or
        ConfigurationError where even they are not valid.
        """
        when = self._now()
        if any(key.valid_at(when) for key in self._keys):
            self._look_at_clock()
        else:
            await self._wait(self._policy_says(RefreshPolicy.on_need, awaited=True))
            if self._error is not None and not any(key.valid_at(when) for key in self._keys):
                raise copy(self._error)
        return self._preference.choose(self._keys, self._now())

    async def refresh(self) -> PlatformKeys:
        """Downloads now, whatever the schedule says, or joins the download that is under way.

        Raises what the download raised.
        """
        self._error = None
        await self._wait(self._policy_says(RefreshPolicy.on_demand, awaited=True, skip_store=True))
        if self._error is not None:
            raise copy(self._error)
        return self._keys

    async def close(self) -> None:
        """Ends a download that is under way in the background."""
        task = self._task
        if task is None or task.done():
            return
        loop = task.get_loop()
        if loop is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])
        elif not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    def _valid(self, serial: str) -> PlatformKey | None:
        key = self._keys.get(serial)
        return key if key is not None and key.valid_at(self._now()) else None

    def _look_at_clock(self) -> None:
        """Begins what is due in the background."""
        if self._due is not None and self._monotonic() >= self._due:
            self._policy_says(RefreshPolicy.on_schedule)

    def _policy_says(
        self,
        ask: Callable[[RefreshPolicy, float], Refresh],
        *,
        wanted: str | None = None,
        awaited: bool = False,
        skip_store: bool = False,
    ) -> _Flight | None:
        """Begins a download, joins the one under way, or neither."""
        now = self._monotonic()
        loop = asyncio.get_running_loop()
        with self._lock:
            flight = self._flight
            if flight is not None and (flight.loop.is_closed() or flight.pid != os.getpid()):
                # Its loop ended without letting it end; or it is that of a process that this one was forked from.
                self._abandon(flight)
            decision = ask(self._policy, now)
            if decision is Refresh.JOIN:
                return self._flight
            if decision is Refresh.NOT_NOW:
                return None
            self._set_policy(self._policy.started(now))
            flight = self._flight = _Flight(loop, Future())
        # A context of its own: what the calling task traces or logs is not about this.
        task = loop.create_task(self._run(wanted, awaited=awaited, skip_store=skip_store), context=Context())
        self._task = task
        task.add_done_callback(lambda done: self._ended(flight, done))
        return flight

    async def _wait(self, flight: _Flight | None) -> None:
        if flight is not None:
            # Shielded: a call that is cancelled leaves the download to the others.
            await asyncio.shield(asyncio.wrap_future(flight.landed))

    def _ended(self, flight: _Flight, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        with self._lock:
            if self._flight is flight:
                self._error = error if isinstance(error, SdkError) else None
                if task.cancelled():
                    self._abandon(flight)
                else:
                    self._land(flight, self._policy.succeeded() if error is None else self._policy.failed())
        if error is None or not len(self._keys):
            return  # Without any key at hand whoever waited raises it.
        if not isinstance(error, SdkError):
            _log.error("platform certificates: the refresh broke; the keys at hand stay in force", exc_info=error)
        elif any(is_public_key_id(key.id) for key in self._keys):
            _log.info("platform certificates are not to be had, the public key stays in force: %s", error)
        else:
            _log.warning("platform certificates cannot be refreshed, the keys at hand stay in force: %s", error)

    def _abandon(self, flight: _Flight) -> None:
        """Nobody knows what it would have brought: whoever needs it now is not to wait as after a failure."""
        self._land(flight, evolve(self._policy, running=False, attempted_at=None))

    def _land(self, flight: _Flight, policy: RefreshPolicy) -> None:
        self._set_policy(policy)
        self._flight = None
        flight.landed.set_result(None)

    def _set_policy(self, policy: RefreshPolicy) -> None:
        self._policy = policy
        self._due = None if policy.running else policy.next_due()

    async def _run(self, wanted: str | None, *, awaited: bool, skip_store: bool) -> None:
        if not skip_store and await self._load(wanted):
            return
        downloaded = await self._fetch(awaited=awaited)
        self._adopt(downloaded.keys, self._now().timestamp())
        if self._store is not None:
            entry = StoredCertificates(downloaded.answer, self._fetched_at)
            try:
                await self._store.save(self._name, entry.dumps())
            except SdkError as error:
                _log.warning("platform certificates are not kept for the next start: %s", error)

    async def _fetch(self, *, awaited: bool) -> Downloaded:
        try:
            return await self._download(self._keys, awaited)
        except ServiceError as error:
            if error.status in (404, 500) and not error.hint:
                hint = (
                    "is this merchant in public-key mode? Then give `certs`, {'PUB_KEY_ID_…': 'pub_key.pem'} "
                    "(微信支付公钥 and its id, from the merchant platform)"
                )
                raise evolve(error, hint=hint) from error
            raise

    async def _load(self, wanted: str | None) -> bool:
        """Takes what an earlier start, or another process, has downloaded. Whether that will do."""
        if self._store is None or self._open is None:
            return False
        try:
            data = await self._store.load(self._name)
            if data is None:
                return False
            stored = StoredCertificates.loads(data)
            if stored.fetched_at <= self._fetched_at:
                return False
            keys = self._open(stored.answer)
        except SdkError as error:
            _log.warning("stored platform certificates are not taken: %s", error)
            return False
        now = self._now()
        # What claims to come from the future may do so for ever: it is not fresh.
        age = now.timestamp() - stored.fetched_at
        self._adopt(keys, stored.fetched_at if age >= 0 else self._fetched_at)
        if wanted is not None:
            return self._valid(wanted) is not None
        fresh = self._policy.interval is None or 0 <= age < self._policy.interval
        if not fresh or not any(key.valid_at(now) for key in keys):
            return False
        self._policy = evolve(self._policy, attempted_at=self._monotonic() - age)
        return True

    def _adopt(self, keys: tuple[PlatformKey, ...], fetched_at: float) -> None:
        if not keys:
            raise PlatformCertificatesError("none came")
        self._keys = PlatformKeys([*keys, *self._configured])
        self._fetched_at = fetched_at
