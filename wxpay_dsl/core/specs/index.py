"""The index of a spec folder: what its files declare, cached as JSON beside them and checked against them at each use.

A file with the size, modification time and change time of its entry is taken from the index. If one of them differs, or
the file was written so shortly before the index that timestamps cannot tell, the hashes are compared; if they differ
too, the file is read again. If the index cannot be written, it is kept in memory; a damaged one is built anew.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple
from zlib import crc32

from .spec_bytes import MAX_BYTES, PARSED, RACY_NS, digest, read_regular_file

__all__ = ["INDEX_NAME", "IndexedFile", "index_folder", "portable_index"]

INDEX_NAME: Final = ".index.json"
#: Version of the format; an index of another version is built anew.
_FORMAT: Final = 3
_SUFFIXES: Final = (".yaml", ".yml")
#: Bytes of an index, at most; that of a thousand operations has 200 KB.
_MOST_INDEX: Final = 64 * 1024 * 1024
#: A line that declares a path, in a file that cannot be read as YAML.
_PATH_LINE: Final = re.compile(rb"""\s+['"]?(/[^\s'":#]*)['"]?\s*:""")


class IndexedFile(NamedTuple):
    """What one file declares. A named tuple, since many are created at each import."""

    #: The path below the folder, with ``/``.
    file: str
    title: str
    dialect: str
    #: ``[path, {verb: summary}]`` of each path.
    paths: list[Any]
    #: ``{event name: summary}``
    events: Mapping[str, str]
    #: ``{"verb /path": origin}`` of the operations with a ``host``.
    hosts: Mapping[str, str]
    #: ``[message, line, column]`` of a file that cannot be read; ``paths`` then holds the paths it seems to declare.
    error: list[Any] | None


#: The path below the folder, size in bytes, and modification and change time in nanoseconds.
_Listed = tuple[str, int, int, int]


def index_folder(folder: str, default_dialect: str) -> list[IndexedFile]:
    """Every spec file below ``folder``, sorted by path. Raises FileNotFoundError if there is no such folder."""
    found = sorted(_files(folder, ""))
    saved, saved_ns = _load(folder, default_dialect)
    entries: dict[str, Any] = {}
    hashed = False
    for file, size, modified, altered in found:
        entry = saved.get(file)
        if entry is not None and entry[:3] == [size, modified, altered]:
            if max(modified, altered) + RACY_NS < saved_ns:
                entries[file] = entry
                continue
            # The hash proves it now; the timestamps do once they are old enough.
            hashed = hashed or max(modified, altered) + RACY_NS < time.time_ns()
        entries[file] = _entry(folder, (file, size, modified, altered), default_dialect, entry)
    # A file that could not be read (no hash) is not saved: it may become readable without a change of the file.
    readable = {file: entry for file, entry in entries.items() if entry[3]}
    if hashed or readable != saved:
        _save(folder, default_dialect, readable)
    return [IndexedFile(file, *entry[4:]) for file, entry in entries.items()]


def portable_index(folder: str, default_dialect: str) -> bytes:
    """The index for a distribution: without timestamps, which installing changes, so that files are compared by hash.

    The same files give the same bytes. Raises FileNotFoundError if there is no such folder.
    """
    entries: dict[str, Any] = {}
    for file, size, _, _ in sorted(_files(folder, "")):
        entries[file] = _entry(folder, (file, size, 0, 0), default_dialect, None)
    return _encoded(default_dialect, entries, 0)


def _files(folder: str, below: str) -> list[_Listed]:
    found: list[_Listed] = []
    with os.scandir(os.path.join(folder, below)) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith((".", "_")):
                continue
            if name.endswith(_SUFFIXES) and not entry.is_dir():
                try:
                    status = entry.stat()
                except OSError:
                    # A dangling link; reading it reports the error.
                    status = entry.stat(follow_symlinks=False)
                found.append((below + name, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
            elif entry.is_dir() and not (entry.is_symlink() and _is_listed(entry.path, folder)):
                try:
                    found += _files(folder, f"{below}{name}/")
                except OSError:
                    # A folder that cannot be listed is entered as one unreadable file, which reports the error.
                    found.append((f"{below}{name}/", 0, 0, 0))
    return found


def _is_listed(link: str, folder: str) -> bool:
    """Whether a link leads into the folder, which is listed anyway, or above it, which would never end."""
    target, root = os.path.realpath(link) + os.sep, os.path.realpath(folder) + os.sep
    return target.startswith(root) or root.startswith(target)


def _entry(folder: str, found: _Listed, default_dialect: str, saved: list[Any] | None) -> list[Any]:
    """A file's entry in the index; that of the saved index, ``saved``, is taken over if its hash is the same."""
    file, *times = found
    try:
        text = read_regular_file(os.path.join(folder, file), MAX_BYTES + 1)
    except OSError as error:
        return [*times, "", *_broken(b"", file, default_dialect, [f"cannot be read: {error.strerror}", 0, 0])]
    proof = digest(text)
    # Other timestamps, the same bytes: a copy, a checkout, an installed wheel.
    if saved is not None and saved[3] == proof:
        return [*times, *saved[3:]]
    return [*times, proof, *_outline(text, folder, file, default_dialect)]


