"""Which origins a client's credentials may be sent to. A signature does not cover the host: whoever receives a signed
request can send it on to the service, which then carries it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attrs import frozen
from yarl import URL

from .errors import ConfigurationError

__all__ = ["LOOPBACK", "Origins", "is_origin"]

#: Hosts that are reached without TLS.
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_ORIGIN: Final = re.compile(r"https?://[^/?#\s@\\]+\Z")
#: A host's name as DNS has it. Readers of URLs disagree on where other characters lead.
_NAME: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")


def is_origin(text: str) -> bool:
    """Whether ``text`` is an origin that may be called: ``https://`` and a host without a path, or ``http://`` and
    loopback.
    """
    if not _ORIGIN.match(text):
        return False
    try:
        url = URL(text)
        return bool(url.host) and url.port != 0 and (url.scheme == "https" or url.host in LOOPBACK)
    except ValueError:
        return False


def _shown(url: str | URL) -> str:
    try:
        return str(URL(url).origin())
    except ValueError:
        return "what is no URL"


#: Scheme, host and port: of an URL 1 µs, where its origin is another URL, and takes 5.
_Origin = tuple[str, str | None, int | None]


def _origin(url: URL) -> _Origin:
    return url.scheme, url.raw_host, url.port


def _origins(texts: Iterable[str]) -> frozenset[_Origin]:
    return frozenset(_origin(URL(text).origin()) for text in texts)


@frozen
class Origins:
    """The origins that requests may be sent to: those that are named, and every https host below some domains."""

    named: frozenset[_Origin]
    #: Each begins with a dot: ``.pay.example``.
    domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, named: Iterable[str], domains: Iterable[str] = ()) -> Origins:
        """``named`` are absolute URLs, of which the origin counts. Raises ValueError for one that is none."""
        return cls(_origins(named), tuple(domains))

    def permit(self, url: URL) -> bool:
        """Whether a request may be sent to an absolute URL."""
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
        """Raises ConfigurationError unless the request ``name`` may be sent to ``url``; ``source`` is its spec."""
        try:
            parsed = URL(url, encoded=True) if isinstance(url, str) else url
            permitted = parsed.raw_user is None and self.permit(parsed)
        except ValueError:
            permitted = False
        if not permitted:
            origin = _shown(url)
            where = f" by {source}" if source else ""
            raise ConfigurationError(
                f"{name} would go{where} to {origin[:200]}, which is not one of this client's hosts: nothing was "
                f"signed, and nothing sent. A signature is good on any host, so that whoever gets it can use it. If "
                f"the host may have it, name it in the setting `hosts`: hosts=[{origin[:200]!r}]"
            )
