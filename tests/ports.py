"""Free ports for servers that cannot choose one, or are restarted on the same one."""

from __future__ import annotations

import random
import socket
from pathlib import Path

__all__ = ["free_port"]


def free_port() -> int:
    """A free port of 127.0.0.1 outside of the system's ephemeral range.

    The system assigns it to no other process (for a connection, or a ``bind`` to port 0) before or between its uses,
    and a probe of the port cannot connect to itself.
    """
    first, last = _ephemeral_range()
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


def _ephemeral_range() -> tuple[int, int]:
    """The first and the last port of the system's ephemeral range."""
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    except OSError:
        return 49152, 65535  # the range of IANA and most systems
    # If the range has nearly all ports, use IANA's: collisions are possible then.
    return (int(first), int(last)) if int(last) - int(first) < 49_000 else (49152, 65535)
