"""Downloads a file as a stream, never whole in memory, and resumes it after the connection broke.

The download begins when it is entered with ``async with``, and is read once: by iterating over it,
:meth:`Download.read` or :meth:`Download.save`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from attrs import evolve, field, frozen

from wxpay_dsl.core.errors import FileCorruptedError, ResponseTooLargeError, ServiceError, TransportError
from wxpay_dsl.core.files.atomic_write import temporary_path
from wxpay_dsl.core.files.safe_open import open_file

from .decoding import Digest, FileDecodeError, FileDecoder, StreamCipher
from .stream import Stream

__all__ = ["MAX_UNPACKED", "Download", "DownloadPlan", "Fetch", "Progress"]

#: The default limit of a file, in decompressed bytes.
MAX_UNPACKED: Final = 32 * 1024**3
#: The default limit of :meth:`Download.read`, in bytes.
_MAX_READ: Final = 64 * 1024 * 1024
#: Bytes that are written to a file at once.
_WRITE: Final = 1024 * 1024
#: The most attempts to resume a download without receiving new data, and the first pause between them in seconds.
_ATTEMPTS: Final = 5
_PAUSE: Final = 0.2

_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-")

#: Requests the body from a byte offset; a service that does not support ranges sends it from its beginning.
Fetch = Callable[[int], AbstractAsyncContextManager[Stream]]
#: The error that a body describes, or None if it is a file.
ErrorInBody = Callable[[Stream, bytes], Exception | None]


@frozen
class DownloadPlan:
    """How a file is requested, decrypted and verified."""

    #: ``GET /v3/billdownload/file``: the name in errors.
    name: str
    fetch: Fetch = field(repr=False)
    #: The expected digest; None if it is not known, in which case a broken download is not resumed, since the result
    #: could not be verified.
    digest: Digest | None = None
    cipher: StreamCipher | None = field(default=None, repr=False)
    #: Reads the expected digest from the headers of the response, if the service sends it there.
    digest_of: Callable[[Mapping[str, str]], Digest] | None = field(default=None, repr=False)
    #: Given the first bytes of the body, returns an error if they begin an error message in place of the file; it is
    #: then called again with the whole body, and the error that it returns is raised.
    error_in_body: ErrorInBody | None = field(default=None, repr=False)


@frozen
class Progress:
    """The progress of a download."""

    #: Bytes received so far, and in total; None if the service did not announce the length.
    received: int
    total: int | None
    #: Decompressed bytes of the file so far.
    unpacked: int


class Download:
    """A file to download: ``async with`` begins it, and then it can be read once."""

    def __init__(
        self,
        plan: Callable[[], Awaitable[DownloadPlan]],
        *,
        progress: Callable[[Progress], None] | None = None,
        limit: int = MAX_UNPACKED,
    ) -> None:
        """``progress`` is called after each received chunk. ``limit``: the most decompressed bytes of the file."""
        self._make_plan = plan
        self._progress = progress
        self._limit = limit
        self._exits = AsyncExitStack()
        self._plan: DownloadPlan | None = None
        self._stream: Stream | None = None
        self._reading: AsyncGenerator[bytes, None] | None = None
        self._received = 0
        self._total: int | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response, case-insensitive. Raises RuntimeError before the download is entered."""
        return self._open()[1].headers

    @property
    def size(self) -> int | None:
        """The announced length of the response in bytes, possibly compressed; None if it was not announced."""
        return self._total

    @property
    def digest(self) -> Digest | None:
        """The expected digest of the file, None if it is not known."""
        return self._plan.digest if self._plan is not None else None

    async def __aenter__(self) -> Self:
        if self._plan is not None:
            raise RuntimeError("a download can be entered once: create another")
        try:
            self._plan = await self._make_plan()
            self._stream = await self._exits.enter_async_context(self._plan.fetch(0))
            if self._plan.digest_of is not None:
                self._plan = evolve(self._plan, digest=self._plan.digest_of(self._stream.headers))
        except BaseException:
            await self._exits.aclose()
            raise
        self._total = self._stream.size
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            await self._reading.aclose()
        await self._exits.aclose()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterates over the decompressed file in pieces of at most 64 KiB; it is verified once the last was yielded.

        Raises FileCorruptedError if the file does not have its digest, TransportError if the connection breaks and the
        download cannot be resumed.
        """
        if self._reading is not None:
            raise RuntimeError("a download can be read once: create another")
        self._reading = self._pieces()
        return self._reading

    async def read(self, limit: int = _MAX_READ) -> bytes:
        """The whole verified file. Raises ResponseTooLargeError beyond ``limit`` bytes, and the errors of iterating."""
        content = bytearray()
        async for piece in self:
            content += piece
            if len(content) > limit:
                raise ResponseTooLargeError(
                    self._name(), f"the file is larger than {limit} bytes: use save()", limit=limit
                )
        return bytes(content)

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Saves the file to ``path`` once it is complete and verified, and replaces an existing file.

        Only the owner can read it (mode 0600), since it may hold personal data. Raises OSError, and the errors of
        iterating.
        """
        target = Path(path)
        part = temporary_path(target)
        handle = await open_file(part, "xb")
        try:
            try:
                await self._write(handle)
            finally:
                # Closed here rather than in a thread, which a cancellation would skip.
                handle.close()
            await asyncio.to_thread(part.replace, target)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        return target

    async def _write(self, handle: BinaryIO) -> None:
        waiting, size = list[bytes](), 0
        async for piece in self:
            waiting.append(piece)
            size += len(piece)
            if size >= _WRITE:
                await asyncio.to_thread(handle.writelines, waiting)
                waiting, size = [], 0
        await asyncio.to_thread(_flush, handle, waiting)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        plan, stream = self._open()
        decoder = FileDecoder(plan.digest, self._limit, plan.cipher)
        try:
            async for chunk in self._chunks(plan, stream):
                for piece in decoder.feed(chunk):
                    yield piece
                    # Let other tasks run even if the caller handles pieces without awaiting anything.
                    await asyncio.sleep(0)
                if self._progress is not None:
                    self._progress(Progress(self._received, self._total, decoder.size))
            for piece in decoder.finish():
                yield piece
        except FileDecodeError as error:
            raise FileCorruptedError(plan.name, str(error)) from None
        if self._progress is not None:
            self._progress(Progress(self._received, self._total, decoder.size))

    async def _chunks(self, plan: DownloadPlan, stream: Stream) -> AsyncGenerator[bytes, None]:
        """Iterates over the body, over several connections if the download is resumed."""
        skip, failures = 0, 0
        if plan.error_in_body is not None:
            async for chunk in self._unless_error(stream, plan.error_in_body):
                yield chunk
            return
        broken: TransportError | None = None
        while True:
            before = self._received
            try:
                if broken is not None:
                    stream, skip = await self._resume(plan, broken, failures)
                async for chunk in stream.chunks():
                    fresh = chunk[skip:] if skip else chunk
                    skip = max(0, skip - len(chunk))
                    if fresh:
                        self._received += len(fresh)
                        yield fresh
            except TransportError as error:
                failures = 1 if self._received > before else failures + 1
                if plan.digest is None or failures > _ATTEMPTS:
                    raise
                broken = error
                continue
            if skip:
                raise FileDecodeError(f"the file is {skip} bytes shorter than before the connection broke")
            return

    async def _resume(self, plan: DownloadPlan, error: TransportError, failures: int) -> tuple[Stream, int]:
        """Requests the rest of the body; returns the stream, and how many of its bytes were received already."""
        await self._exits.aclose()
        await asyncio.sleep(_PAUSE * 2 ** (failures - 1))
        try:
            stream = await self._exits.enter_async_context(plan.fetch(self._received))
        except ServiceError as refusal:
            if refusal.status != 416:
                raise refusal from error
            stream = await self._exits.enter_async_context(plan.fetch(0))
        self._stream = stream
        begins = _CONTENT_RANGE.match(stream.headers.get("Content-Range", "")) if stream.status == 206 else None
        start = int(begins[1]) if begins else 0
        if start > self._received:
            raise FileDecodeError(f"the service continued at byte {start}, not at {self._received}")
        return stream, self._received - start

    async def _unless_error(self, stream: Stream, error_in_body: ErrorInBody) -> AsyncGenerator[bytes, None]:
        """Iterates over the body, or raises the error that it describes."""
        received = b""
        chunks = stream.chunks()
        async for chunk in chunks:
            received += chunk
            if len(received) >= 64:
                break
        if error_in_body(stream, received) is not None:
            async for chunk in chunks:
                received += chunk
                if len(received) > 1024 * 1024:
                    break
            error = error_in_body(stream, received)
            if error is not None:
                raise error
        self._received += len(received)
        yield received
        async for chunk in chunks:
            self._received += len(chunk)
            yield chunk

    def _open(self) -> tuple[DownloadPlan, Stream]:
        if self._plan is None or self._stream is None:
            raise RuntimeError("a download has to be entered with `async with` first")
        return self._plan, self._stream

    def _name(self) -> str:
        return self._plan.name if self._plan is not None else "download"


def _flush(handle: BinaryIO, pieces: list[bytes]) -> None:
    handle.writelines(pieces)
    handle.flush()
    os.fsync(handle.fileno())
