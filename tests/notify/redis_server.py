"""A real Redis for the tests: the one that WXPAY_TEST_REDIS names, or a server of our own on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.ports import free_port
from tests.requirements import require

__all__ = ["RedisServer", "own_redis", "running_redis"]


class RedisServer:
    """A redis-server process that keeps its data over restarts."""

    def __init__(self, folder: Path) -> None:
        self._program = require("redis-server")
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [self._program, "--port", str(self.port), "--dir", str(self._folder), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.exceptions.ConnectionError:
                    if time.monotonic() > deadline or self._process.poll() is not None:
                        raise
                    time.sleep(0.05)
                else:
                    return

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def suspend(self) -> None:
        """It answers nobody, and its connections stay open."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def running_redis() -> Iterator[str]:
    """The URL of a Redis that runs."""
    named = os.environ.get("WXPAY_TEST_REDIS")
    if named:
        yield named
        return
    with own_redis() as server:
        yield server.url


@contextmanager
def own_redis() -> Iterator[RedisServer]:
    """A server that a test may stop and start."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
