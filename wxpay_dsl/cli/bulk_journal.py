"""The journal of a bulk run: what is known of each row, on disk before the next step is taken.

Lines of JSON, only ever added to. A row is ``sent`` before its request leaves and gets its outcome once the answer is
there; one that is ``sent`` and has no outcome may have been executed.
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

#: ``done``: executed; ``refused``: by the service, for good; ``unsent``: nothing was executed; ``unknown``: no answer
#: that says; ``sent``: on its way when the run ended.
State = Literal["sent", "done", "refused", "unsent", "unknown"]
_FORMAT: Final = 1
#: Not through a link: it would be cut and written to wherever somebody else wants. No pipe is waited for.
_GUARDED: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@frozen
class Entry:
    """The last that is known of a row."""

    row: int
    #: Of what is sent: a row that was changed since is another row.
    digest: str
    state: State
    status: int = 0
    code: str = ""
    message: str = ""
    request_id: str = ""
    data: Any = None


class Journal:
    """The file, to be used in ``with``: locked for this process, and read."""

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        """``about``: what the run is for (operation, merchant, origin); a journal of another is refused."""
        self._path = path
        self._about = {"journal": _FORMAT, **about}
        self._file: BinaryIO | None = None
        self._lock = asyncio.Lock()
        self._written = self._synced = 0
        #: By row, the last entry of each.
        self.entries: dict[int, Entry] = {}

    def __enter__(self) -> Self:
        """Raises ClickException where the journal is another run's, in use, or cannot be read or written."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _GUARDED, 0o600)
        except OSError as error:
            raise click.ClickException(f"the journal {self._path}: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise click.ClickException(f"the journal {self._path}: it is no regular file")
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._claim(descriptor)
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
        """Writes the entry, and returns once the disk has it. Raises OSError where it cannot."""
        self.entries[entry.row] = entry
        await self._append({name: value for name, value in asdict(entry).items() if value not in (None, "", 0)})

    def _claim(self, descriptor: int) -> None:
        try:
            _lock(descriptor)
        except OSError:
            raise click.ClickException(f"another run is using {self._path}: wait for its end") from None

    def _read(self, file: BinaryIO) -> None:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if not whole and _line(self._about).startswith(content):
            # New, or cut short before the first row was sent.
            file.truncate(0)
            self._put(self._about)
            os.fsync(file.fileno())
            _sync_folder(self._path.parent)
            return
        try:
            # A file that is no journal is somebody's: nothing of it is touched.
            about, *told = [json.loads(line) for line in content[:whole].split(b"\n")[:-1]]
            if not isinstance(about, dict) or "journal" not in about:
                raise ValueError("no head of a journal")
            entries = [_entry(each) for each in told]
        except (ValueError, TypeError, RecursionError):
            raise click.ClickException(f"{self._path} is no journal of a bulk run, or damaged") from None
        if about != self._about:
            differ = next((name for name, value in self._about.items() if about.get(name) != value), "journal")
            raise click.ClickException(
                f"{self._path} is the journal of another run: its {differ} is {about.get(differ)!r:.80}, "
                f"not {self._about.get(differ)!r}; choose another --journal"
            )
        self.entries = {entry.row: entry for entry in entries}
        if whole < len(content):
            # Half a line was never followed by a step: what it was to say had not happened, or counts as unknown.
            file.truncate(whole)

    def _put(self, told: Mapping[str, Any]) -> None:
        if self._file is None:
            raise RuntimeError("the journal is not open")
        line = _line(told)
        if self._file.write(line) != len(line):
            raise OSError(f"the journal {self._path} takes no more")
        self._written += 1

    async def _append(self, told: Mapping[str, Any]) -> None:
        self._put(told)
        mine = self._written
        async with self._lock:
            # One fsync serves all that were written while the one before it ran.
            if self._synced < mine and self._file is not None:
                upto = self._written
                await asyncio.to_thread(os.fsync, self._file.fileno())
                self._synced = upto


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _entry(told: Any) -> Entry:
    """An entry as it was written. Raises ValueError or TypeError for anything else."""
    entry = Entry(**told)
    if type(entry.row) is not int or entry.row < 1 or entry.state not in get_args(State):
        raise ValueError("no entry of a journal")
    if not all(isinstance(each, str) for each in (entry.digest, entry.code, entry.message, entry.request_id)):
        raise ValueError("no entry of a journal")
    return entry


if sys.platform == "win32":
    import msvcrt

    #: The byte that is locked, beyond all that is ever written: there a locked byte cannot be read.
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
    """The file's name must survive a crash too."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
