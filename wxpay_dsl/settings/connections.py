"""Settings of the connections: their number, retries, and the backup host. Also parses settings that are numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.origins import LOOPBACK

from .redaction import shown

__all__ = ["BACKUP_URL", "ConnectionSettings", "number", "number_of"]

_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
#: The backup host of WeChat Pay (备用域名).
BACKUP_URL: Final = "https://api2.wechatpay.cn"


@frozen
class ConnectionSettings:
    """How a client connects to the service; shared by all merchants of a process."""

    #: Maximum number of simultaneous connections of each event loop.
    max_connections: int = 100
    #: Number of retries of a call that is safe to repeat; 0 for none.
    retries: int = 2
    #: Origin used while ``base_url`` cannot be reached; empty for none.
    backup_url: str = ""

    @classmethod
    def of(cls, merged: Mapping[str, Any], base_url: str | None) -> ConnectionSettings:
        """From merged settings. By default WeChat Pay has its own backup host. Raises ConfigurationError."""
        return cls(
            max_connections=int(number(merged, "max_connections", 100, 1, 10_000, whole=True)),
            retries=int(number(merged, "retries", 2, 0, 10, whole=True)),
            backup_url=_backup_url(merged, base_url),
        )


def number(
    merged: Mapping[str, Any], name: str, default: float, least: float, most: float, *, whole: bool = False
) -> float:
    """A setting that is a number, or text of one, from ``least`` to ``most``. Raises ConfigurationError."""
    value = merged.get(name, default)
    parsed = number_of(value)
    if not least <= parsed <= most or (whole and not parsed.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"`{name}` is {kind} from {least:g} to {most:g}, not {shown(value)}")
    return parsed


def number_of(value: object) -> float:
    """The value of a number, or of text in decimal digits (``2``, ``12.5``); NaN for anything else."""
    if isinstance(value, str):
        # float() also accepts 1_0, 1e3, infinity and digits of other scripts.
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
    except ValueError:  # an incomplete IPv6 address, or an invalid port
        whole, parts = False, urlsplit("")
    if not whole or parts.path.strip("/") or parts.query:
        raise ConfigurationError(f"`backup_url` is an origin such as {BACKUP_URL}, or 'none', not {shown(value)}")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigurationError(f"`backup_url` {shown(value)}: only a loopback address is called without TLS")
    return str(value).rstrip("/")
