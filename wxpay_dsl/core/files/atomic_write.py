"""Files and folders that appear whole or not at all, never through a link, and readable by whom they are for.

All that the package writes for a user goes through here: a file is written under a random name beside its place, and
then moved there. A link in that place is replaced, never written through.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO

__all__ = ["temporary_path", "same_file", "atomic_file", "atomic_folder", "atomic_text_file", "write_atomically"]

#: Folders whose entries are devices and descriptors, links to them included: nothing there may be replaced.
_DEVICES: Final = ("/dev", "/proc")


def write_atomically(path: Path, content: bytes, *, private: bool) -> int:
    """Writes ``content`` to ``path``, whole or not at all; gives its length in bytes. See :func:`atomic_file`."""
    with atomic_file(path, private=private) as file:
        return file.write(content)


@contextmanager
def atomic_text_file(
    path: Path, *, private: bool, encoding: str = "utf-8", newline: str | None = None
) -> Iterator[TextIO]:
    """As :func:`atomic_file`, for text."""
    with _beside(path, private=private) as descriptor, os.fdopen(descriptor, "w", -1, encoding, None, newline) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def atomic_file(path: Path, *, private: bool) -> Iterator[BinaryIO]:
    """A file to write bytes to, which takes the place of ``path`` when the block ends without an error.

    ``private``: for its owner only (mode 0600), whatever the file had that it replaces; otherwise as the umask says.
    Raises OSError, for a ``path`` that is a folder, a device or a pipe too.
    """
    with _beside(path, private=private) as descriptor, os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of ``path`` when the block ends without an error.

    What is in ``path`` is removed then. Raises OSError, for a ``path`` that is a link or a file too.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder, or a link to one: name the folder itself", str(path))
    path = path.absolute()
    fresh, old = _other_name(path), _other_name(path)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        # Two moves, so that at each moment the old or the new is there, under one name or the other.
        with_old = path.exists()
        if with_old:
            path.rename(old)
        try:
            fresh.rename(path)
        except OSError:
            if with_old:
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def same_file(one: Path, other: Path) -> bool:
    """Whether both names are of one file, by any link or spelling; they need not exist."""
    with suppress(OSError):
        if one.samefile(other):
            return True
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


@contextmanager
def _beside(path: Path, *, private: bool) -> Iterator[int]:
    """The descriptor of a new file beside ``path``; closed by whoever gets it, then moved to ``path``."""
    part = temporary_path(path)
    # Exclusive: the name is random, and nobody can have put a link there.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(part, flags, 0o600 if private else 0o666)
    try:
        yield descriptor
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """A random name beside ``path``, for what is to be moved there once it is whole.

    Raises OSError where a file must not take the place of ``path``: of a folder, a device, a pipe.
    """
    folder = os.path.realpath(path.parent)
    if os.name == "posix" and (folder == _DEVICES[0] or folder.startswith(f"{_DEVICES[1]}/")):
        raise OSError(errno.EINVAL, "a device cannot be replaced by a file: redirect the output", str(path))
    mode = stat.S_IFREG
    with suppress(OSError):  # nothing is there, or a link that leads nowhere, which is replaced
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return _other_name(path)


def _other_name(path: Path) -> Path:
    """A random name beside ``path``: short, since the name itself may be as long as names can be."""
    return path.with_name(f".{secrets.token_hex(8)}.part")
