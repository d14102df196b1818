"""Downloads: streamed, decompressed up to a limit, verified by digest, resumed, saved completely or not at all."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st

from tests.leap import leap
from tests.patience import until
from wxpay_dsl.core.errors import (
    FileCorruptedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ResponseTruncatedError,
    SdkError,
)
from wxpay_dsl.core.http.decoding import Digest, FileDecodeError, FileDecoder
from wxpay_dsl.core.http.download import Download, DownloadPlan, Progress
from wxpay_dsl.core.http.transport import Transport
from wxpay_dsl.core.messages import Exchange, Options, Request

CONTENT = b"".join(b"%08d,line\n" % number for number in range(40_000))
Step = Callable[[web.Request], Awaitable[web.StreamResponse]]


def sha1(data: bytes) -> Digest:
    return Digest("SHA1", hashlib.sha1(data, usedforsecurity=False).hexdigest())


@define
class Server:
    """Responds with one step after the other, and then always with the last one."""

    steps: list[Step]
    url: str = ""
    seen: list[web.Request] = field(factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        step = self.steps[min(len(self.seen), len(self.steps) - 1)]
        self.seen.append(request)
        return await step(request)


@asynccontextmanager
async def serving(*steps: Step) -> AsyncIterator[Server]:
    server = Server(list(steps))
    app = web.Application()
    app.router.add_get("/file", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/file"
        yield server
    finally:
        await runner.cleanup()


def whole(data: bytes) -> Step:
    async def step(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data)

    return step


def cut_after(count: int, data: bytes, *, ranges: bool = False) -> Step:
    """Announces the whole requested range, sends ``count`` bytes of it, and breaks the connection."""

    async def step(request: web.Request) -> web.StreamResponse:
        start = begin(request) if ranges else 0
        response = web.StreamResponse(status=206 if start else 200)
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response.content_length = len(data) - start
        await response.prepare(request)
        await response.write(data[start : start + count])
        await asyncio.sleep(0.02)
        assert request.transport is not None
        request.transport.close()
        return response

    return step


def from_range(data: bytes) -> Step:
    """Responds to a range request as HTTP specifies."""

    async def step(request: web.Request) -> web.StreamResponse:
        start = begin(request)
        if start >= len(data):
            return web.Response(status=416)
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        return web.Response(status=206 if start else 200, body=data[start:], headers=headers if start else {})

    return step


async def stalls(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b"begun")
    await asyncio.sleep(3600)
    return response


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def begin(request: web.Request) -> int:
    return int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


@asynccontextmanager
async def downloads(
    server: Server,
    digest: Digest | None = None,
    *,
    limit: int = 10**9,
    timeout: float = 60.0,
    progress: Callable[[Progress], None] | None = None,
) -> AsyncIterator[Download]:
    """A download over a new transport."""
    transport = Transport("test/1")
    request = Request("GET /file", "GET", server.url, {}, b"", None, "json", {}, Options(), safe=True)

    @asynccontextmanager
    async def fetch(offset: int) -> AsyncIterator[object]:
        asked = evolve(request, headers={"Range": f"bytes={offset}-"}) if offset else request
        exchange = Exchange(asked)
        async with transport.stream(exchange, (), timeout) as stream:
            if exchange.received.status >= 400:
                from wxpay_dsl.core.dialect import json_error

                raise json_error(None, exchange.received)
            yield stream

    async def plan() -> DownloadPlan:
        return DownloadPlan("GET /file", fetch, digest)  # type: ignore[arg-type]  # an async generator's manager is one

    try:
        yield Download(plan, progress=progress, limit=limit)
    finally:
        await transport.close()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_the_file_comes_unpacked_and_proven(packed: bool) -> None:
    sent = gzip.compress(CONTENT) if packed else CONTENT
    async with serving(whole(sent)) as server, downloads(server, sha1(CONTENT)) as download, download:
        assert download.size == len(sent)
        pieces = [piece async for piece in download]
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= 65536


async def test_a_wrong_hash_is_an_error_that_says_both() -> None:
    async with serving(whole(CONTENT[:-1])) as server, downloads(server, sha1(CONTENT)) as download, download:
        with pytest.raises(FileCorruptedError, match=f"SHA1 of the 559999 bytes.*not {sha1(CONTENT).value}"):
            await download.read()


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
async def test_a_broken_connection_is_taken_up_where_it_broke(ranges: bool) -> None:
    last = from_range(CONTENT) if ranges else whole(CONTENT)
    steps = (cut_after(100_000, CONTENT), cut_after(50_000, CONTENT, ranges=ranges), last)
    async with serving(*steps) as server, downloads(server, sha1(CONTENT)) as download, download:
        assert await download.read() == CONTENT
        assert [begin(request) for request in server.seen[:2]] == [0, 100_000]
        assert len(server.seen) == 3


async def test_a_gzip_file_is_taken_up_in_the_middle() -> None:
    sent = gzip.compress(os.urandom(200_000) + CONTENT)
    content = gzip.decompress(sent)
    steps = (cut_after(150_001, sent), from_range(sent))
    async with serving(*steps) as server, downloads(server, sha1(content)) as download, download:
        assert await download.read() == content


async def test_a_connection_that_broke_after_the_last_byte_is_taken_up_for_nothing() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(CONTENT)
        await asyncio.sleep(0.02)
        assert request.transport is not None
        request.transport.close()
        return response

    async def refuses_ranges(request: web.Request) -> web.StreamResponse:
        return web.Response(status=416) if "Range" in request.headers else web.Response(body=CONTENT)

    async with serving(endless, refuses_ranges) as server, downloads(server, sha1(CONTENT)) as download, download:
        assert await download.read() == CONTENT


async def test_another_file_after_the_break_does_not_pass() -> None:
    other = CONTENT.replace(b"line", b"LINE")
    steps = (cut_after(100_000, CONTENT), from_range(other))
    async with serving(*steps) as server, downloads(server, sha1(CONTENT)) as download, download:
        with pytest.raises(FileCorruptedError):
            await download.read()


async def test_without_a_hash_nothing_is_taken_up() -> None:
    async with serving(cut_after(100_000, CONTENT), whole(CONTENT)) as server, downloads(server) as download, download:
        with pytest.raises(ResponseTruncatedError):
            await download.read()
        assert len(server.seen) == 1


async def test_a_service_that_always_breaks_off_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wxpay_dsl.core.http.download._PAUSE", 0.001)
    async with serving(cut_after(0, CONTENT)) as server, downloads(server, sha1(CONTENT)) as download, download:
        with pytest.raises(SdkError):
            await download.read()
        assert len(server.seen) == 6


async def test_a_stalled_answer_times_out() -> None:
    async with serving(stalls) as server, downloads(server) as download, download:
        pieces = aiter(download)
        assert await anext(pieces) == b"begun"
        rest = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0.05)
        leap(60)
        with pytest.raises(RequestTimeoutError, match="no data for 60 s"):
            await rest


async def test_a_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    async with serving(whole(bomb)) as server, downloads(server, limit=1_000_000) as download, download:
        tracemalloc.start()
        with pytest.raises(FileCorruptedError, match="larger than 1000000 decompressed bytes"):
            async for _ in download:
                pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 3_000_000


async def test_read_is_bounded() -> None:
    async with serving(whole(CONTENT)) as server, downloads(server) as download, download:
        with pytest.raises(ResponseTooLargeError, match=r"use save\(\)"):
            await download.read(limit=1000)


async def test_saving_replaces_the_file_at_once(tmp_path: Path) -> None:
    target = tmp_path / "bill.csv"
    target.write_text("yesterday's")
    async with serving(whole(gzip.compress(CONTENT))) as server, downloads(server, sha1(CONTENT)) as download, download:
        assert await download.save(target) == target
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == ["bill.csv"]


@pytest.mark.parametrize("damage", ["hash", "cancelled"])
async def test_what_fails_leaves_nothing_behind(tmp_path: Path, damage: str) -> None:
    target = tmp_path / "bill.csv"
    target.write_text("yesterday's")
    step = whole(CONTENT + b"!") if damage == "hash" else stalls
    async with serving(step) as server, downloads(server, sha1(CONTENT)) as download, download:
        saving = asyncio.create_task(download.save(target))
        if damage == "cancelled":
            await asyncio.sleep(0.1)
            saving.cancel()
        with pytest.raises((FileCorruptedError, asyncio.CancelledError)):
            await saving
    # A thread that creates the file after the task was cancelled removes it again.
    await until(lambda: names(tmp_path) == ["bill.csv"])
    assert target.read_text() == "yesterday's"


async def test_progress_is_reported_to_the_end() -> None:
    sent = gzip.compress(os.urandom(300_000))
    reports: list[Progress] = []
    async with serving(whole(sent)) as server, downloads(server, progress=reports.append) as download, download:
        await download.read()
    assert reports[-1] == Progress(len(sent), len(sent), 300_000)
    assert [report.received for report in reports] == sorted(report.received for report in reports)
    assert len(reports) > 2


async def test_a_download_is_read_once_and_only_inside_its_block() -> None:
    async with serving(whole(CONTENT)) as server, downloads(server) as download:
        with pytest.raises(RuntimeError, match="async with"):
            await download.read()
    async with serving(whole(CONTENT)) as server, downloads(server) as download, download:
        await download.read()
        with pytest.raises(RuntimeError, match="read once"):
            await download.read()


async def test_leaving_early_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(100_000))
        except ConnectionError:
            gone.set()
        return response

    async with serving(endless) as server, downloads(server) as download:
        async with download:
            async for _ in download:
                break
        await asyncio.wait_for(gone.wait(), 60)


def unpack(data: bytes, size: int, digest: Digest | None = None) -> bytes:
    decoder = FileDecoder(digest, 10**9)
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join([*(piece for chunk in chunks for piece in decoder.feed(chunk)), *decoder.finish()])


@given(st.binary(max_size=3000), st.integers(1, 500), st.sampled_from(["plain", "gzip", "members", "padded"]))
def test_any_file_comes_out_as_it_went_in_however_it_is_cut(content: bytes, size: int, form: str) -> None:
    half = len(content) // 2
    packed = {
        "plain": b"." + content,
        "gzip": gzip.compress(content),
        "members": gzip.compress(content[:half]) + gzip.compress(content[half:]),
        "padded": gzip.compress(content) + bytes(37),
    }[form]
    content = packed if form == "plain" else content
    assert unpack(packed, size, sha1(content)) == content


@given(st.binary(min_size=100, max_size=3000), st.data())
def test_a_damaged_gzip_file_never_passes_for_another(content: bytes, data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(content))
    if data.draw(st.booleans()):
        packed = packed[: data.draw(st.integers(2, len(packed) - 1))]
        with pytest.raises(FileDecodeError):
            unpack(bytes(packed), 64)
    else:
        packed[data.draw(st.integers(10, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    # Some bits do not affect the decompressed data.
    with suppress(FileDecodeError):
        assert unpack(bytes(packed), 64, sha1(content)) == content


def test_the_end_of_a_long_match_is_not_lost() -> None:
    """zlib may still hold output although it has consumed all input."""
    content = b"a" * (65536 * 3)
    for extra in range(300):
        packed = gzip.compress(content + b"b" * extra, compresslevel=1)
        assert len(unpack(packed, len(packed))) == len(content) + extra


def test_an_unknown_hash_is_refused() -> None:
    with pytest.raises(ValueError, match=r"(?i)crc99"):
        Digest("CRC99", "00")


def test_gzip_is_told_from_what_only_begins_like_it() -> None:
    assert unpack(b"\x1f", 1) == b"\x1f"
    assert unpack(b"", 1) == b""
    with pytest.raises(FileDecodeError, match="damaged"):
        unpack(b"\x1f\x8bnothing of the kind", 4)
    assert zlib.decompress(b"x\x9c\x03\x00\x00\x00\x00\x01") == b""
