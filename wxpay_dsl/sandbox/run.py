"""Runs a sandbox for the command line until a signal stops it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .keys.platform import Mode
from .server import Sandbox

__all__ = ["serve"]


async def serve(
    port: int = 0,
    home: str | Path | None = None,
    specs: Sequence[str | Path] = (),
    *,
    host: str = "127.0.0.1",
    allow_remote: bool = False,
    mode: Mode = "both",
    strict: bool = False,
    stateful: bool = True,
    tls: bool = False,
    faults: Mapping[str, float] | None = None,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve until SIGINT, SIGTERM or cancellation; ``ready("ready http://127.0.0.1:N")`` is called once it serves.

    The other arguments and what is raised are those of :class:`~wxpay_dsl.sandbox.Sandbox`: ValueError for a
    host beyond loopback, OSError for a port that is taken, ConfigurationError for a home that cannot be read.
    """
    sandbox = Sandbox(
        port,
        home,
        specs,
        host=host,
        allow_remote=allow_remote,
        mode=mode,
        strict=strict,
        stateful=stateful,
        tls=tls,
        faults=faults,
    )
    async with sandbox:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as handlers:
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                # Not on Windows, nor outside the main thread: there only cancellation stops it.
                with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, stopped.set)
                    if before is not None:  # None: a handler set in C, which Python cannot restore
                        handlers.callback(signal.signal, number, before)
                    handlers.callback(loop.remove_signal_handler, number)
            # After the handlers are set: the reader of this line may send a signal at once.
            ready(f"ready {sandbox.url}")
            await stopped.wait()
