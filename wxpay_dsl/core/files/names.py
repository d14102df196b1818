"""File names in error messages: bounded, on one line, and never the contents of a file passed as its name."""

from __future__ import annotations

import os
from typing import Final

Name = str | bytes | os.PathLike[str] | os.PathLike[bytes]

__all__ = ["is_file_name", "shown_file"]

#: Characters of a name in an error: its end, which tells most.
_SHOWN: Final = 200
#: Characters of the longest path that operating systems accept.
_LONGEST: Final = 4096


def is_file_name(name: Name) -> bool:
    """Whether ``name`` can be a file's name; False for the contents of a file (a PEM text), passed by mistake."""
    text = os.fsdecode(name)
    return len(text) <= _LONGEST and not any(character in text for character in "\0\r\n") and "-----BEGIN" not in text


def shown_file(name: Name) -> str:
    """``name`` for an error message: at most 200 characters on one line; contents of a file are not shown."""
    text = os.fsdecode(name)
    if not is_file_name(text):
        return f"(a text of {len(text)} characters, not the name of a file)"
    if not text.isprintable():
        text = ascii(text)[1:-1]
    return text if len(text) <= _SHOWN else f"…{text[-_SHOWN:]}"
