"""Reads the bytes of a spec file within a bound, and hashes them. Imported with the index, so nothing heavy here."""

from __future__ import annotations

import os
from errno import EINVAL
from stat import S_ISREG
from typing import Final

__all__ = ["MAX_BYTES", "PARSED", "RACY_NS", "digest", "read_regular_file"]

#: Bytes of a spec file, at most; the largest known one is a thirtieth of that.
MAX_BYTES: Final = 4 * 1024 * 1024
#: The folder, below a spec folder, in which :mod:`.parsed` keeps files named by digests. Listings of specs leave out
#: names that begin with a dot.
PARSED: Final = ".parsed"
#: Nanoseconds within which two edits may have the same timestamp on a coarse file system.
RACY_NS: Final = 2_000_000_000


def read_regular_file(path: str, most: int) -> bytes:
    """Up to ``most`` bytes of a file. Raises OSError, also for a pipe or device, which might block for ever."""
    with open(path, "rb", opener=_open_nonblocking) as stream:
        if not S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(EINVAL, "not a regular file")
        return stream.read(most)


def _open_nonblocking(path: str, flags: int) -> int:
    # Without O_NONBLOCK opening a pipe waits for its writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def digest(text: bytes) -> str:
    """The hash of a file's bytes, 32 hexadecimal digits."""
    # Imported late: it costs as much as reading the whole index, and few files need a hash.
    from hashlib import blake2b

    return blake2b(text, digest_size=16).hexdigest()
