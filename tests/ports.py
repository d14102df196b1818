"""Ports for servers that have to be told theirs, and for those that go and come back on the same one."""

from __future__ import annotations

import random
import socket
from pathlib import Path

__all__ = ["free_port"]


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens, outside of those that the system gives out by itself.

    So no other process gets it for a connection or a ``bind`` to port 0 before it is used, or between two uses; and
    whoever tries whether somebody listens there cannot be connected to himself.
    """
    first, last = _given_out()
    for _ in range(1000):
        port = random.SystemRandom().randrange(10_000, 60_000)
        if first <= port <= last:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def _given_out() -> tuple[int, int]:
    """The first and the last port that the system chooses by itself."""
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    except OSError:
        return 49152, 65535  # as IANA has it, and most systems
    # Whoever has nearly all of them given out has to live with it.
    return (int(first), int(last)) if int(last) - int(first) < 49_000 else (49152, 65535)