def _outline(text: bytes, folder: str, file: str, default_dialect: str) -> list[Any]:
    # Imported late: the YAML reader costs more than the whole index, and only changed files need it.
    from wxpay_dsl.core.errors import SpecError

    from .loader import outline

    try:
        read = outline(text, os.path.join(folder, file), default_dialect)
    except SpecError as error:
        return _broken(text, file, default_dialect, [error.message, error.line, error.column])
    return [
        read.title,
        read.dialect,
        [[path, dict(verbs)] for path, verbs in read.paths],
        dict(read.events),
        dict(read.hosts),
        None,
    ]


def _broken(text: bytes, file: str, default_dialect: str, error: list[Any]) -> list[Any]:
    """The entry of a file that cannot be read: the paths that it declares, as far as its lines show them."""
    prefix, dialect, paths = "", default_dialect, []
    for line in text.splitlines():
        if line.startswith(b"path:"):
            prefix = _value(line)
        elif line.startswith(b"dialect:"):
            dialect = _value(line) or dialect
        elif (declares := _PATH_LINE.match(line)) is not None:
            paths.append(declares[1].decode("utf-8", "replace"))
    if prefix.startswith("/"):
        paths = [prefix]
    return ["", dialect, [[path, {}] for path in paths or ["/" + file.rsplit(".", 1)[0].rstrip("/")]], {}, {}, error]


def _value(line: bytes) -> str:
    return line.partition(b":")[2].partition(b" #")[0].strip(b" \t'\"").decode("utf-8", "replace")


def _load(folder: str, default_dialect: str) -> tuple[dict[str, Any], int]:
    """The entries of the saved index and when it was saved; nothing if it is missing, damaged or of another format."""
    try:
        proof, _, payload = read_regular_file(os.path.join(folder, INDEX_NAME), _MOST_INDEX).partition(b"\n")
        if proof != _checksum(payload):
            return {}, 0
        saved = json.loads(payload)
        if saved["format"] != _FORMAT or saved["default_dialect"] != default_dialect:
            return {}, 0
        return saved["files"], saved["saved_ns"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}, 0


def _save(folder: str, default_dialect: str, entries: Mapping[str, Any]) -> None:
    saved = _encoded(default_dialect, entries, time.time_ns())
    # Renamed when complete, since two processes may write at once.
    temporary = os.path.join(folder, f"{INDEX_NAME}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with open(temporary, "xb") as stream:
            stream.write(saved)
        os.replace(temporary, os.path.join(folder, INDEX_NAME))
    except OSError:
        # In a read-only folder every start reads the specs again.
        with suppress(OSError):
            os.unlink(temporary)
    _prune(folder, entries)


def _prune(folder: str, entries: Mapping[str, Any]) -> None:
    """Removes what was made from texts that no spec has any more."""
    proofs = {entry[3] for entry in entries.values()}
    kept = os.path.join(folder, PARSED)
    with suppress(OSError):
        for name in os.listdir(kept):
            if name.partition("-")[2].partition(".")[0] not in proofs:
                os.unlink(os.path.join(kept, name))


def _encoded(default_dialect: str, entries: Mapping[str, Any], saved_ns: int) -> bytes:
    payload = json.dumps(
        {"format": _FORMAT, "default_dialect": default_dialect, "saved_ns": saved_ns, "files": entries},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode("utf-8", "surrogatepass")  # file names that are not UTF-8
    return _checksum(payload) + b"\n" + payload


def _checksum(payload: bytes) -> bytes:
    """Against damage only: whoever can write the index can write the specs too."""
    return b"%08x %d" % (crc32(payload), len(payload))
