"""Access to the control and the explorer: from this machine only, and from no web page of another origin."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from wxpay_dsl.sandbox.protocol.messages import Call, Refusal

__all__ = ["PREFIX", "check_access", "is_loopback"]

#: The path prefix of the control.
PREFIX: Final = "/sandbox"


def check_access(call: Call, peer: str | None) -> None:
    """Raise Refusal 403 NO_AUTH unless the client's address and the ``Host`` are loopback and ``Origin`` is the same.

    ``peer``: the client's IP address. ``Host`` is checked because a web page of another site can reach any address
    under its own host name (DNS rebinding).
    """
    host = call.headers.get("Host", "")
    origin = call.headers.get("Origin")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        foreign = origin is not None and urlsplit(origin).netloc != host
    except ValueError:  # an invalid IPv6 address
        name, foreign = "", True
    if peer is None or not is_loopback(peer) or not is_loopback(name) or foreign:
        raise Refusal(403, "NO_AUTH", "/sandbox/ can be used from this machine only", signed=False)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is ``localhost`` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
