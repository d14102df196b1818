"""Settings of the connections: how many, how often a call is sent again, and the host that stands in for the first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.origins import LOOPBACK
from wxpay_dsl.shown import shown

__all__ = ["BACKUP_URL", "ConnectionSettings", "number", "number_of"]

_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
#: The service's second host (备用域名), elsewhere than the first.
BACKUP_URL: Final = "https://api2.wechatpay.cn"


@frozen
class ConnectionSettings:
    """How a client reaches the service; shared by all merchants of a process."""

    #: Connections at once, of each event loop.
    max_connections: int = 100
    #: Times that a call is sent again where that is harmless; 0 switches it off.
    retries: int = 2
    #: The origin that stands in for ``base_url`` while it cannot be reached; empty for none.
    backup_url: str = ""

    @classmethod
    def of(cls, merged: Mapping[str, Any], base_url: str | None) -> ConnectionSettings:
        """From the settings as given. The real service has a second host of its own. Raises ConfigurationError."""
        return cls(
            max_connections=int(number(merged, "max_connections", 100, 1, 10_000, whole=True)),
            retries=int(number(merged, "retries", 2, 0, 10, whole=True)),
            backup_url=_backup_url(merged, base_url),
        )


def number(
    merged: Mapping[str, Any], name: str, default: float, least: float, most: float, *, whole: bool = False
) -> float:
    """A setting that is a number from ``least`` to ``most``, given as one or as text. Raises ConfigurationError."""
    value = merged.get(name, default)
    found = number_of(value)
    if not least <= found <= most or (whole and not found.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"`{name}` is {kind} from {least:g} to {most:g}, not {shown(value)}")
    return found


def number_of(value: object) -> float:
    """A number, or what a text says in decimal digits (``2``, ``12.5``); NaN for anything else."""
    if isinstance(value, str):
        # float() takes 1_0, 1e3, infinity and other scripts' digits too, which nobody means.
        return float(value) if _DECIMAL.fullmatch(value.strip()) else float("nan")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("nan")


def _backup_url(merged: Mapping[str, Any], base_url: str | None) -> str:
    value = merged.get("backup_url")
    if value is None:
        return BACKUP_URL if base_url is None else ""
    if value in ("", False, "none"):
        return ""
    try:
        parts = urlsplit(str(value))
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # half an address, a port that is none
        whole, parts = False, urlsplit("")
    if not whole or parts.path.strip("/") or parts.query:
        raise ConfigurationError(f"`backup_url` is an origin such as {BACKUP_URL}, or 'none', not {shown(value)}")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigurationError(f"`backup_url` {shown(value)}: only a loopback address is called without TLS")
    return str(value).rstrip("/")
