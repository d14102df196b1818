"""The origins that a client's signed requests may be sent to.

A signature does not cover the host: another host that receives a signed request could forward it to the service, which
would carry it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import frozen

from .errors import ConfigurationError

if TYPE_CHECKING:
    from yarl import URL

__all__ = ["LOOPBACK", "Origins", "is_origin"]

#: Hosts that may be called without TLS.
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_ORIGIN: Final = re.compile(r"https?://[^/?#\s@\\]+\Z")
#: A DNS name. URL parsers disagree on what other characters in a host mean.
_NAME: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")


def is_origin(text: str) -> bool:
    """Whether ``text`` is an origin that may be called: ``https://`` and a host without a path, or ``http://`` and a
    loopback host.
    """
    if not _ORIGIN.match(text):
        return False
    try:
        # The library that sends requests is not imported for it: specs are also read where only an index is made.
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and (parts.scheme == "https" or parts.hostname in LOOPBACK)
    except ValueError:
        return False


def _display(url: str | URL) -> str:
    from yarl import URL

    try:
        return str(URL(url).origin())
    except ValueError:
        return "an invalid URL"


#: Scheme, host and port: cheaper to compare than ``URL.origin()``, which makes another URL (1 µs against 5).
_Origin = tuple[str, str | None, int | None]


def _origin(url: URL) -> _Origin:
    return url.scheme, url.raw_host, url.port


def _origins(texts: Iterable[str]) -> frozenset[_Origin]:
    from yarl import URL

    return frozenset(_origin(URL(text).origin()) for text in texts)


@frozen
class Origins:
    """The origins that requests may be sent to: named ones, and every https host (port 443) below some domains."""

    named: frozenset[_Origin]
    #: Each begins with a dot (``.pay.example``).
    domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, named: Iterable[str], domains: Iterable[str] = ()) -> Origins:
        """Takes absolute URLs, of which only the origins matter, and domains. Raises ValueError for an invalid URL."""
        return cls(_origins(named), tuple(domains))

    def permit(self, url: URL) -> bool:
        """Whether a request may be sent to the absolute ``url``."""
        if _origin(url) in self.named:
            return url.scheme == "https" or url.host in LOOPBACK
        name = url.raw_host or ""
        return (
            url.scheme == "https"
            and url.port == 443
            and _NAME.match(name) is not None
            and f".{name}".endswith(self.domains)
        )

    def check(self, url: str | URL, name: str, source: str = "") -> None:
        """Raises ConfigurationError unless a request may be sent to ``url``.

        ``name`` (``POST /a``) and ``source`` (the spec file) are for the message.
        """
        from yarl import URL

        try:
            parsed = URL(url, encoded=True) if isinstance(url, str) else url
            permitted = parsed.raw_user is None and self.permit(parsed)
        except ValueError:
            permitted = False
        if not permitted:
            origin = _display(url)
            where = f" by {source}" if source else ""
            raise ConfigurationError(
                f"{name} would be sent{where} to {origin[:200]}, which is not one of this client's hosts: nothing was "
                f"signed or sent. A signature does not cover the host, so a host that receives it could use it. "
                f"To allow this one, add it to the setting `hosts`: hosts=[{origin[:200]!r}]"
            )
