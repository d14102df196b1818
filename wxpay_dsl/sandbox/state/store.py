"""Stores records in memory and, with a file, in SQLite as well, so that a restarted sandbox continues where it was.

Reads come from memory; the file is written at each commit. A unit of work that fails is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from wxpay_dsl.core.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Store", "Table"]

#: A frozen attrs class whose fields can be written as JSON.
T = TypeVar("T", bound=attrs.AttrsInstance)
Key = tuple[str, ...]

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
_PUT: Final = (
    "INSERT INTO records (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"
)
_DROP: Final = "DELETE FROM records WHERE kind = ? AND key = ?"


class Table(Generic[T]):
    """The records of one class by key and by unique indexes, in the order in which they were added."""

    def __init__(
        self,
        store: Store,
        name: str,
        record_type: type[T],
        key: Sequence[str],
        indexes: Sequence[str],
    ) -> None:
        """``key`` and ``indexes`` are names of fields of ``record_type``."""
        self.name = name
        self.record_type = record_type
        self._store = store
        self._key_fields = key
        self._records: dict[Key, T] = {}
        self._indexes: dict[str, dict[str, Key]] = {index: {} for index in indexes}

    def get(self, *key: str) -> T | None:
        """Returns the record with this key, or None."""
        return self._records.get(key)

    def find(self, index: str, value: str) -> T | None:
        """Returns the record that has this value in an index, or None; an empty value finds none."""
        key = self._indexes[index].get(value) if value else None
        return self._records[key] if key is not None else None

    def __len__(self) -> int:
        return len(self._records)

    def all(self) -> list[T]:
        """Returns all records, oldest first."""
        return list(self._records.values())

    def put(self, record: T) -> T:
        """Adds a record, or replaces the one with the same key; returns it."""
        key = self._key_of(record)
        self._store.note_change(self, key, self._records.get(key))
        self._set(key, record)
        return record

    def drop(self, *key: str) -> None:
        """Deletes the record with this key, if there is one."""
        if key in self._records:
            self._store.note_change(self, key, self._records[key])
            self._set(key, None)

    def load(self, body: str) -> None:
        """Adds a record from the file. Raises TypeError, ValueError if its fields do not fit the record class."""
        record = self.record_type(**json.loads(body))
        self._set(self._key_of(record), record)

    def dump(self, key: Key) -> str | None:
        """Returns a record as JSON text, or None if it was deleted."""
        record = self._records.get(key)
        return None if record is None else json.dumps(attrs.asdict(record), ensure_ascii=False, default=dict)

    def restore(self, key: Key, record: T | None) -> None:
        """Sets a record back to its value before a failed unit of work; None deletes it."""
        self._set(key, record)

    def clear(self) -> None:
        """Deletes all records."""
        self._records.clear()
        for index in self._indexes.values():
            index.clear()

    def _key_of(self, record: T) -> Key:
        key: Key = ()
        for name in self._key_fields:
            value = getattr(record, name)
            # A field that is itself a tuple adds all of its parts.
            key += value if isinstance(value, tuple) else (str(value),)
        return key

    def _set(self, key: Key, record: T | None) -> None:
        before = self._records.get(key)
        for name, index in self._indexes.items():
            if before is not None:
                index.pop(getattr(before, name), None)
            if record is not None and (value := getattr(record, name)):
                index[value] = key
        if record is not None:
            self._records[key] = record
        else:
            self._records.pop(key, None)


class Store:
    """The tables and the file that they are written to."""

    def __init__(self, file: Path | None = None) -> None:
        """Opens or creates the file. Raises ConfigurationError if it is locked or not a SQLite file."""
        self._tables: dict[str, Table[Any]] = {}
        self._undo: list[tuple[Table[Any], Key, Any]] = []
        self._connection: sqlite3.Connection | None = None
        if file is not None:
            import sqlite3

            connection = None
            try:
                # One process and one thread use the file, exclusively; so there is no lock to wait for.
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

    def table(self, name: str, record_type: type[T], *, key: Sequence[str], indexes: Sequence[str] = ()) -> Table[T]:
        """Creates a table and loads its records from the file.

        ``key`` and ``indexes`` are names of fields of ``record_type``. Raises ConfigurationError if the file has
        records that do not fit the class.
        """
        table = self._tables[name] = Table(self, name, record_type, key, indexes)
        if self._connection is not None:
            rows = self._connection.execute("SELECT body FROM records WHERE kind = ? ORDER BY rowid", (name,))
            try:
                for (body,) in rows:
                    table.load(body)
            except (TypeError, ValueError) as error:
                self.close()
                raise ConfigurationError(
                    f"the sandbox's state was written by another version ({name}: {error}): delete its home folder"
                ) from None
        return table

    def note_change(self, table: Table[Any], key: Key, before: Any) -> None:
        """Remembers the value of a record that is about to change, for a rollback."""
        self._undo.append((table, key, before))

    @contextmanager
    def unit(self) -> Iterator[None]:
        """A unit of work: committed at its end, rolled back if it raises."""
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
        """Deletes all records, in the file too."""
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
        """Writes all changes in one transaction. Raises sqlite3.Error."""
        connection = self._connection
        changed = {(table.name, key): table for table, key, _ in self._undo}
        if connection is None or not changed:
            return
        connection.execute("BEGIN")
        try:
            for (name, key), table in changed.items():
                body = table.dump(key)
                stored_key = json.dumps(key, ensure_ascii=False)
                if body is None:
                    connection.execute(_DROP, (name, stored_key))
                else:
                    connection.execute(_PUT, (name, stored_key, body))
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
