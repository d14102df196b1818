"""Who may use the control: programs and browsers on this machine, and no page of somebody else's in that browser."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from wxpay_dsl.sandbox.protocol.messages import Call, Refusal

__all__ = ["PREFIX", "admit", "is_loopback"]

#: Where the control is served.
PREFIX: Final = "/sandbox"


def admit(call: Call, peer: str | None) -> None:
    """Raises Refusal 403 unless the control may be used: from loopback, under a name of loopback, by no other origin.

    The name is looked at since a page can be made to reach any address under a name of its own (DNS rebinding).
    """
    host = call.headers.get("Host", "")
    origin = call.headers.get("Origin")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        foreign = origin is not None and urlsplit(origin).netloc != host
    except ValueError:  # half an IPv6 address
        name, foreign = "", True
    if peer is None or not is_loopback(peer) or not is_loopback(name) or foreign:
        raise Refusal(403, "NO_AUTH", "/sandbox/ is for this machine alone", signed=False)


def is_loopback(host: str) -> bool:
    """Whether an address, or the name ``localhost``, is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
