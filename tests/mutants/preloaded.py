"""Runs pytest in forks of a process that has imported the third-party packages, which takes longer than most tests.

    python tests/mutants/preloaded.py serve SOCKET              in the checkout
    python -S -E tests/mutants/preloaded.py run SOCKET ARGUMENT…    exits with pytest's status

The package under test is imported anew by each fork, as it is on the disk then.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

__all__ = ["PACKAGES", "run", "serve"]

#: What the tests of most modules import, and takes time to.
PACKAGES = (
    "aiohttp.web",
    "attrs",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.x509",
    "hypothesis.strategies",
    "hypothesis.internal.conjecture.engine",
    "multiprocessing",
    "redis.asyncio",
    "sqlite3",
    "yaml",
)
#: Bytes of address space of a fork: a change may make a loop endless.
_MEMORY_LIMIT = 4 << 30


def serve(path: str) -> None:
    """Listens at ``path``, and runs pytest once for each connection, one after another, until the process ends."""
    import pytest

    for name in PACKAGES:
        import_module(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{path}.new")
        listening.listen()
        Path(f"{path}.new").rename(path)  # whoever finds it can connect
        while True:
            connection, _ = listening.accept()
            with connection, connection.makefile() as lines:
                arguments = json.loads(lines.readline())
                pid = os.fork()
                if pid == 0:
                    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
                    os.setsid()  # so that what the tests start can be ended with them
                    # pytest would rewrite the packages' assertions if they were not imported yet, and warns.
                    os._exit(pytest.main([*arguments, "-W", "ignore::pytest.PytestAssertRewriteWarning"]))
                _wait(pid, connection)


def _wait(pid: int, connection: socket.socket) -> None:
    """Sends the exit status of ``pid``; ends it if the other side hangs up before."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # what the tests left behind
            connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            return
        if select.select([connection], [], [], 0.02)[0]:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return


def run(path: str, arguments: list[str]) -> int:
    """The exit status of pytest with ``arguments``, by the process that listens at ``path``."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(json.dumps(arguments).encode() + b"\n")
        return int(connection.recv(16) or b"1")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(run(sys.argv[2], sys.argv[3:]))
