"""Files that hold secrets, and who else on this machine can read them."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["exposure", "warn_if_exposed", "write_private"]

#: A record and no Python warning: it is about this machine, and ``-W error`` is no reason for payments to stop.
_log: Final = logging.getLogger(__name__)


def warn_if_exposed(file: Path, what: str) -> None:
    """Logs a warning where group or others can read ``file``, which holds ``what``. Says nothing of one that is not
    there, and nothing on Windows, whose permissions are not these.
    """
    exposed = exposure(file)
    if exposed:
        _log.warning(
            "%s, which holds %s, can be read by %s: chmod 600 it (文件权限过宽，请收紧); "
            "of a secret that Kubernetes mounts, set defaultMode: 0400",
            file,
            what,
            exposed,
        )


def exposure(file: Path) -> str:
    """Who beside its owner can read ``file``, as words; empty where nobody can, or it is not to be known."""
    if os.name != "posix":
        return ""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except (OSError, ValueError):
        return ""
    if not mode & (stat.S_IRGRP | stat.S_IROTH):
        return ""
    return f"{'everybody' if mode & stat.S_IROTH else 'its group'} on this machine (mode {mode:04o})"


def write_private(file: Path, content: bytes) -> None:
    """Writes ``file`` whole or not at all, for its owner only (mode 0600). Raises OSError."""
    from wxpay_dsl.core.files.atomic_write import write_atomically

    write_atomically(file, content, private=True)
