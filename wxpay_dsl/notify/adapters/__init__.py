"""Notifications inside web servers, each adapter a few lines around :meth:`Notifications.handle`."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["merchant_in"]

_MERCHANT: Final = re.compile(r"/([0-9]{6,16})/?\Z")


def merchant_in(path: str) -> str:
    """The merchant id (商户号) that a URL's path ends with, or nothing."""
    found = _MERCHANT.search(path)
    return found[1] if found else ""
