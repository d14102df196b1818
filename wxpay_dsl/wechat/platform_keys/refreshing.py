"""A keyring that downloads platform certificates (平台证书): when first needed, on schedule, on an unknown serial.

One download runs at a time, however many calls wait for it; the old set of keys stays in use until the new one is
complete and verified. There is no timer: calls start a scheduled download in the background and do not wait for it.
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
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, is_public_key_id

from .certificates import PlatformCertificatesError
from .keyring import Preference, describe_keys, utc_now
from .keys import PlatformKeys
from .refresh_policy import Refresh, RefreshPolicy
from .store import KeyStore, StoredCertificates

__all__ = ["DecryptCertificates", "Download", "Downloaded", "RefreshingKeyring"]

_log: Final = logging.getLogger(__name__)
#: What a certificate's serial looks like; no other value starts a download.
_SERIAL: Final = re.compile(r"[0-9A-F]{8,64}\Z")


@frozen
class Downloaded:
    """The result of a download: the certificates, verified, and the body of the response they came in."""

    keys: tuple[PlatformKey, ...]
    response: bytes = field(repr=False)


#: Downloads and verifies, given the keys in use and whether calls wait for the result.
Download = Callable[[PlatformKeys, bool], Awaitable[Downloaded]]
#: Decrypts the body of a stored response. Raises SdkError.
DecryptCertificates = Callable[[bytes], tuple[PlatformKey, ...]]


@frozen
class _RunningDownload:
    """A download that is running; calls in any event loop can wait for ``finished``."""

    loop: asyncio.AbstractEventLoop
    finished: Future[None]
    #: The process that it runs in.
    pid: int = field(factory=os.getpid)


class RefreshingKeyring:
    """Configured keys, and certificates that are downloaded and kept up to date.

    Safe to use from several event loops and threads; a download runs in the event loop of the call that started it.
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
        decrypt_certificates: DecryptCertificates | None = None,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``store`` keeps responses under ``name``; ``decrypt_certificates`` decrypts those that come out of it."""
        self._configured = configured
        self._keys = configured
        self._download = download
        self._policy = policy or RefreshPolicy()
        self._due = self._policy.next_due()
        self._preference = preference or Preference()
        self._store = store
        self._name = name
        self._decrypt = decrypt_certificates
        self._now = now
        self._monotonic = monotonic
        self._fetched_at = 0.0
        self._running: _RunningDownload | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: SdkError | None = None
        self._lock = ForkSafeLock()

    def __repr__(self) -> str:
        return f"<RefreshingKeyring {', '.join(self.key_ids()) or 'empty'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring that downloads holds a merchant's keys and is never pickled")

    @property
    def keys(self) -> PlatformKeys:
        """All loaded keys, expired ones included."""
        return self._keys

    def key_ids(self) -> list[str]:
        """The ids of the loaded keys, with the reason where one is not valid; for error messages."""
        return describe_keys(self._keys, self._now())

    async def find(self, serial: str) -> PlatformKey | None:
        """The key that a ``Wechatpay-Serial`` names; None if it is unknown, not valid, or cannot be downloaded.

        An unknown certificate serial starts a download, at most one per ``minimum_interval`` of the policy.
        """
        self._start_if_due()
        key = self._valid(serial)
        if key is not None or is_public_key_id(serial) or not _SERIAL.match(serial.upper()):
            return key
        await self._wait(self._start_or_join(RefreshPolicy.on_unknown_serial, wanted=serial, awaited=True))
        return self._valid(serial)

    async def preferred(self) -> PlatformKey:
        """The key to encrypt with and to name in ``Wechatpay-Serial``.

        If no key is valid, the certificates are downloaded first. Raises the error of that download, or
        ConfigurationError if there is still no valid key.
        """
        when = self._now()
        if any(key.valid_at(when) for key in self._keys):
            self._start_if_due()
        else:
            await self._wait(self._start_or_join(RefreshPolicy.on_need, awaited=True))
            if self._error is not None and not any(key.valid_at(when) for key in self._keys):
                raise copy(self._error)
        return self._preference.choose(self._keys, self._now())

    async def refresh(self) -> PlatformKeys:
        """Downloads now, regardless of the schedule, or waits for the download that is running.

        Raises the error of the download.
        """
        self._error = None
        await self._wait(self._start_or_join(RefreshPolicy.on_demand, awaited=True, skip_store=True))
        if self._error is not None:
            raise copy(self._error)
        return self._keys

    async def close(self) -> None:
        """Cancels a download that is running in the background."""
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

    def _start_if_due(self) -> None:
        """Starts a scheduled download in the background if one is due."""
        if self._due is not None and self._monotonic() >= self._due:
            self._start_or_join(RefreshPolicy.on_schedule)

    def _start_or_join(
        self,
        decide: Callable[[RefreshPolicy, float], Refresh],
        *,
        wanted: str | None = None,
        awaited: bool = False,
        skip_store: bool = False,
    ) -> _RunningDownload | None:
        """Starts a download, returns the one that is running, or returns None, as the policy's ``decide`` says."""
        now = self._monotonic()
        loop = asyncio.get_running_loop()
        with self._lock:
            running = self._running
            if running is not None and (running.loop.is_closed() or running.pid != os.getpid()):
                # Its event loop was closed before it finished, or it runs in the process that this one was forked from.
                self._abandon(running)
            decision = decide(self._policy, now)
            if decision is Refresh.JOIN:
                return self._running
            if decision is Refresh.NOT_NOW:
                return None
            self._set_policy(self._policy.started(now))
            running = self._running = _RunningDownload(loop, Future())
        # In an empty context: the trace and log context of the calling task does not apply to the download.
        task = loop.create_task(self._run(wanted, awaited=awaited, skip_store=skip_store), context=Context())
        self._task = task
        task.add_done_callback(lambda done: self._finish(running, done))
        return running

    async def _wait(self, running: _RunningDownload | None) -> None:
        if running is not None:
            # Shielded: cancelling one waiting call must not cancel the download for the others.
            await asyncio.shield(asyncio.wrap_future(running.finished))

    def _finish(self, running: _RunningDownload, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        with self._lock:
            if self._running is running:
                self._error = error if isinstance(error, SdkError) else None
                if task.cancelled():
                    self._abandon(running)
                else:
                    self._settle(running, self._policy.succeeded() if error is None else self._policy.failed())
        if error is None or not len(self._keys):
            return  # Without any key, the calls that waited raise the error.
        if not isinstance(error, SdkError):
            _log.error(
                "platform certificates: the refresh failed unexpectedly; the loaded keys stay in use", exc_info=error
            )
        elif any(is_public_key_id(key.id) for key in self._keys):
            _log.info("platform certificates cannot be downloaded, the public key stays in use: %s", error)
        else:
            _log.warning("platform certificates cannot be refreshed, the loaded keys stay in use: %s", error)

    def _abandon(self, running: _RunningDownload) -> None:
        """Forgets a download without a result, so that the next one may start without the pause after a failure."""
        self._settle(running, evolve(self._policy, running=False, attempted_at=None))

    def _settle(self, running: _RunningDownload, policy: RefreshPolicy) -> None:
        self._set_policy(policy)
        self._running = None
        running.finished.set_result(None)

    def _set_policy(self, policy: RefreshPolicy) -> None:
        self._policy = policy
        self._due = None if policy.running else policy.next_due()

    async def _run(self, wanted: str | None, *, awaited: bool, skip_store: bool) -> None:
        if not skip_store and await self._load(wanted):
            return
        downloaded = await self._fetch(awaited=awaited)
        self._adopt(downloaded.keys, self._now().timestamp())
        if self._store is not None:
            entry = StoredCertificates(downloaded.response, self._fetched_at)
            try:
                await self._store.save(self._name, entry.dumps())
            except SdkError as error:
                _log.warning("platform certificates were not stored for the next start: %s", error)

    async def _fetch(self, *, awaited: bool) -> Downloaded:
        try:
            return await self._download(self._keys, awaited)
        except ServiceError as error:
            if error.status in (404, 500) and not error.hint:
                hint = (
                    "is this merchant in public-key mode? Then give `platform_keys`, {'PUB_KEY_ID_…': 'pub_key.pem'} "
                    "(微信支付公钥 and its id, from the merchant platform)"
                )
                raise evolve(error, hint=hint) from error
            raise

    async def _load(self, wanted: str | None) -> bool:
        """Loads what an earlier start or another process has stored. Returns False if a download is still needed."""
        if self._store is None or self._decrypt is None:
            return False
        try:
            data = await self._store.load(self._name)
            if data is None:
                return False
            stored = StoredCertificates.loads(data)
            if stored.fetched_at <= self._fetched_at:
                return False
            keys = self._decrypt(stored.response)
        except SdkError as error:
            _log.warning("stored platform certificates are not used: %s", error)
            return False
        now = self._now()
        # An entry dated in the future would stay fresh for ever: it does not count as fresh.
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
            raise PlatformCertificatesError("the response has none")
        self._keys = PlatformKeys([*keys, *self._configured])
        self._fetched_at = fetched_at
