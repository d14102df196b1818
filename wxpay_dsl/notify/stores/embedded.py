"""The default store: SQLite, in a file of this application in the user's state folder.

Nothing is written before the first notification is handled.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from .memory import MemoryStore
from .sqlite import SqliteStore
from .store import KEEP, Claim, Finished, Store

__all__ = ["EmbeddedStore", "state_folder"]

_log = logging.getLogger("wxpay_dsl.notify")


def state_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder for persistent state of the user's applications: ``$XDG_STATE_HOME``, or the default of the system.

    Raises RuntimeError if the user has no home directory.
    """
    if environment.get("XDG_STATE_HOME"):
        return Path(environment["XDG_STATE_HOME"])
    if platform == "win32":
        named = environment.get("LOCALAPPDATA")
        return Path(named) if named else Path.home() / "AppData" / "Local"
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path.home() / ".local" / "state"


class EmbeddedStore:
    """A :class:`~wxpay_dsl.notify.stores.sqlite.SqliteStore` in the user's state folder, shared by the processes that
    run from the same installation in the same working directory: those of one application.

    If the folder cannot be written, a :class:`~wxpay_dsl.notify.stores.memory.MemoryStore` is used and a warning
    logged.
    """

    keep: float = KEEP

    def __init__(self) -> None:
        self._chosen: Store | None = None

    @property
    def store(self) -> Store:
        """The store in use, created at first access."""
        if self._chosen is None:
            try:
                file = _file()
            except (OSError, RuntimeError) as error:
                _log.warning(
                    "handled notifications are remembered in this process only (%s): give store='notifications.db' or "
                    "'redis://…' to handle each once, store='memory' if this is intended",
                    error,
                )
                self._chosen = MemoryStore()
            else:
                _log.info("handled notifications are remembered in %s", file)
                self._chosen = SqliteStore(file)
        return self._chosen

    async def claim(self, claim: Claim, lease: float) -> Finished | bool:
        """See :meth:`Store.claim <wxpay_dsl.notify.stores.Store.claim>`."""
        return await self.store.claim(claim, lease)

    async def renew(self, claim: Claim, lease: float) -> bool:
        """See :meth:`Store.renew <wxpay_dsl.notify.stores.Store.renew>`."""
        return await self.store.renew(claim, lease)

    async def done(self, claim: Claim, data: bytes) -> bool:
        """See :meth:`Store.done <wxpay_dsl.notify.stores.Store.done>`."""
        return await self.store.done(claim, data)

    async def release(self, claim: Claim) -> None:
        """See :meth:`Store.release <wxpay_dsl.notify.stores.Store.release>`."""
        await self.store.release(claim)

    async def close(self) -> None:
        """See :meth:`Store.close <wxpay_dsl.notify.stores.Store.close>`."""
        if self._chosen is not None:
            await self._chosen.close()


def _file() -> Path:
    """The file of this application, created if needed. Raises OSError if it cannot be written, RuntimeError."""
    working = Path.cwd()
    # Two applications of one user may receive the same notification, one from the other: each handles it.
    application = hashlib.sha256(f"{sys.prefix}\n{working}".encode("utf-8", "surrogateescape")).hexdigest()[:12]
    folder = state_folder() / "wxpay_dsl" / "notifications"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{working.name or 'root'}-{application}.db"
    with file.open("ab"):  # SQLite would report an error later, with less detail
        pass
    return file
