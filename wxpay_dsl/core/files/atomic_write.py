"""Writes files and folders atomically: they appear complete or not at all.

Everything that the package writes for a user goes through here. A file is written under a random name in the same
folder, flushed to disk, and then renamed. A symbolic link at its path is replaced, never followed.
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

__all__ = ["atomic_file", "atomic_folder", "atomic_text_file", "same_file", "temporary_path", "write_atomically"]

#: Folders of devices and file descriptors, links to them included: nothing in them may be replaced.
_DEVICES: Final = ("/dev", "/proc")


def write_atomically(path: Path, content: bytes, *, private: bool) -> int:
    """Writes ``content`` to ``path`` atomically; returns its length in bytes. See :func:`atomic_file`."""
    with atomic_file(path, private=private) as file:
        return file.write(content)


@contextmanager
def atomic_text_file(
    path: Path, *, private: bool, encoding: str = "utf-8", newline: str | None = None
) -> Iterator[TextIO]:
    """Like :func:`atomic_file`, for text."""
    with (
        _temporary_file(path, private=private) as descriptor,
        os.fdopen(descriptor, "w", -1, encoding, None, newline) as file,
    ):
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def atomic_file(path: Path, *, private: bool) -> Iterator[BinaryIO]:
    """A file to write bytes to, which replaces ``path`` when the block ends without an error.

    ``private`` makes it readable by its owner only (mode 0600), whatever the mode of the file that it replaces; else
    the umask decides. Raises OSError, also if ``path`` is a folder, a device or a pipe.
    """
    with _temporary_file(path, private=private) as descriptor, os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which replaces ``path`` and its contents when the block ends without an error.

    Raises OSError, also if ``path`` is a link or a file.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise NotADirectoryError(
            errno.ENOTDIR, "not a folder, or a link to one: give the path of the folder itself", str(path)
        )
    path = path.absolute()
    fresh, old = _random_name(path), _random_name(path)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        # A folder cannot be replaced in one step. With two renames the old or the new one exists at every moment.
        replaces = path.exists()
        if replaces:
            path.rename(old)
        try:
            fresh.rename(path)
        except OSError:
            if replaces:
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def same_file(one: Path, other: Path) -> bool:
    """Whether both paths are the same file, links and letter case resolved; they need not exist."""
    with suppress(OSError):
        if one.samefile(other):
            return True
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


@contextmanager
def _temporary_file(path: Path, *, private: bool) -> Iterator[int]:
    """The descriptor of a new file in the folder of ``path``, renamed to ``path`` at the end. The caller closes it."""
    part = temporary_path(path)
    # O_EXCL: never opens a link or file that another process has put there.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(part, flags, 0o600 if private else 0o666)
    try:
        yield descriptor
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """A random name in the folder of ``path``, for a file that will be renamed to ``path`` once it is complete.

    Raises OSError if ``path`` is a folder, a device or a pipe, which must not be replaced.
    """
    folder = os.path.realpath(path.parent)
    if os.name == "posix" and (folder == _DEVICES[0] or folder.startswith(f"{_DEVICES[1]}/")):
        raise OSError(errno.EINVAL, "a device cannot be replaced by a file: redirect the output", str(path))
    mode = stat.S_IFREG
    with suppress(OSError):  # no such file, or a dangling link, which is replaced
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return _random_name(path)


def _random_name(path: Path) -> Path:
    """A random name in the same folder: short, since the name of ``path`` may be as long as the system allows."""
    return path.with_name(f".{secrets.token_hex(8)}.part")
