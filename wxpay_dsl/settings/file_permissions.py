"""Permissions of files that hold secrets: who can read them, and how they are written."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["exposure", "warn_if_exposed", "write_private"]

#: A log record, not a Python warning: under ``-W error`` a warning would stop payments.
_log: Final = logging.getLogger(__name__)


def warn_if_exposed(file: Path, what: str) -> None:
    """Logs a warning if group or others can read ``file``, which holds ``what``. Does nothing if the file is missing,
    or on Windows, which has other permissions.
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
    """Who beside the owner can read ``file``, as text; empty if nobody can, or if it is unknown."""
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
    """Writes ``file`` atomically, readable by its owner only (mode 0600). Raises OSError."""
    from wxpay_dsl.core.files.atomic_write import write_atomically

    write_atomically(file, content, private=True)
