"""Reads spec files, and tells whether one has changed since: by size, timestamps, and a hash of its bytes."""

from __future__ import annotations

import os
import time
from errno import EINVAL
from stat import S_ISREG
from typing import Final, NamedTuple

__all__ = [
    "ABSENT_FILE",
    "MAX_BYTES",
    "PARSED",
    "RACY_NS",
    "Fingerprint",
    "digest",
    "read_file",
    "read_regular_file",
    "unchanged",
]

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


class Fingerprint(NamedTuple):
    """What a file was like when it was read; all zero and empty if there was none."""

    size: int
    modified_ns: int
    altered_ns: int
    read_ns: int
    digest: str


#: The fingerprint of a missing file.
ABSENT_FILE: Final = Fingerprint(0, 0, 0, 0, "")


def read_file(file: str, files: dict[str, Fingerprint]) -> bytes:
    """The bytes of a file; adds its fingerprint to ``files``. Raises SpecError."""
    read_ns = time.time_ns()
    try:
        status = os.stat(file)
        text = read_regular_file(file, MAX_BYTES + 1)
    except OSError as error:
        from wxpay_dsl.core.errors import SpecError  # imported on failure only: the index reads files at every import

        raise SpecError(f"cannot be read: {error.strerror}", file) from None
    files[file] = Fingerprint(status.st_size, status.st_mtime_ns, status.st_ctime_ns, read_ns, digest(text))
    return text


def unchanged(file: str, seen: Fingerprint) -> bool:
    """Whether ``file`` still has the contents that were read."""
    try:
        status = os.stat(file)
    except OSError:
        return seen is ABSENT_FILE
    if (status.st_size, status.st_mtime_ns, status.st_ctime_ns) != seen[:3]:
        return False
    if max(seen.modified_ns, seen.altered_ns) + RACY_NS < seen.read_ns:
        return True
    # It was read so soon after it was written that a later edit may have the same timestamp.
    try:
        return digest(read_regular_file(file, MAX_BYTES + 1)) == seen.digest
    except OSError:
        return False
