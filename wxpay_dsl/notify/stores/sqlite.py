"""Claims in a SQLite file: for any number of processes on one machine, without a server.

One thread of each process writes. Steps that are submitted at the same time share a transaction, because the commit is
what takes time. The journal is a WAL, and every commit is on the disk before its result is returned.

SQLite remembers in the process which locks it holds on an open file. A fork copies that memory, but not the locks, so a
child that used the file would rely on locks that it does not hold. The file is therefore closed before each fork, and
opened again when it is next needed.
"""

from __future__ import annotations

import asyncio
import math
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from wxpay_dsl.core import forking

from .store import KEEP, Claim, ClaimLostError, Finished, StoreUnavailableError

__all__ = ["SqliteStore"]

#: The most steps that share a transaction.
_BATCH: Final = 256
#: Seconds that a fork waits, beyond the timeout, for the current transaction.
_FORK_GRACE: Final = 5.0
#: Seconds between two deletions of expired rows.
_TIDY: Final = 3600.0

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS wxpay_notifications (key TEXT PRIMARY KEY, token TEXT NOT NULL, "
    "lease_until REAL NOT NULL, done_at REAL, answer BLOB) WITHOUT ROWID"
)
#: The ``done_at`` of a finished notification whose claim is persistent: no time to delete it is after it.
_NEVER_EXPIRES: Final = math.inf
_INDEX: Final = "CREATE INDEX IF NOT EXISTS wxpay_notifications_done_at ON wxpay_notifications (done_at)"
_FIND: Final = "SELECT token, lease_until, done_at, answer FROM wxpay_notifications WHERE key = ?"
_TAKE: Final = (
    "INSERT INTO wxpay_notifications (key, token, lease_until) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET token = excluded.token, lease_until = excluded.lease_until"
)
_FINISH: Final = (
    "INSERT INTO wxpay_notifications (key, token, lease_until, done_at, answer) VALUES (?, ?, 0, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET token = excluded.token, done_at = excluded.done_at, answer = excluded.answer"
)
_MARK: Final = (
    "UPDATE wxpay_notifications SET done_at = ?, answer = X'' WHERE key = ? AND token = ? AND done_at IS NULL"
)
_RELEASE: Final = "DELETE FROM wxpay_notifications WHERE key = ? AND token = ? AND done_at IS NULL"
_EXPIRE: Final = (
    "DELETE FROM wxpay_notifications WHERE done_at < :then",
    "DELETE FROM wxpay_notifications WHERE done_at IS NULL AND lease_until < :then",
)

_Step = Callable[[sqlite3.Connection], Any]


