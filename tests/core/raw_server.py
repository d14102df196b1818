"""A server on loopback that sends exactly the given bytes at given times, to imitate faulty servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Self

__all__ = ["RawServer", "Say", "json_answer"]

#: Responds to one request.
Say = Callable[["RawServer", asyncio.StreamWriter], Awaitable[None]]


def json_answer(body: bytes = b'{"books":[]}', status: str = "200 OK", headers: str = "") -> bytes:
    """A correct JSON response."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class RawServer:
    """``async with RawServer() as server``: each request takes the next of ``server.script``, then a correct response.

    A script's line is bytes to send (the connection stays open), or a function that does as it pleases.
    """

    def __init__(self) -> None:
        self.script: list[bytes | Say] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    self.requests.append(await _request(reader))
                    said = self.script.pop(0) if self.script else json_answer()
                    if isinstance(said, bytes):
                        writer.write(said)
                        await writer.drain()
                    else:
                        await said(self, writer)
                        if writer.is_closing():
                            break
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + await reader.readexactly(length)


def then_close(said: bytes) -> Say:
    """Sends the bytes and closes the connection."""

    async def say(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    return say


def then_reset(said: bytes) -> Say:
    """Sends the bytes and resets the connection."""

    async def say(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    return say


def for_ever(first: bytes, again: bytes, pause: float = 0.0) -> Say:
    """Sends the bytes, and then repeats a part of them without end."""

    async def say(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return say


def never(server: RawServer, writer: asyncio.StreamWriter) -> Awaitable[None]:
    """Never responds."""
    return asyncio.sleep(3600)


def once(event: asyncio.Event, said: bytes) -> Say:
    """Waits for an event before it sends the bytes."""

    async def say(server: RawServer, writer: asyncio.StreamWriter) -> None:
        await event.wait()
        writer.write(said)
        await writer.drain()

    return say
