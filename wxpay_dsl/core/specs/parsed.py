"""Keeps what YAML makes of a spec file as JSON, which is read in a fifth of the time.

A file of the folder ``.parsed`` below a spec folder is named by the hash of the YAML text that it was made from, so it
can be damaged but never stale. Where the folder cannot be written, YAML is read each time.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import Any, Final
from zlib import crc32

from . import yaml12
from .spec_bytes import MAX_BYTES, PARSED, digest, read_regular_file

__all__ = ["parse", "portable"]

#: Grows with what the YAML reader makes of a text, so that what an older one made is not believed.
_FORMAT: Final = "1"
#: Bytes of JSON at most: escapes make it longer than its YAML.
_MAX_JSON: Final = 6 * MAX_BYTES


def parse(text: bytes, file: str, folder: str) -> Any:
    """What the YAML ``text`` of ``file`` holds; ``folder`` is the spec folder that the file is in.

    Raises SpecError as :func:`.yaml12.read` does. Nobody else holds the result: it may be changed.
    """
    kept = os.path.join(folder, PARSED, _name(text))
    found, value = _kept(kept)
    if found:
        return value
    value = yaml12.read(text, file)
    _keep(kept, _encoded(value))
    return value


def portable(text: bytes, file: str) -> tuple[str, bytes]:
    """``(name below the folder, its bytes)`` of one file, as a package carries them; the same text gives the same."""
    return _name(text), _encoded(yaml12.read(text, file))


def _name(text: bytes) -> str:
    return f"{_FORMAT}-{digest(text)}.json"


def _kept(path: str) -> tuple[bool, Any]:
    """Whether there is a whole file, and what it holds."""
    try:
        proof, _, payload = read_regular_file(path, _MAX_JSON).partition(b"\n")
        if proof == _checksum(payload):
            return True, json.loads(payload)
    except (OSError, ValueError, RecursionError):
        pass
    return False, None


def _keep(path: str, content: bytes) -> None:
    # One writer's whole file or another's, never a mixture: two processes may read the same spec at once.
    temporary = f"{path}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        with suppress(FileExistsError):
            os.mkdir(os.path.dirname(path))
        with open(temporary, "xb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except OSError:
        # A read-only folder costs time at each start, nothing else.
        with suppress(OSError):
            os.unlink(temporary)


def _encoded(value: Any) -> bytes:
    payload = json.dumps(value, separators=(",", ":")).encode()
    return _checksum(payload) + b"\n" + payload


def _checksum(payload: bytes) -> bytes:
    """Against damage alone: who can write the file can write the specs."""
    return b"%08x %d" % (crc32(payload), len(payload))