class SqliteStore:
    """Claims in a table ``wxpay_notifications`` of a SQLite file, which may be the application's own database.

    If it is, :meth:`mark_done` commits a handler's effect and its mark in one transaction.

    The file is closed before a fork (by ``os.fork``, :mod:`multiprocessing`, a preloading server); the application must
    close its own connections to the file, too.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        timeout: float = 2.0,
        keep: float = KEEP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``path``: a file on a local disk, created at first use; ``timeout``: seconds to wait for transactions of
        other connections; ``keep``: seconds for which finished notifications are remembered; ``clock``: Unix time.
        """
        self.path = str(path)
        self.keep = keep
        self._timeout = timeout
        self._clock = clock
        self._writer: _Writer | None = None
        self._lock = threading.Lock()
        forking.register(self)

    async def claim(self, claim: Claim, lease: float) -> Finished | bool:
        """See :meth:`Store.claim <wxpay_dsl.notify.stores.Store.claim>`."""

        def step(connection: sqlite3.Connection) -> Finished | bool:
            row = connection.execute(_FIND, (claim.key,)).fetchone()
            if row is not None and row[2] is not None:
                return Finished(row[3])
            return self._take(connection, row, claim, lease)

        result: Finished | bool = await self._do(step)
        return result

    async def renew(self, claim: Claim, lease: float) -> bool:
        """See :meth:`Store.renew <wxpay_dsl.notify.stores.Store.renew>`."""

        def step(connection: sqlite3.Connection) -> bool:
            row = connection.execute(_FIND, (claim.key,)).fetchone()
            if row is not None and row[2] is not None:
                return bool(row[0] == claim.token)
            return self._take(connection, row, claim, lease)

        return bool(await self._do(step))

    async def done(self, claim: Claim, data: bytes) -> bool:
        """See :meth:`Store.done <wxpay_dsl.notify.stores.Store.done>`."""

        def step(connection: sqlite3.Connection) -> bool:
            now = self._clock()
            row = connection.execute(_FIND, (claim.key,)).fetchone()
            if row is not None and row[0] != claim.token and (row[2] is not None or row[1] > now):
                return False
            if row is None or row[2] is None:
                connection.execute(_FINISH, (claim.key, claim.token, self._done_at(claim), data))
            return True

        return bool(await self._do(step))

    async def release(self, claim: Claim) -> None:
        """See :meth:`Store.release <wxpay_dsl.notify.stores.Store.release>`."""
        await self._do(lambda connection: connection.execute(_RELEASE, (claim.key, claim.token)).rowcount)

    def mark_done(self, claim: Claim, connection: sqlite3.Connection) -> None:
        """Marks a notification finished in a handler's transaction, so that its effect and the mark are committed
        together.

        ``connection`` is a connection to the same file, in a transaction that the handler commits. Raises
        ClaimLostError if another delivery has claimed the notification: roll back; sqlite3.Error as the connection
        does.
        """
        marked = connection.execute(_MARK, (self._done_at(claim), claim.key, claim.token))
        if marked.rowcount != 1:
            raise ClaimLostError(claim.key)

    def _done_at(self, claim: Claim) -> float:
        return _NEVER_EXPIRES if claim.persistent else self._clock()

    async def close(self) -> None:
        """Commits what was submitted, and closes the file."""
        with self._lock:
            writer = self._writer
            if writer is not None and writer.pid != os.getpid():
                return  # it belongs to the parent process
            self._writer = None
        if writer is not None:
            writer.stop()
            await asyncio.wrap_future(writer.ended)

    def before_fork(self) -> None:
        """Closes the file after the current transaction, and keeps it closed until the fork is over."""
        self._lock.acquire()
        writer = self._writer
        if writer is not None and writer.pid == os.getpid():
            writer.stop()
            with suppress(FutureTimeoutError):
                writer.ended.result(self._timeout + _FORK_GRACE)
                self._writer = None

    def after_fork(self, *, child: bool) -> None:
        """Allows the file to be opened again; not in a child if the parent could not close it in time."""
        if child:
            self._lock = threading.Lock()
            return
        if self._writer is not None and self._writer.pid == os.getpid():
            self._writer = None  # it did not end in time, and ends by itself
        self._lock.release()

    def _take(self, connection: sqlite3.Connection, row: Any, claim: Claim, lease: float) -> bool:
        now = self._clock()
        if row is not None and row[0] != claim.token and row[1] > now:
            return False
        connection.execute(_TAKE, (claim.key, claim.token, now + lease))
        return True

    async def _do(self, step: _Step) -> Any:
        with self._lock:
            if self._writer is None:
                self._writer = _Writer(self.path, self._timeout, self.keep, self._clock)
            elif self._writer.pid != os.getpid():
                # SQLite believes that it holds locks which only the parent holds; what it would do is undefined.
                message = (
                    f"{self.path} was open when this process was forked, and cannot be used in it: SQLite's state is "
                    f"the parent's. Open the store in each worker, after the fork"
                )
                raise StoreUnavailableError(message)
            future = self._writer.submit(step)
        try:
            return await asyncio.wrap_future(future)
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{self.path} cannot be written ({error})") from error


class _Writer:
    """The thread that owns the connection, and its queue of steps."""

    def __init__(self, path: str, timeout: float, keep: float, clock: Callable[[], float]) -> None:
        self.pid = os.getpid()
        self._path = path
        self._timeout = timeout
        self._keep = keep
        self._clock = clock
        self._tidied = 0.0
        self._queue: queue.SimpleQueue[tuple[_Step, Future[Any]] | None] = queue.SimpleQueue()
        #: Set when the thread has closed the file.
        self.ended: Future[None] = Future()
        threading.Thread(target=self._run, name="wxpay-notify-sqlite", daemon=True).start()

    def submit(self, step: _Step) -> Future[Any]:
        """Runs ``step(connection)`` in the next transaction; returns a future of its result."""
        future: Future[Any] = Future()
        self._queue.put((step, future))
        return future

    def stop(self) -> None:
        """Ends the thread after the steps that were submitted before."""
        self._queue.put(None)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        open_ = True
        while open_:
            batch = []
            entry = self._queue.get()
            while entry is not None:
                batch.append(entry)
                if len(batch) == _BATCH or self._queue.empty():
                    break
                entry = self._queue.get()
            open_ = entry is not None
            if batch:
                connection = self._commit(connection, batch)
        if connection is not None:
            connection.close()
        self.ended.set_result(None)

    def _commit(
        self, connection: sqlite3.Connection | None, batch: list[tuple[_Step, Future[Any]]]
    ) -> sqlite3.Connection | None:
        """Runs all steps in one transaction. Returns the connection for the next one, or None if it was closed."""
        # Skip steps whose callers were cancelled meanwhile; the others cannot be cancelled from here on.
        batch = [entry for entry in batch if entry[1].set_running_or_notify_cancel()]
        try:
            if connection is None:
                connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            results = [step(connection) for step, _ in batch]
            self._tidy(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - the callers raise it
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()  # rolls back, before anybody is told, who may then write at once
            for _, future in batch:
                future.set_exception(error)
            return None
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
        return connection

    def _tidy(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        if now >= self._tidied + _TIDY:
            for statement in _EXPIRE:
                connection.execute(statement, {"then": now - self._keep})
            self._tidied = now

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None)
        try:
            self._use_wal(connection)
            # A mark that is not on the disk when the handler's effect is would have it handled again after a power
            # failure.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_TABLE)
            connection.execute(_INDEX)
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        # SQLite does not wait for the lock that changing the journal mode takes; several processes may start at once.
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)
            else:
                return
