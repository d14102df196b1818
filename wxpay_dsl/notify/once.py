"""Handles each notification once, however often and wherever it is delivered.

The service delivers at least once. A claim in a shared store lets one delivery handle it while the others are told
"later"; the finished are told "yes" without handling. Whoever crashes loses the claim when its lease runs out, and the
next delivery handles it again. So a crash *between* a handler's effect and its mark in the store does it twice, unless
both are one transaction: see :meth:`SqliteStore.mark_done <wxpay_dsl.notify.stores.sqlite.SqliteStore.mark_done>`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from attrs import field, frozen

from .stores import Claim, Finished, Store, StoreUnavailableError

__all__ = ["Done", "Failed", "Later", "Once", "Work"]

#: Handles a notification under a claim, and gives the answer's data, mostly none.
Work = Callable[[Claim], Awaitable[bytes]]

_log = logging.getLogger("wxpay_dsl.notify")
_BUSY: Final = "another delivery of it is being handled"
#: How often something finished is tried to be marked in a store that was gone, three times a lease: for an hour.
_MARK_ATTEMPTS: Final = 180


@frozen
class Done:
    """It has been handled, now or before."""

    data: bytes = b""


@frozen
class Later:
    """Nobody knows yet: the service shall send it again."""

    reason: str


@frozen
class Failed:
    """The handler raised."""

    error: BaseException = field(repr=False)


class Once:
    """Runs work under claims in a store. Belongs to one event loop at a time."""

    def __init__(self, store: Store, *, lease: float, limit: float) -> None:
        """Seconds: ``lease`` after a crash the next delivery may run the work, ``limit`` is how long it may run before
        it is cancelled.
        """
        self.store = store
        self._lease = lease
        self._limit = limit
        #: What is being handled here, by key: whatever becomes of its lease, this process begins none a second time.
        self._running: dict[str, asyncio.Task[Done | Later | Failed]] = {}
        #: What is still to be told to the store, after the service has been answered.
        self._telling: set[asyncio.Task[None]] = set()
        #: Handled here, while the store is gone: ``{key: data}``.
        self._unmarked: dict[str, bytes] = {}
        self._pid = os.getpid()

    async def run(self, key: str, work: Work, *, deadline: float, cancellable: bool = True) -> Done | Later | Failed:
        """The outcome for this delivery, by ``deadline`` (the loop's time). Work that takes longer goes on by itself,
        and a later delivery learns of it.

        ``cancellable`` is False for work in a thread, which nothing can stop: it keeps its claim until it ends.
        """
        loop = asyncio.get_running_loop()
        if key in self._unmarked:
            return Done(self._unmarked[key])
        if self._is_running(key):
            return Later(_BUSY)
        claim = Claim(key)
        try:
            async with asyncio.timeout_at(deadline):
                taken = await self.store.claim(claim, self._lease)
        except (StoreUnavailableError, TimeoutError) as error:
            _log.warning("%s: told later, since the store cannot be asked: %r", key, error)
            # It may have taken the claim all the same, which then nobody uses until the lease runs out.
            self._tell(self._release(claim))
            return Later("the store cannot be asked")
        except asyncio.CancelledError:
            self._tell(self._release(claim))  # as above
            raise
        if isinstance(taken, Finished):
            return Done(taken.answer)
        if taken and key in self._running:  # its lease ran out
            self._tell(self._release(claim))
        if not taken or key in self._running:
            return Later(_BUSY)
        task = self._running[key] = loop.create_task(self._handle(claim, work, cancellable=cancellable))
        task.add_done_callback(lambda _: self._running.pop(key, None))
        await asyncio.wait((task,), timeout=max(0.0, deadline - loop.time()))
        return task.result() if task.done() and not task.cancelled() else Later("it is still being handled")

    def _is_running(self, key: str) -> bool:
        """Whether a task of this process handles it, in a loop that may still run."""
        if self._pid != os.getpid():
            # Copies of the tasks of the process that this one was forked from: none of them ever ends here.
            self._pid = os.getpid()
            self._running, self._telling = {}, set()
        task = self._running.get(key)
        if task is not None and task.get_loop().is_closed():
            del self._running[key]  # closed without letting it end, which it never does now
            return False
        return task is not None

    async def close(self, grace: float) -> None:
        """Waits ``grace`` seconds for what is being handled, cancels the rest, and closes the store."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=grace)
        rest = [*self._running.values(), *self._telling]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self.store.close()

    async def _handle(self, claim: Claim, work: Work, *, cancellable: bool) -> Done | Later | Failed:
        lease = _Lease(self.store, claim, self._lease, asyncio.current_task() if cancellable else None)
        try:
            async with asyncio.timeout(self._limit if cancellable else None):
                data = await work(claim)
        except asyncio.CancelledError:
            await self._release(claim)
            if not lease.lost:
                raise
            return Later(_BUSY)
        except Exception as error:  # noqa: BLE001 - a handler may raise whatever it likes
            _log.error("%s: the handler failed; the service is asked to send it again", claim.key, exc_info=error)
            await self._release(claim)
            return Failed(error)
        finally:
            lease.stop()
        await self._mark(claim, data)
        return Done(data)

    def _tell(self, telling: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _release(self, claim: Claim) -> None:
        try:
            await self.store.release(claim)
        except StoreUnavailableError as error:
            _log.warning("%s: not released, so it runs again when the lease has run out: %s", claim.key, error)

    async def _mark(self, claim: Claim, data: bytes) -> None:
        try:
            try:
                marked = await self.store.done(claim, data)
            except asyncio.CancelledError:
                # The process is being stopped, and the effect is there: a mark that is missing would double it.
                marked = await self.store.done(claim, data)
        except StoreUnavailableError as error:
            _log.warning("%s: handled, but not marked yet, the store cannot be asked: %s", claim.key, error)
            self._unmarked[claim.key] = data
            self._tell(self._mark_later(claim, data))
        else:
            self._marked(claim, done=marked)

    async def _mark_later(self, claim: Claim, data: bytes) -> None:
        """The service has been told yes, truly; until the store knows, this process remembers."""
        ending = False
        try:
            for _ in range(_MARK_ATTEMPTS):
                try:
                    await asyncio.sleep(self._lease / 3)
                except asyncio.CancelledError:
                    # The process is being stopped, and will not remember: one last try.
                    ending = True
                try:
                    marked = await self.store.done(claim, data)
                except StoreUnavailableError:
                    if ending:
                        break
                    continue
                self._marked(claim, done=marked)
                return
            _log.error("%s: handled, but never marked: another delivery would be handled again", claim.key)
        finally:
            self._unmarked.pop(claim.key, None)

    @staticmethod
    def _marked(claim: Claim, *, done: bool) -> None:
        if not done:
            _log.error("%s: handled, but its lease had run out: another delivery may have been handled too", claim.key)


class _Lease:
    """Renews a claim while its work runs; where it is lost, cancels ``task``."""

    def __init__(self, store: Store, claim: Claim, seconds: float, task: asyncio.Task[object] | None) -> None:
        self.lost = False
        self._store = store
        self._claim = claim
        self._seconds = seconds
        self._task = task
        self._renewal: asyncio.Task[None] | None = None
        # Most work ends long before: it costs no more than this timer.
        self._timer = asyncio.get_running_loop().call_later(seconds / 3, self._begin)

    def stop(self) -> None:
        """No more renewals."""
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
                # Nobody else can take it either, while the store is gone.
                _log.warning("%s: its lease cannot be renewed now: %s", self._claim.key, error)
                held = True
            if not held:
                self.lost = True
                _log.error("%s: its lease ran out while it was being handled, and another has it", self._claim.key)
                if self._task is not None:
                    self._task.cancel()
                return
            await asyncio.sleep(self._seconds / 3)
