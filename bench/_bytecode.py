"""Processes that are measured find compiled bytecode, whatever the environment says of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["compiled"]


@contextmanager
def compiled() -> Iterator[None]:
    """Processes that begin within keep their bytecode in a folder of their own, so that only the first ones compile.

    With ``PYTHONDONTWRITEBYTECODE``, or in a checkout that cannot be written, each would compile all it imports.
    """
    before = {name: os.environ.pop(name, None) for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
    with tempfile.TemporaryDirectory(prefix="bench-bytecode-", ignore_cleanup_errors=True) as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            del os.environ["PYTHONPYCACHEPREFIX"]
            os.environ.update({name: value for name, value in before.items() if value is not None})
