"""The journal of a bulk run: the state of each row, synced to disk before the next step.

An append-only file of JSON lines. A row is recorded as ``sent`` before its request is sent, and gets its outcome when
the response arrives; a row that is ``sent`` without an outcome may have been executed.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, Self, get_args

import click
from attrs import asdict, frozen

__all__ = ["Entry", "Journal", "State"]

#: ``succeeded``: executed; ``rejected``: refused by the service, finally; ``not_sent``: not executed; ``unknown``: no
#: response that says whether it was executed; ``sent``: no response when the run ended.
State = Literal["sent", "succeeded", "rejected", "not_sent", "unknown"]
_FORMAT: Final = 1
#: Follow no symbolic link, which could lead to a file of somebody else, and do not block on a pipe.
_OPEN_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@frozen
class Entry:
    """The state of one row, as one line of the journal."""

    row: int
    #: The digest of what is sent (``Row.digest``), by which a changed row is detected.
    digest: str
    state: State
    status: int = 0
    code: str = ""
    message: str = ""
    request_id: str = ""
    data: Any = None


class Journal:
    """A journal, used in ``with``: entering opens the file, locks it for this process and reads its entries."""

    def __init__(self, path: Path, header: Mapping[str, str]) -> None:
        """``header`` identifies the run (operation, mchid, origin); a journal with another header is refused."""
        self._path = path
        self._header = {"journal": _FORMAT, **header}
        self._file: BinaryIO | None = None
        self._lock = asyncio.Lock()
        self._written = self._synced = 0
        #: The latest entry of each row, by its number from 1.
        self.entries: dict[int, Entry] = {}

    def __enter__(self) -> Self:
        """Raises ClickException if the journal is of another run, in use, damaged, or cannot be read or written."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _OPEN_FLAGS, 0o600)
        except OSError as error:
            raise click.ClickException(f"the journal {self._path}: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise click.ClickException(f"the journal {self._path}: it is not a regular file")
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._acquire(descriptor)
            self._read(self._file)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    async def add(self, entry: Entry) -> None:
        """Appends the entry and returns once it is synced to disk. Raises OSError if it cannot be written."""
        self.entries[entry.row] = entry
        await self._append({name: value for name, value in asdict(entry).items() if value not in (None, "", 0)})

    def _acquire(self, descriptor: int) -> None:
        try:
            _lock(descriptor)
        except OSError:
            raise click.ClickException(f"another run is using {self._path}: wait until it has ended") from None

    def _read(self, file: BinaryIO) -> None:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if not whole and _line(self._header).startswith(content):
            # The file is new, or was cut off before the first row was sent.
            file.truncate(0)
            self._write(self._header)
            os.fsync(file.fileno())
            _sync_folder(self._path.parent)
            return
        try:
            # A file that is not a journal is left as it is.
            header, *records = [json.loads(line) for line in content[:whole].split(b"\n")[:-1]]
            if not isinstance(header, dict) or "journal" not in header:
                raise ValueError("not the first line of a journal")
            entries = [_entry(record) for record in records]
        except (ValueError, TypeError, RecursionError):
            raise click.ClickException(f"{self._path} is not a journal of a bulk run, or it is damaged") from None
        if header != self._header:
            differ = next((name for name, value in self._header.items() if header.get(name) != value), "journal")
            raise click.ClickException(
                f"{self._path} is the journal of another run: its {differ} is {header.get(differ)!r:.80}, "
                f"not {self._header.get(differ)!r}; choose another --journal"
            )
        self.entries = {entry.row: entry for entry in entries}
        if whole < len(content):
            # No step followed an incomplete line: it had not happened yet, or the row counts as unknown.
            file.truncate(whole)

    def _write(self, record: Mapping[str, Any]) -> None:
        if self._file is None:
            raise RuntimeError("the journal is not open")
        line = _line(record)
        if self._file.write(line) != len(line):
            raise OSError(f"the journal {self._path}: the line was not written whole")
        self._written += 1

    async def _append(self, record: Mapping[str, Any]) -> None:
        self._write(record)
        position = self._written
        async with self._lock:
            # One fsync covers all lines that were written during the previous one.
            if self._synced < position and self._file is not None:
                written = self._written
                await asyncio.to_thread(os.fsync, self._file.fileno())
                self._synced = written


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _entry(record: Any) -> Entry:
    """The entry of one line. Raises ValueError or TypeError if the line is not an entry."""
    entry = Entry(**record)
    if type(entry.row) is not int or entry.row < 1 or entry.state not in get_args(State):
        raise ValueError("not an entry of a journal")
    if not all(isinstance(each, str) for each in (entry.digest, entry.code, entry.message, entry.request_id)):
        raise ValueError("not an entry of a journal")
    return entry


if sys.platform == "win32":
    import msvcrt

    #: The offset of the locked byte, beyond the content of the file: on Windows a locked byte cannot be read.
    _LOCKED: Final = 1 << 40

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    """Syncs the folder, so that a new file's name survives a crash."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
