"""Where records are kept: in memory, and with a file in SQLite too, so that a sandbox goes on where it ended.

Memory is what is read; the file follows at each commit. A unit of work that fails is undone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from wxpay_dsl.core.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Store", "Table"]

#: A frozen attrs class whose fields are what JSON can say.
T = TypeVar("T", bound=attrs.AttrsInstance)
Key = tuple[str, ...]

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
_PUT: Final = (
    "INSERT INTO records (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"
)
_DROP: Final = "DELETE FROM records WHERE kind = ? AND key = ?"


class Table(Generic[T]):
    """The records of one kind, by their key and by unique indexes, in the order in which they came."""

    def __init__(
        self,
        store: Store,
        name: str,
        kind: type[T],
        key: Callable[[T], Key],
        indexes: Mapping[str, Callable[[T], str]],
    ) -> None:
        self.name = name
        self.kind = kind
        self._store = store
        self._key = key
        self._readers = dict(indexes)
        self._records: dict[Key, T] = {}
        self._indexes: dict[str, dict[str, Key]] = {index: {} for index in indexes}

    def get(self, *key: str) -> T | None:
        """The record of this key."""
        return self._records.get(key)

    def find(self, index: str, value: str) -> T | None:
        """The record whose value in a unique index this is; an empty value finds nothing."""
        key = self._indexes[index].get(value) if value else None
        return self._records[key] if key is not None else None

    def __len__(self) -> int:
        return len(self._records)

    def all(self) -> list[T]:
        """Every record, oldest first."""
        return list(self._records.values())

    def put(self, record: T) -> T:
        """Keeps a record, in the place of the one with the same key."""
        key = self._key(record)
        self._store.changed(self, key, self._records.get(key))
        self._set(key, record)
        return record

    def drop(self, *key: str) -> None:
        """Forgets a record."""
        if key in self._records:
            self._store.changed(self, key, self._records[key])
            self._set(key, None)

    def load(self, body: str) -> None:
        """Takes a record from the file. Raises TypeError, ValueError for one that is none of this kind."""
        record = self.kind(**json.loads(body))
        self._set(self._key(record), record)

    def written(self, key: Key) -> str | None:
        """A record as the file has it, or None for one that is gone."""
        record = self._records.get(key)
        return None if record is None else json.dumps(attrs.asdict(record), ensure_ascii=False, default=dict)

    def restore(self, key: Key, record: T | None) -> None:
        """Puts back what a failed unit of work has changed."""
        self._set(key, record)

    def clear(self) -> None:
        """Forgets everything."""
        self._records.clear()
        for index in self._indexes.values():
            index.clear()

    def _set(self, key: Key, record: T | None) -> None:
        known = self._records.get(key)
        for name, read in self._readers.items():
            if known is not None:
                self._indexes[name].pop(read(known), None)
            if record is not None and (value := read(record)):
                self._indexes[name][value] = key
        if record is not None:
            self._records[key] = record
        else:
            self._records.pop(key, None)


class Store:
    """Tables, and the file that they are kept in."""

    def __init__(self, file: Path | None = None) -> None:
        """Opens or makes the file. Raises ConfigurationError where another sandbox has it, or it is no such file."""
        self._tables: dict[str, Table[Any]] = {}
        self._undo: list[tuple[Table[Any], Key, Any]] = []
        self._connection: sqlite3.Connection | None = None
        if file is not None:
            import sqlite3

            connection = None
            try:
                # Whoever serves a home has it alone; one process, one thread: nobody waits for a lock.
                connection = sqlite3.connect(file, timeout=0.1, isolation_level=None, check_same_thread=False)
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_SCHEMA)
            except sqlite3.Error as error:
                if connection is not None:
                    connection.close()
                raise ConfigurationError(
                    f"the sandbox's state {file} cannot be opened ({error}): does another sandbox serve this home?"
                ) from None
            self._connection = connection

    def table(self, name: str, kind: type[T], key: Callable[[T], Key], **indexes: Callable[[T], str]) -> Table[T]:
        """A table, with the records of the file. Raises ConfigurationError for records of another version."""
        table = self._tables[name] = Table(self, name, kind, key, indexes)
        if self._connection is not None:
            rows = self._connection.execute("SELECT body FROM records WHERE kind = ? ORDER BY rowid", (name,))
            try:
                for (body,) in rows:
                    table.load(body)
            except (TypeError, ValueError) as error:
                self.close()
                raise ConfigurationError(
                    f"the sandbox's state was written by another version ({name}: {error}): remove its home"
                ) from None
        return table

    def changed(self, table: Table[Any], key: Key, before: Any) -> None:
        """A table says what it is about to change."""
        self._undo.append((table, key, before))

    @contextmanager
    def unit(self) -> Iterator[None]:
        """A unit of work: kept whole at its end, undone whole where it raises."""
        try:
            yield
            self._commit()
        except BaseException:
            for table, key, before in reversed(self._undo):
                table.restore(key, before)
            self._undo.clear()
            raise
        self._undo.clear()

    def reset(self) -> None:
        """Forgets everything."""
        for table in self._tables.values():
            table.clear()
        self._undo.clear()
        if self._connection is not None:
            self._connection.execute("DELETE FROM records")

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commit(self) -> None:
        """Writes what has changed, all of it or nothing. Raises sqlite3.Error."""
        connection = self._connection
        changed = {(table.name, key): table for table, key, _ in self._undo}
        if connection is None or not changed:
            return
        connection.execute("BEGIN")
        try:
            for (name, key), table in changed.items():
                body = table.written(key)
                written = json.dumps(key, ensure_ascii=False)
                if body is None:
                    connection.execute(_DROP, (name, written))
                else:
                    connection.execute(_PUT, (name, written, body))
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
