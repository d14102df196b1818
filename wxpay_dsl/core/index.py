"""The index of a spec folder: what its files declare, kept as JSON beside them and proven fresh before it is believed.

A file whose size, modification time and change time are those of the index is taken from the index; one that
differs, or that was written so shortly before the index that a clock could not tell, is compared by hash; one whose
hash differs is read again. Where the index cannot be written it stays in memory; a damaged one is built anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final, NamedTuple

__all__ = ["INDEX_NAME", "IndexedFile", "index_folder", "portable_index"]

INDEX_NAME: Final = ".index.json"
#: Grows with the index's meaning, so that an older one is not believed.
_FORMAT: Final = 1
#: Two edits within this many nanoseconds may bear one timestamp on a coarse file system.
_RACY_NS: Final = 2_000_000_000
_SUFFIXES: Final = (".yaml", ".yml")


class IndexedFile(NamedTuple):
    """One file's share. A tuple, since a thousand of them are made at each import."""

    #: Below the folder, with ``/``.
    file: str
    title: str
    family: str
    #: ``[path, {verb: summary}]`` of each path.
    paths: list[Any]
    #: ``{event name: summary}``
    events: Mapping[str, str]
    #: ``[message, line, column]`` of a file that cannot be read; its ``paths`` then holds the path it would serve.
    error: list[Any] | None


def index_folder(folder: str, default_family: str) -> list[IndexedFile]:
    """Every spec below ``folder``, in the order of their names. Raises FileNotFoundError for a folder that is not
    there.
    """
    found = sorted(_files(folder, ""))
    known, saved_ns = _load(folder, default_family)
    entries: dict[str, Any] = {}
    changed = len(found) != len(known)
    for file, size, modified, altered in found:
        entry = known.get(file)
        if entry is not None:
            if entry[:3] == [size, modified, altered] and max(modified, altered) + _RACY_NS < saved_ns:
                entries[file] = entry
                continue
            # Another timestamp, the same bytes: a copy, a checkout, an installed wheel.
            if entry[0] == size and entry[3] == _digest(_bytes(folder, file)):
                changed = changed or entry[:3] != [size, modified, altered]
                entries[file] = [size, modified, altered, *entry[3:]]
                continue
        changed = True
        text = _bytes(folder, file)
        entries[file] = [
            size,
            modified,
            altered,
            _digest(text),
            *_outline(text, folder, file, default_family),
        ]
    if changed:
        _save(folder, default_family, entries)
    return [IndexedFile(file, *entry[4:]) for file, entry in entries.items()]


def portable_index(folder: str, default_family: str) -> bytes:
    """The index as a package carries it: without times, which installing changes; each file is proven by its hash.

    The same files give the same bytes. Raises FileNotFoundError for a folder that is not there.
    """
    entries: dict[str, Any] = {}
    for file, size, _, _ in sorted(_files(folder, "")):
        text = _bytes(folder, file)
        entries[file] = [size, 0, 0, _digest(text), *_outline(text, folder, file, default_family)]
    return _encoded(default_family, entries, 0)


def _files(folder: str, below: str) -> list[tuple[str, int, int, int]]:
    found: list[tuple[str, int, int, int]] = []
    with os.scandir(os.path.join(folder, below)) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith((".", "_")):
                continue
            if name.endswith(_SUFFIXES):
                status = entry.stat()
                found.append((below + name, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
            elif entry.is_dir():
                found += _files(folder, f"{below}{name}/")
    return found


def _outline(text: bytes, folder: str, file: str, default_family: str) -> list[Any]:
    # Only a changed file needs the YAML reader: importing it costs more than the whole index.
    from .errors import SpecError
    from .loader import outline

    try:
        read = outline(text, os.path.join(folder, file), default_family)
    except SpecError as error:
        path = _path_of_broken(text, file)
        return ["", default_family, [[path, {}]], {}, [error.message, error.line, error.column]]
    return [
        read.title,
        read.family,
        [[path, dict(verbs)] for path, verbs in read.paths],
        dict(read.events),
        None,
    ]


def _path_of_broken(text: bytes, file: str) -> str:
    """The path that a file would serve if it could be read: what its ``path`` line says, or else its own name."""
    for line in text.splitlines():
        if line.startswith(b"path:"):
            path = line[5:].split(b"#")[0].strip().strip(b"'\"").decode("utf-8", "replace")
            if path.startswith("/"):
                return path
    return "/" + file.rsplit(".", 1)[0]


def _bytes(folder: str, file: str) -> bytes:
    try:
        with open(os.path.join(folder, file), "rb") as stream:
            return stream.read()
    except OSError:
        # Gone or unreadable since the listing: the outline will say so, and only for this file.
        return b"\xff"


def _digest(text: bytes) -> str:
    return blake2b(text, digest_size=16).hexdigest()


def _load(folder: str, default_family: str) -> tuple[dict[str, Any], int]:
    """The entries of the saved index and when it was saved; nothing where it is damaged, older or of another kind."""
    try:
        with open(os.path.join(folder, INDEX_NAME), "rb") as stream:
            digest, _, payload = stream.read().partition(b"\n")
        if digest.decode() != _digest(payload):
            return {}, 0
        saved = json.loads(payload)
        if saved["format"] != _FORMAT or saved["default_family"] != default_family:
            return {}, 0
        return saved["files"], saved["saved_ns"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}, 0


def _save(folder: str, default_family: str, entries: Mapping[str, Any]) -> None:
    import time

    saved = _encoded(default_family, entries, time.time_ns())
    # One writer's whole file or another's, never a mixture: two processes may build at once.
    temporary = os.path.join(folder, f"{INDEX_NAME}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with open(temporary, "wb") as stream:
            stream.write(saved)
        os.replace(temporary, os.path.join(folder, INDEX_NAME))
    except OSError:
        # A read-only folder costs time at each start, nothing else.
        with suppress(OSError):
            os.unlink(temporary)


def _encoded(default_family: str, entries: Mapping[str, Any], saved_ns: int) -> bytes:
    payload = json.dumps(
        {"format": _FORMAT, "default_family": default_family, "saved_ns": saved_ns, "files": entries},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode("utf-8", "surrogateescape")
    return _digest(payload).encode() + b"\n" + payload
