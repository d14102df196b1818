"""Creates the store that a setting names."""

from __future__ import annotations

from pathlib import Path

from wxpay_dsl.core.errors import ConfigurationError

from .store import Store

__all__ = ["open_store"]


def open_store(where: str | Path | Store | None) -> Store:
    """The store that ``where`` names: a SQLite file (``notifications.db``, ``sqlite:///…``), ``redis://…`` or
    ``memory``; None for SQLite in the user's state folder. A store is returned as it is.

    Raises ConfigurationError for any other URL.
    """
    if where is None:
        from .embedded import EmbeddedStore

        return EmbeddedStore()
    if where == "memory":
        from .memory import MemoryStore

        return MemoryStore()
    if isinstance(where, str) and where.startswith(("redis://", "rediss://", "unix://")):
        from .redis import RedisStore

        return RedisStore(where)
    if isinstance(where, str) and "://" in where and not where.startswith("sqlite:///"):
        scheme = where.partition("://")[0]
        raise ConfigurationError(f"a store is a file, `sqlite:///file`, `redis://…` or `memory`, not {scheme}://…")
    if isinstance(where, (str, Path)):
        from .sqlite import SqliteStore

        return SqliteStore(str(where).removeprefix("sqlite:///"))
    return where
