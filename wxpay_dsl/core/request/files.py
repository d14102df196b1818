"""Files to upload, from a path, bytes, an open file or an async iterator.

A file is prepared as an :class:`Upload` with a name, media type, size and digest, whose content can be read again for
each attempt. No read blocks the event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import stat
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from functools import cache
from inspect import iscoroutine
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from attrs import define, field, frozen

from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.files.names import is_file_name, shown_file
from wxpay_dsl.core.files.safe_open import open_file

if TYPE_CHECKING:
    import mimetypes

__all__ = ["MAX_FILE", "File", "FileSource", "Upload", "media_type_of", "prepare"]

#: The most bytes of one file; services accept a few million.
MAX_FILE: Final = 32 * 1024 * 1024
#: Bytes that are read at once.
_CHUNK: Final = 256 * 1024

#: ``(first bytes, media type, suffix of a file without a name)`` of the commonest types of files.
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"BM", "image/bmp", ".bmp"),
    (b"%PDF-", "application/pdf", ".pdf"),
)
_MEDIA_TYPE: Final = re.compile(r"[0-9A-Za-z!#$&^_.+-]+/[0-9A-Za-z!#$&^_.+-]+(?:; ?[0-9A-Za-z-]+=[0-9A-Za-z_.-]+)*\Z")
#: Media types that the tables of some systems lack or give older names.
_TYPES: Final = {
    ".bmp": "image/bmp",
    ".csv": "text/csv",
    ".f4v": "video/mp4",
    ".flv": "video/x-flv",
    ".mkv": "video/x-matroska",
    ".m4v": "video/x-m4v",
    ".ofd": "application/ofd",
    ".rmvb": "application/vnd.rn-realmedia-vbr",
    ".wmv": "video/x-ms-wmv",
}


@frozen
class File:
    """A file with an explicit name or media type: ``File(b"…", "license.png")``.

    ``content`` is a path (``str`` or ``Path``), bytes, a binary file open for reading, or an async iterable of bytes.
    Content without a name is named after its type: ``file.png``.
    """

    content: Any = field(repr=False)
    name: str | None = None
    #: ``image/png``; None: determined from the name or the first bytes.
    content_type: str | None = None


#: The types that can be uploaded: a path, bytes, a binary file open for reading, an async iterable of bytes, or a
#: :class:`File` of one of them.
FileSource = File | str | os.PathLike[str] | bytes | BinaryIO | AsyncIterable[bytes]


@define(eq=False)
class Upload:
    """A prepared file: its name, media type, size and digest are known, and it can be read any number of times."""

    name: str
    content_type: str
    #: In bytes.
    size: int
    #: The SHA-256 of the content in lower-case hexadecimal.
    sha256: str
    _open: Callable[[], AsyncGenerator[bytes, None]] = field(repr=False)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Iterates over the content from its beginning. Raises OSError if its size changed since it was prepared."""
        left = self.size
        async with aclosing(self._open()) as chunks:
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        if left != 0:
            raise OSError(f"{self.name} changed while it was being sent")

    async def digest(self, algorithm: str) -> str:
        """A digest of the content by another algorithm (``md5``, ``sm3`` …), in lower-case hexadecimal."""
        hashing = new_hash(algorithm)
        async for chunk in self.chunks():
            hashing.update(chunk)
        return str(hashing.hexdigest())


def new_hash(algorithm: str) -> Any:
    """A ``hashlib`` object. Raises ValueError for an algorithm that is not available."""
    return hashlib.new(algorithm.lower().replace("-", ""), usedforsecurity=False)


