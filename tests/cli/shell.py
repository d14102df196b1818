"""Shared by the tests of the command line: the types of the fixtures, and ``wxpay sandbox`` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from attrs import frozen

__all__ = ["PRESIGN", "Ran", "Serve", "Wxpay", "environment", "sandbox"]

#: The checkout, so that a process in any folder finds the package whether it is installed or not.
ROOT = Path(__file__).parents[2]

PRESIGN = (
    '{"appid": "wx8888888888888888", "openid": "oUpF8uMuAJO", "plan_id": "12535", "user_id": "20190011",'
    ' "period_start_date": "2026-03-19", "trade_scene": "EDUCATION_PERIOD"}'
)


@frozen
class Ran:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


#: ``wxpay("call", …, stdin="", env={})`` runs the command and waits until it ends.
Wxpay = Callable[..., Ran]
#: ``with serve("--home", …, env={}) as process:`` runs ``wxpay sandbox`` until the block ends.
Serve = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


def environment(extra: Mapping[str, str] = {}) -> dict[str, str]:
    """The environment of this process without ``WXPAY_…`` variables, and with ``extra``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_") and name != "COLUMNS"}
    return {**kept, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), **extra}


@contextmanager
def sandbox(
    folder: Path, *arguments: str, env: Mapping[str, str] = {}, ready: bytes = b"ready http://127.0.0.1:"
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs ``wxpay sandbox`` in ``folder`` until the block ends; then SIGTERM must end it with exit code 0."""
    command = [sys.executable, "-m", "wxpay_dsl.cli", "sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(env), cwd=folder) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith(ready)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read()
        assert (process.wait(100), rest) == (0, b"")
