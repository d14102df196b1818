"""The ``wxpay`` command line. It needs the extra ``cli``: ``pip install 'wxpay-dsl[cli]'``.

Read ``program`` first: the table of commands and how errors become exit codes. ``commands`` holds one module a command;
commands of several modules have a folder: ``bulk``, ``notify``, ``spec``. ``input`` turns text of the command line into
values, ``output`` prints results and errors. Each command imports what it needs when it runs, so that ``wxpay --help``
and completion stay fast. Commands may import any other part of the package; no other part imports this one.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["main"]

#: The libraries that the extra ``cli`` installs.
_LIBRARIES: Final = ("click", "rich")


def main() -> None:
    """Runs ``sys.argv`` and exits the process with an exit code that ``wxpay --help`` lists."""
    try:
        from .program import run
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        sys.stderr.write(f"wxpay: the command line needs {error.name}: pip install 'wxpay-dsl[cli]'\n")
        sys.exit(3)
    sys.exit(run(sys.argv[1:]))
