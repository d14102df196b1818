"""Files that appear whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

__all__ = ["whole"]


@contextmanager
def whole(path: Path, *, encoding: str = "utf-8", newline: str | None = None) -> Iterator[TextIO]:
    """A file to write to, which takes the place of ``path`` when it is left without an error. Raises OSError.

    It is made beside ``path`` under a name that nobody can have put a link under.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x", encoding=encoding, newline=newline) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
