"""Opens files off the event loop, so that nothing stays open where the wait for it is cancelled."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

__all__ = ["open_file"]


async def open_file(path: Path, mode: Literal["rb", "xb"]) -> BinaryIO:
    """The file, open; ``xb`` makes it, for its owner only (mode 0600). Raises OSError.

    Whoever is cancelled meanwhile has opened nothing: a thread cannot be stopped, so what it opens after all is closed
    again, and what it makes is removed.
    """
    opening = _Opening(path, mode)
    try:
        return await asyncio.to_thread(opening.open)
    except asyncio.CancelledError:
        opening.abandon()
        raise


class _Opening:
    """Opened in one thread, abandoned in another."""

    def __init__(self, path: Path, mode: Literal["rb", "xb"]) -> None:
        self._path = path
        self._mode: Literal["rb", "xb"] = mode
        self._handle: BinaryIO | None = None
        self._abandoned = False
        self._lock = threading.Lock()

    def open(self) -> BinaryIO:
        handle = open(self._path, self._mode, opener=_open_private)  # noqa: SIM115 (its caller closes it)
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
