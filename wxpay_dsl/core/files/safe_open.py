"""Opens files in a thread, without leaking a file handle when the caller is cancelled."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

__all__ = ["open_file"]


async def open_file(path: Path, mode: Literal["rb", "xb"]) -> BinaryIO:
    """Opens a file; ``xb`` creates it, readable by its owner only (mode 0600). Raises OSError.

    If the caller is cancelled, the file is closed again, and removed if it was created: the thread that opens it cannot
    be stopped.
    """
    opening = _Opening(path, mode)
    try:
        return await asyncio.to_thread(opening.open)
    except asyncio.CancelledError:
        opening.abandon()
        raise


class _Opening:
    """A file that one thread opens and another may abandon meanwhile."""

    def __init__(self, path: Path, mode: Literal["rb", "xb"]) -> None:
        self._path = path
        self._mode: Literal["rb", "xb"] = mode
        self._handle: BinaryIO | None = None
        self._abandoned = False
        self._lock = threading.Lock()

    def open(self) -> BinaryIO:
        handle = open(self._path, self._mode, opener=_open_private)  # noqa: SIM115 (the caller closes it)
        with self._lock:
            self._handle = handle
            if self._abandoned:
                self._undo(handle)
        return handle

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            if self._handle is not None:
                self._undo(self._handle)

    def _undo(self, handle: BinaryIO) -> None:
        handle.close()
        if self._mode == "xb":
            with suppress(OSError):
                self._path.unlink()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
