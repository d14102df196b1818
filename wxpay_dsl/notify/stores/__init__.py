"""Stores of which notifications were handled: in memory, in SQLite, in Redis.

Read :mod:`.store` first: it is what every store promises. Stores know nothing of notifications, only of keys; they
import from ``core`` alone.
"""

from __future__ import annotations

from .factory import open_store
from .store import KEEP, Claim, ClaimLostError, Finished, Store, StoreUnavailableError

__all__ = ["KEEP", "Claim", "ClaimLostError", "Finished", "Store", "StoreUnavailableError", "open_store"]
