"""A forward proxy as aiohttp is told of it: its password is in no URL that an error repeats."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen
from yarl import URL

from .redaction import MASK
from .secrets import Secret

__all__ = ["Proxy"]


class _Header(str):
    """A header's value that is shown in no variable of a frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"


@frozen
class Proxy:
    """A proxy, or none."""

    #: The URL without user and password; None for no proxy.
    url: str | None = None
    #: Says user and password to a proxy that is asked for a tunnel.
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    _whole: Secret | None = field(default=None, repr=False)

    @classmethod
    def of(cls, proxy: str | None) -> Self:
        """The proxy at a URL, which may hold user and password."""
        if proxy is None:
            return cls()
        whole = Secret(proxy)
        try:
            url = URL(proxy)
            if url.user is None and url.password is None:
                return cls(proxy, None, whole)
            credentials = base64.b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
            return cls(str(url.with_user(None)), {"Proxy-Authorization": _Header(f"Basic {credentials}")}, whole)
        except ValueError:
            # A call says what is wrong with it.
            return cls(proxy, None, whole)

    def url_for(self, target: URL) -> str | None:
        """The URL for a request to ``target``. Without TLS the request itself is sent to the proxy, and the password
        with it, which aiohttp takes from the URL.
        """
        return self.url if self._whole is None or target.scheme == "https" else self._whole.reveal()
