"""The ``wxpay`` command. Its libraries come with the extra ``cli``: ``pip install 'wxpay-dsl[cli]'``."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["COMMANDS", "main"]

#: Each command and the module below this package, with the function in it, that is imported when the command is named.
COMMANDS: Final = {
    "demo": "demo:demo",
    "call": "call:call",
    "bulk": "bulk:bulk",
    "bill": "bill:bill",
    "qr": "qr:qr",
    "certs": "certs:certs",
    "sandbox": "sandbox:sandbox",
    "notify": "notify:notify",
    "init": "init:init",
    "doctor": "doctor:doctor",
    "explain": "explain:explain",
    "drift": "drift:drift",
    "spec": "spec:spec",
    "stubs": "stubs:stubs",
    "docs": "docs:docs",
}

#: What the extra ``cli`` brings.
_LIBRARIES: Final = ("click", "rich")


def main() -> None:
    """Runs the command line of this process, and exits with the status that ``wxpay --help`` explains."""
    try:
        from .program import run
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        sys.stderr.write(f"wxpay: the command line needs {error.name}: pip install 'wxpay-dsl[cli]'\n")
        sys.exit(3)
    sys.exit(run(sys.argv[1:]))
