"""The explorer: a page at the sandbox's ``/`` on which any operation is looked up, filled in, and sent signed."""

from __future__ import annotations

from .routes import Explorer

__all__ = ["Explorer"]
