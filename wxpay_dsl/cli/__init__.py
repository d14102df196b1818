"""The ``wxpay`` command. Its libraries come with the extra ``cli``: ``pip install 'wxpay-dsl[cli]'``."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["main"]

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
