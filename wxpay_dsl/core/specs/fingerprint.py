"""What proves that a spec file is the one that was read before: its size, its times, and a hash of its bytes."""

from __future__ import annotations

import os
import time
from errno import EINVAL
from stat import S_ISREG
from typing import Final, NamedTuple

__all__ = ["ABSENT_FILE", "MAX_BYTES", "RACY_NS", "Seen", "digest", "read_file", "read_regular_file", "unchanged"]

#: Bytes of a spec file at most; the largest known one is a thirtieth of it.
MAX_BYTES: Final = 4 * 1024 * 1024
#: Two edits within this many nanoseconds may bear one timestamp on a coarse file system.
RACY_NS: Final = 2_000_000_000


def read_regular_file(path: str, most: int) -> bytes:
    """Up to ``most`` bytes of a file. Raises OSError for what is no file: a pipe would be waited for, for ever."""
    with open(path, "rb", opener=_opened) as stream:
        if not S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(EINVAL, "it is no regular file")
        return stream.read(most)


def _opened(path: str, flags: int) -> int:
    # Opening a pipe waits for its writer, unless it is told not to.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def digest(text: bytes) -> str:
    """What stands for the bytes of a file."""
    # Only a file that its times do not prove is hashed: importing this costs as much as the whole index.
    from hashlib import blake2b

    return blake2b(text, digest_size=16).hexdigest()


class Seen(NamedTuple):
    """A file as it was read: what tells whether it has changed since. All zero and empty where there was none."""

    size: int
    modified_ns: int
    altered_ns: int
    read_ns: int
    digest: str


#: What was seen where there was no file.
ABSENT_FILE: Final = Seen(0, 0, 0, 0, "")


def read_file(file: str, files: dict[str, Seen]) -> bytes:
    """The bytes of a file, and in ``files`` what it looked like just before."""
    read_ns = time.time_ns()
    try:
        status = os.stat(file)
        text = read_regular_file(file, MAX_BYTES + 1)
    except OSError as error:
        from wxpay_dsl.core.errors import SpecError  # only where it fails: the index reads files at every import

        raise SpecError(f"cannot be read: {error.strerror}", file) from None
    files[file] = Seen(status.st_size, status.st_mtime_ns, status.st_ctime_ns, read_ns, digest(text))
    return text


def unchanged(file: str, seen: Seen) -> bool:
    """Whether ``file`` still is what was read."""
    try:
        status = os.stat(file)
    except OSError:
        return seen is ABSENT_FILE
    if (status.st_size, status.st_mtime_ns, status.st_ctime_ns) != seen[:3]:
        return False
    if max(seen.modified_ns, seen.altered_ns) + RACY_NS < seen.read_ns:
        return True
    # Read so soon after it was written that a second edit may bear the same time.
    try:
        return digest(read_regular_file(file, MAX_BYTES + 1)) == seen.digest
    except OSError:
        return False
