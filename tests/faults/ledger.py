"""What a shop knows to have done, on the disk before its next step: lines of JSON, only ever added to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Ledger", "entries"]


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines; half a one, at whose writing it was killed, was followed by no step."""
    if path.exists():
        content = path.read_bytes()
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            yield json.loads(line)


class Ledger:
    """The file, and the last that was written of each thing."""

    def __init__(self, path: Path) -> None:
        self.last: dict[str, dict[str, Any]] = {}
        for entry in entries(path):
            self.last[entry["thing"]] = entry
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        content = path.read_bytes()
        os.truncate(self._descriptor, content.rfind(b"\n") + 1)
        os.lseek(self._descriptor, 0, os.SEEK_END)

    def write(self, thing: str, state: str, **more: Any) -> None:
        """Returns once the disk has it."""
        entry = {"thing": thing, "state": state, **more}
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")
        os.fsync(self._descriptor)
        self.last[thing] = entry

    def state(self, thing: str) -> str:
        """The last state of a thing; nothing for one that was never begun."""
        return str(self.last.get(thing, {}).get("state", ""))
