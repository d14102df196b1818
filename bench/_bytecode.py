"""Makes measured processes use compiled bytecode, regardless of the environment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["compiled"]


@contextmanager
def compiled() -> Iterator[None]:
    """Processes that start inside the block cache bytecode in a temporary folder, so that only the first ones compile.

    With ``PYTHONDONTWRITEBYTECODE``, or in a read-only checkout, each process would compile all that it imports.
    """
    before = {name: os.environ.pop(name, None) for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
    with tempfile.TemporaryDirectory(prefix="bench-bytecode-", ignore_cleanup_errors=True) as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            del os.environ["PYTHONPYCACHEPREFIX"]
            os.environ.update({name: value for name, value in before.items() if value is not None})