def media_type_of(name: str, first_bytes: bytes = b"") -> str:
    """The media type by a file's name, else by its first bytes, else ``application/octet-stream``."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (it is a name, not a path)
    by_name = _TYPES.get(suffix) or (_tables().guess_type(f"a{suffix}")[0] if suffix else None)
    by_content = (kind for magic, kind, _ in _MAGIC if first_bytes.startswith(magic))
    return by_name or next(by_content, "application/octet-stream")


async def prepare(given: Any, field_errors: list[FieldError], path: str) -> Upload | None:
    """Prepares a :class:`FileSource`; returns None and adds an error at ``path`` if it cannot be uploaded."""
    if isinstance(given, Upload):
        return given
    file = given if isinstance(given, File) else File(given)
    try:
        return await _prepare(file)
    except _UnsuitableFileError as error:
        field_errors.append(FieldError(path, str(error)))
    except OSError as error:
        named = shown_file(error.filename) if isinstance(error.filename, (str, bytes, os.PathLike)) else "the file"
        field_errors.append(FieldError(path, f"{named} cannot be read: {error.strerror or type(error).__name__}"))
    return None


class _UnsuitableFileError(Exception):
    """Says why something cannot be uploaded."""


async def _prepare(file: File) -> Upload:
    content = file.content
    if isinstance(content, (str, os.PathLike)):
        if not is_file_name(content):
            raise _UnsuitableFileError(
                f"a text of {len(os.fsdecode(content))} characters is not the name of a file: give the contents as "
                f"bytes, or a path"
            )
        return await _from_path(file, Path(os.fsdecode(content)))
    if isinstance(content, (bytes, bytearray, memoryview)):
        return _from_bytes(file, bytes(content))
    if isinstance(content, AsyncIterable):
        return _from_bytes(file, await _collect(content))
    if callable(getattr(content, "read", None)):
        return await _from_handle(file, content)
    kind = type(content).__name__
    raise _UnsuitableFileError(
        f"expected a file (a path, bytes, an open binary file, an async iterator or a File), not {kind}"
    )


async def _from_path(file: File, path: Path) -> Upload:
    def measure() -> tuple[int, str, bytes]:
        with path.open("rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise _UnsuitableFileError(f"{shown_file(path)} is not a regular file")
            return _measure(handle)

    async def read() -> AsyncGenerator[bytes, None]:
        handle = await open_file(path, "rb")
        try:
            while chunk := await asyncio.to_thread(handle.read, _CHUNK):
                yield chunk
        finally:
            handle.close()

    return _upload(file, path.name, await asyncio.to_thread(measure), read)


async def _from_handle(file: File, handle: BinaryIO) -> Upload:
    probe = await asyncio.to_thread(handle.read, 0)
    if iscoroutine(probe):
        probe.close()
        raise _UnsuitableFileError("the file was opened asynchronously: give an async iterator over its bytes")
    if not isinstance(probe, bytes):
        raise _UnsuitableFileError("the file is open as text: open it with mode 'rb'")
    name = getattr(handle, "name", None)
    named = os.path.basename(name) if isinstance(name, str) else ""  # noqa: PTH119 (no file is touched)
    if not await asyncio.to_thread(_seekable, handle):
        return _from_bytes(file, await asyncio.to_thread(_read_bounded, handle), named)
    start = await asyncio.to_thread(handle.tell)

    async def read() -> AsyncGenerator[bytes, None]:
        await asyncio.to_thread(handle.seek, start)
        while chunk := await asyncio.to_thread(handle.read, _CHUNK):
            yield chunk

    return _upload(file, named, await asyncio.to_thread(_measure, handle), read)


def _from_bytes(file: File, content: bytes, name: str = "") -> Upload:
    async def read() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(content), _CHUNK):
            yield content[start : start + _CHUNK]

    return _upload(file, name, _measure(io.BytesIO(content)), read)


def _upload(
    file: File, name: str, measured: tuple[int, str, bytes], read: Callable[[], AsyncGenerator[bytes, None]]
) -> Upload:
    size, sha256, first_bytes = measured
    if size == 0:
        raise _UnsuitableFileError("the file is empty")
    name = file.name if file.name is not None else name
    if not name:
        suffix = next((suffix for magic, _, suffix in _MAGIC if first_bytes.startswith(magic)), None)
        if suffix is None:
            raise _UnsuitableFileError(
                "the file has no name, and its first bytes do not tell its type: give File(content, 'name.csv')"
            )
        name = f"file{suffix}"
    _check_name(name)
    content_type = file.content_type or media_type_of(name, first_bytes)
    if not _MEDIA_TYPE.match(content_type):
        raise _UnsuitableFileError(f"{content_type[:60]!r} is not a media type such as image/png")
    return Upload(name, content_type, size, sha256, read)


def _check_name(name: str) -> None:
    """Refuses a name that could end the header it is sent in, or leave the folder it is saved in."""
    if not str(name).isprintable():
        raise _UnsuitableFileError(f"the name {name!r:.80} holds control characters, such as a line break")
    if name in (".", "..") or "/" in name or PureWindowsPath(name).name != name:
        raise _UnsuitableFileError(f"{name[:80]!r} is a path: give a file name such as license.png")
    if len(name.encode()) > 255:
        raise _UnsuitableFileError(f"the name is {len(name.encode())} bytes long; at most 255 are allowed")


def _measure(handle: BinaryIO) -> tuple[int, str, bytes]:
    """The size, SHA-256 and first bytes of the rest of an open file."""
    hashing = hashlib.sha256()
    size, first_bytes = 0, b""
    while chunk := handle.read(_CHUNK):
        first_bytes = first_bytes or chunk[:16]
        size += len(chunk)
        if size > MAX_FILE:
            raise _UnsuitableFileError(_too_large())
        hashing.update(chunk)
    return size, hashing.hexdigest(), first_bytes


def _read_bounded(handle: BinaryIO) -> bytes:
    content = bytearray()
    while chunk := handle.read(_CHUNK):
        content += chunk
        if len(content) > MAX_FILE:
            raise _UnsuitableFileError(_too_large())
    return bytes(content)


async def _collect(source: AsyncIterable[bytes]) -> bytes:
    content = bytearray()
    async for chunk in source:
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise _UnsuitableFileError(f"the async iterator yielded {type(chunk).__name__}, not bytes")
        content += chunk
        if len(content) > MAX_FILE:
            raise _UnsuitableFileError(_too_large())
    return bytes(content)


def _too_large() -> str:
    return f"the file is larger than {MAX_FILE} bytes"


def _seekable(handle: Any) -> bool:
    return bool(getattr(handle, "seekable", lambda: False)())


@cache
def _tables() -> mimetypes.MimeTypes:
    """The table of media types that Python carries, since the tables of machines differ."""
    import mimetypes

    return mimetypes.MimeTypes()
