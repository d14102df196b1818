"""What the tests of the command line share: how a command is run, and what it did."""

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
    """What a command did."""

    code: int
    out: str
    err: str


#: ``wxpay("call", …, stdin="", env={})`` runs the command and waits for its end.
Wxpay = Callable[..., Ran]
#: ``with serve("--home", …, env={}) as process:`` runs ``wxpay sandbox`` until the block ends.
Serve = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


def environment(extra: Mapping[str, str] = {}) -> dict[str, str]:
    """This process's environment without any setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_") and name != "COLUMNS"}
    return {**kept, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), **extra}


@contextmanager
def sandbox(
    folder: Path, *arguments: str, env: Mapping[str, str] = {}, ready: bytes = b"ready http://127.0.0.1:"
) -> Iterator[subprocess.Popen[bytes]]:
    """``wxpay sandbox`` in ``folder``, from its ready line to the SIGTERM that ends it cleanly."""
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
