"""The shop's record of its steps: lines of JSON, appended and synced to disk before the next step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Ledger", "entries"]


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """The complete lines. No step followed an incomplete one, during whose writing the shop was killed."""
    if path.exists():
        content = path.read_bytes()
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            yield json.loads(line)


class Ledger:
    """The file, and the last entry of each subject."""

    def __init__(self, path: Path) -> None:
        self.last: dict[str, dict[str, Any]] = {}
        for entry in entries(path):
            self.last[entry["thing"]] = entry
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        content = path.read_bytes()
        os.truncate(self._descriptor, content.rfind(b"\n") + 1)
        os.lseek(self._descriptor, 0, os.SEEK_END)

    def write(self, thing: str, state: str, **more: Any) -> None:
        """Appends an entry; returns when it is on the disk."""
        entry = {"thing": thing, "state": state, **more}
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")
        os.fsync(self._descriptor)
        self.last[thing] = entry

    def state(self, thing: str) -> str:
        """The last state of a subject, or `""` if there is none."""
        return str(self.last.get(thing, {}).get("state", ""))
