"""Programs that are killed (SIGKILL, at any moment) and started again: a sandbox, a shop, a Redis."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Protocol, Self

from tests.patience import wait_until

__all__ = ["Program", "Victim", "listens", "sandbox_program", "strike"]

ROOT = Path(__file__).parents[2]


class Victim(Protocol):
    """A program that can be killed and restarted."""

    name: str

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Program:
    """``python -m …`` in a folder, with what it says in ``NAME.log`` there; ended with the block."""

    def __init__(self, name: str, folder: Path, *command: str, ready: Callable[[], Any] | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._command = command
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the program; returns when it is ready."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
        environment = {**kept, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command], cwd=self._folder, env=environment, stdout=log, stderr=log
            )
        if self._ready is not None:
            ready = self._ready
            wait_until(lambda: self.code() is not None or ready(), f"{self.name} ready")
            assert self.code() is None, f"{self.name} ended at once: {self.log.read_text()[-2000:]}"

    def code(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll() if self._process is not None else None

    def stop(self) -> None:
        """Sends SIGKILL, unless it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def was_killed(self) -> bool:
        return self.code() == -signal.SIGKILL

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def sandbox_program(folder: Path, port: int, settle: Callable[[], Any] | None = None) -> Program:
    """``wxpay sandbox`` on a port of its own, with its state in ``folder/home``; ``settle()`` sets it up each time."""
    command = ("-m", "wxpay_dsl.cli", "sandbox", "--port", str(port), "--home", str(folder / "home"))
    return Program("sandbox", folder, *command, ready=lambda: listens(port) and (settle is None or settle()))


def strike(victims: list[Any], chance: Random, progress: Callable[[], int], kills: Counter[str], step: int) -> None:
    """Waits until up to ``step`` more has happened, and a little longer, and kills one of them; it is started again."""
    victim = chance.choice(victims)
    enough = progress() + chance.randint(0, step)
    deadline = time.monotonic() + 3.0  # of a stall that the last kill made, a kill is as good a way out as any
    while progress() < enough and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.03))
    victim.stop()
    kills[victim.name] += 1
    victim.start()
