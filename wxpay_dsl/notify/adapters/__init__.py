"""Adapters for web servers: each reads a request, calls the receiver, and sends its acknowledgement.

Read :mod:`.asgi` first; :mod:`.aiohttp` and :mod:`.wsgi` do the same for their servers. Adapters know a
:class:`~wxpay_dsl.notify.receiver.Receiver`, not its implementation; they import from ``notify.receiver``,
``notify.acknowledgements`` and ``notify.notification`` alone.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["merchant_in"]

_MERCHANT: Final = re.compile(r"/([0-9]{6,16})/?\Z")


def merchant_in(path: str) -> str:
    """The merchant id (商户号) at the end of a URL's path, or ``""``."""
    match = _MERCHANT.search(path)
    return match[1] if match else ""
