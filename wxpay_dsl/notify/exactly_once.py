"""Handles each notification once, however often and to however many processes it is delivered.

The service delivers at least once. One delivery takes a claim in a shared store and handles the notification, while the
others are postponed; once it is finished, further deliveries are acknowledged without handling. The claim of a process
that crashes expires with its lease, and the next delivery handles the notification again. So a crash *between* a
handler's effect and its mark in the store has the effect twice, unless both are one transaction: see
:meth:`SqliteStore.mark_done <wxpay_dsl.notify.stores.sqlite.SqliteStore.mark_done>`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from attrs import field, frozen

from .stores import Claim, Finished, Store, StoreUnavailableError

__all__ = ["Done", "ExactlyOnce", "Failed", "Postponed", "Work"]

#: Handles a notification under a claim, and returns the JSON for the acknowledgement, usually none.
Work = Callable[[Claim], Awaitable[bytes]]

_log = logging.getLogger("wxpay_dsl.notify")
_BUSY: Final = "another delivery of it is being handled"
#: Attempts to mark a finished notification in a store that was unavailable, three in each lease: for an hour.
_MARK_ATTEMPTS: Final = 180


@frozen
class Done:
    """The notification has been handled, now or before."""

    data: bytes = b""


@frozen
class Postponed:
    """The outcome is not known yet: the service is asked to send the notification again."""

    reason: str


@frozen
class Failed:
    """The handler raised."""

    error: BaseException = field(repr=False)


class ExactlyOnce:
    """Runs work under claims in a store. Used by one event loop at a time."""

    def __init__(self, store: Store, *, lease: float, timeout: float) -> None:
        """``lease``: seconds after a crash until the next delivery may run the work; ``timeout``: seconds after which
        running work is cancelled.
        """
        self.store = store
        self._lease = lease
        self._timeout = timeout
        #: ``{key: task}`` of the work that runs in this process, which starts none twice even if a lease expires.
        self._running: dict[str, asyncio.Task[Done | Postponed | Failed]] = {}
        #: Updates of the store that go on after the service has been acknowledged.
        self._background: set[asyncio.Task[None]] = set()
        #: ``{key: data}`` of what was handled here and could not be marked in the store yet.
        self._unmarked: dict[str, bytes] = {}
        self._pid = os.getpid()

    async def run(
        self, key: str, work: Work, *, deadline: float, cancellable: bool = True, persistent: bool = False
    ) -> Done | Postponed | Failed:
        """The outcome of this delivery, by ``deadline`` (the event loop's time). Work that takes longer goes on in the
        background, and a later delivery gets its outcome.

        ``cancellable`` is False for work in a thread, which cannot be stopped: it keeps its claim until it ends.
        ``persistent``: once finished, it is remembered without an end (see :class:`~wxpay_dsl.notify.stores.Claim`).
        """
        loop = asyncio.get_running_loop()
        if key in self._unmarked:
            return Done(self._unmarked[key])
        if self._is_running(key):
            return Postponed(_BUSY)
        claim = Claim(key, persistent=persistent)
        try:
            async with asyncio.timeout_at(deadline):
                taken = await self.store.claim(claim, self._lease)
        except (StoreUnavailableError, TimeoutError) as error:
            _log.warning("%s: postponed, since the store is unavailable: %r", key, error)
            # The store may have taken the claim all the same, and would keep it until the lease expires.
            self._start_background(self._release(claim))
            return Postponed("the store is unavailable")
        except asyncio.CancelledError:
            self._start_background(self._release(claim))  # as above
            raise
        if isinstance(taken, Finished):
            return Done(taken.data)
        if taken and key in self._running:  # the lease of the running work has expired
            self._start_background(self._release(claim))
        if not taken or key in self._running:
            return Postponed(_BUSY)
        task = self._running[key] = loop.create_task(self._handle(claim, work, cancellable=cancellable))
        task.add_done_callback(lambda _: self._running.pop(key, None))
        await asyncio.wait((task,), timeout=max(0.0, deadline - loop.time()))
        return task.result() if task.done() and not task.cancelled() else Postponed("it is still being handled")

    def _is_running(self, key: str) -> bool:
        """Whether a task of this process handles ``key``, in an event loop that is not closed."""
        if self._pid != os.getpid():
            # After a fork: these are copies of the parent's tasks, which never end in this process.
            self._pid = os.getpid()
            self._running, self._background = {}, set()
        task = self._running.get(key)
        if task is not None and task.get_loop().is_closed():
            del self._running[key]  # the loop was closed before the task ended; it never will
            return False
        return task is not None

    async def close(self, grace: float) -> None:
        """Waits ``grace`` seconds for running work, cancels the rest, and closes the store."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=grace)
        rest = [*self._running.values(), *self._background]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self.store.close()

    async def _handle(self, claim: Claim, work: Work, *, cancellable: bool) -> Done | Postponed | Failed:
        lease = _Lease(self.store, claim, self._lease, asyncio.current_task() if cancellable else None)
        try:
            async with asyncio.timeout(self._timeout if cancellable else None):
                data = await work(claim)
        except asyncio.CancelledError:
            await self._release(claim)
            if not lease.lost:
                raise
            return Postponed(_BUSY)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything
            _log.error("%s: the handler failed; the service is asked to send it again", claim.key, exc_info=error)
            await self._release(claim)
            return Failed(error)
        finally:
            lease.stop()
        await self._mark(claim, data)
        return Done(data)

    def _start_background(self, update: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(update)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _release(self, claim: Claim) -> None:
        try:
            await self.store.release(claim)
        except StoreUnavailableError as error:
            _log.warning(
                "%s: not released, so it is handled again only after its lease expires: %s",
                claim.key,
                error,
            )

    async def _mark(self, claim: Claim, data: bytes) -> None:
        try:
            try:
                marked = await self.store.done(claim, data)
            except asyncio.CancelledError:
                # The process is being stopped, and the effect has happened: without the mark it would happen twice.
                marked = await self.store.done(claim, data)
        except StoreUnavailableError as error:
            _log.warning("%s: handled, but not marked yet, since the store is unavailable: %s", claim.key, error)
            self._unmarked[claim.key] = data
            self._start_background(self._mark_later(claim, data))
        else:
            self._log_marked(claim, marked=marked)

    async def _mark_later(self, claim: Claim, data: bytes) -> None:
        """Tries to mark a notification that was acknowledged; this process remembers it until the store does."""
        ending = False
        try:
            for _ in range(_MARK_ATTEMPTS):
                try:
                    await asyncio.sleep(self._lease / 3)
                except asyncio.CancelledError:
                    # The process is being stopped, and its memory is lost: one last attempt.
                    ending = True
                try:
                    marked = await self.store.done(claim, data)
                except StoreUnavailableError:
                    if ending:
                        break
                    continue
                self._log_marked(claim, marked=marked)
                return
            _log.error("%s: handled, but never marked: another delivery would be handled again", claim.key)
        finally:
            self._unmarked.pop(claim.key, None)

    @staticmethod
    def _log_marked(claim: Claim, *, marked: bool) -> None:
        if not marked:
            _log.error("%s: handled, but its lease had expired: another delivery may have been handled too", claim.key)


class _Lease:
    """Renews a claim while its work runs; cancels ``task`` if the claim is lost."""

    def __init__(self, store: Store, claim: Claim, seconds: float, task: asyncio.Task[object] | None) -> None:
        self.lost = False
        self._store = store
        self._claim = claim
        self._seconds = seconds
        self._task = task
        self._renewal: asyncio.Task[None] | None = None
        # Most work ends long before the first renewal, so that a lease usually costs this timer only.
        self._timer = asyncio.get_running_loop().call_later(seconds / 3, self._begin)

    def stop(self) -> None:
        """Stops the renewals."""
        self._timer.cancel()
        if self._renewal is not None:
            self._renewal.cancel()

    def _begin(self) -> None:
        self._renewal = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            try:
                held = await self._store.renew(self._claim, self._seconds)
            except StoreUnavailableError as error:
                # While the store is unavailable, no other process can take the claim either.
                _log.warning("%s: its lease cannot be renewed now: %s", self._claim.key, error)
                held = True
            if not held:
                self.lost = True
                _log.error(
                    "%s: its lease expired while it was handled, and another delivery has it",
                    self._claim.key,
                )
                if self._task is not None:
                    self._task.cancel()
                return
            await asyncio.sleep(self._seconds / 3)
