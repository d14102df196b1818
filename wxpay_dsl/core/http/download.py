"""A file that is downloaded: streamed, never whole in memory, taken up again where its connection broke.

It is fetched when it is entered, and read once: by iterating over it, :meth:`Download.read` or :meth:`Download.save`.
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
from wxpay_dsl.core.files.safe_open import open_file
from wxpay_dsl.core.files.whole_file import part_for

from .decoding import Digest, FileDecodeError, FileDecoder, StreamCipher
from .stream import Stream

__all__ = ["MAX_UNPACKED", "Download", "Fetch", "DownloadPlan", "Progress"]

#: Bytes of a file, unpacked, where nobody says otherwise.
MAX_UNPACKED: Final = 32 * 1024**3
#: Bytes that :meth:`Download.read` gives where nobody says otherwise.
_MAX_READ: Final = 64 * 1024 * 1024
#: Bytes that are written to a file at once.
_WRITE: Final = 1024 * 1024
#: How often a download is taken up again without anything new having come, and the first pause in seconds.
_ATTEMPTS: Final = 5
_PAUSE: Final = 0.2

_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-")

#: Begins the answer at a byte of the body, if the service can, else at its beginning.
Fetch = Callable[[int], AbstractAsyncContextManager[Stream]]
#: The error that a body says, if it begins a refusal.
Refused = Callable[[Stream, bytes], Exception | None]


@frozen
class DownloadPlan:
    """How a file is fetched, and what it must be."""

    #: ``GET /v3/billdownload/file``: what errors call it.
    name: str
    fetch: Fetch = field(repr=False)
    #: None where nobody said; then a broken download is not taken up again, as nothing could prove the result.
    digest: Digest | None = None
    cipher: StreamCipher | None = field(default=None, repr=False)
    #: Finds the digest in the headers of the answer, where it is there that it is promised.
    digest_of: Callable[[Mapping[str, str]], Digest] | None = field(default=None, repr=False)
    #: Looks at the first bytes of the body; where they begin a refusal in the place of the file, it gives the error to
    #: raise, for which it is called again with all of the body.
    error_in_body: Refused | None = field(default=None, repr=False)


@frozen
class Progress:
    """How far a download is."""

    #: Bytes that came over the wire, and how many will in all; None where the service does not say.
    received: int
    total: int | None
    #: Bytes of the file so far, unpacked.
    unpacked: int


class Download:
    """``async with`` fetches it; then it is read once."""

    def __init__(
        self,
        plan: Callable[[], Awaitable[DownloadPlan]],
        *,
        progress: Callable[[Progress], None] | None = None,
        limit: int = MAX_UNPACKED,
    ) -> None:
        """``progress`` is called with every piece that comes; ``limit``: bytes of the file, unpacked, at most."""
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
        """Of the answer; case-insensitive. Raises RuntimeError before it is fetched."""
        return self._open()[1].headers

    @property
    def size(self) -> int | None:
        """Bytes that will come over the wire, packed as they may be; None where the service does not say."""
        return self._total

    @property
    def digest(self) -> Digest | None:
        """What the file will be held against at its end."""
        return self._plan.digest if self._plan is not None else None

    async def __aenter__(self) -> Self:
        if self._plan is not None:
            raise RuntimeError("a download is entered once: make another")
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
        """The file in pieces of at most 64 KiB, unpacked; what came is proven when the last has been given.

        Raises FileCorruptedError for what is not the file that was promised, TransportError where it cannot be taken
        up again.
        """
        if self._reading is not None:
            raise RuntimeError("a download is read once: make another")
        self._reading = self._pieces()
        return self._reading

    async def read(self, limit: int = _MAX_READ) -> bytes:
        """The file, whole and proven. Raises ResponseTooLargeError beyond ``limit`` bytes, and as iterating does."""
        content = bytearray()
        async for piece in self:
            content += piece
            if len(content) > limit:
                raise ResponseTooLargeError(
                    self._named(), f"the file is larger than {limit} bytes: save() it", limit=limit
                )
        return bytes(content)

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the file to ``path``, which appears whole and proven or not at all; what was there is replaced.

        It is for its owner only (mode 0600): bills name payers and amounts. Raises OSError, and as iterating does.
        """
        target = Path(path)
        part = part_for(target)
        handle = await open_file(part, "xb")
        try:
            try:
                await self._write(handle)
            finally:
                # At once: what is left to a thread is not done where this is cancelled.
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
                    # Whoever handles pieces without ever waiting is not to hold up everybody else.
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
        """The body as it comes, over as many connections as it takes."""
        skip, failures = 0, 0
        if plan.error_in_body is not None:
            async for chunk in self._unless_refused(stream, plan.error_in_body):
                yield chunk
            return
        broken: TransportError | None = None
        while True:
            before = self._received
            try:
                if broken is not None:
                    stream, skip = await self._again(plan, broken, failures)
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
                raise FileDecodeError(f"the file is {skip} bytes shorter than it was before its connection broke")
            return

    async def _again(self, plan: DownloadPlan, error: TransportError, failures: int) -> tuple[Stream, int]:
        """The body from where it broke off, and how many bytes of it are already here."""
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
            raise FileDecodeError(f"the service went on at byte {start}, not at {self._received}")
        return stream, self._received - start

    async def _unless_refused(self, stream: Stream, error_in_body: Refused) -> AsyncGenerator[bytes, None]:
        """The body, unless its first bytes say that it is a refusal: then that is raised."""
        head = b""
        chunks = stream.chunks()
        async for chunk in chunks:
            head += chunk
            if len(head) >= 64:
                break
        if error_in_body(stream, head) is not None:
            async for chunk in chunks:
                head += chunk
                if len(head) > 1024 * 1024:
                    break
            refusal = error_in_body(stream, head)
            if refusal is not None:
                raise refusal
        self._received += len(head)
        yield head
        async for chunk in chunks:
            self._received += len(chunk)
            yield chunk

    def _open(self) -> tuple[DownloadPlan, Stream]:
        if self._plan is None or self._stream is None:
            raise RuntimeError("a download is fetched by `async with`")
        return self._plan, self._stream

    def _named(self) -> str:
        return self._plan.name if self._plan is not None else "download"


def _flush(handle: BinaryIO, pieces: list[bytes]) -> None:
    handle.writelines(pieces)
    handle.flush()
    os.fsync(handle.fileno())
