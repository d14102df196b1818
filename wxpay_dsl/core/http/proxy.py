"""The settings of a forward proxy for aiohttp, with its password kept out of URLs that errors repeat."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen
from yarl import URL

from wxpay_dsl.core.redaction import MASK
from wxpay_dsl.core.secrets import Secret

__all__ = ["Proxy"]


class _Header(str):
    """A header value whose repr is masked, so that tracebacks with local variables do not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"


@frozen
class Proxy:
    """A forward proxy, or none."""

    #: The URL without user and password; None for no proxy.
    url: str | None = None
    #: The headers of a CONNECT request, with user and password.
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    _url_with_password: Secret | None = field(default=None, repr=False)

    @classmethod
    def of(cls, proxy: str | None) -> Self:
        """The proxy at a URL, which may contain user and password; None for no proxy."""
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
            # aiohttp raises InvalidURL on the first call.
            return cls(proxy, None, whole)

    def url_for(self, target: URL) -> str | None:
        """The proxy's URL for a request to ``target``, None for no proxy.

        For a target without TLS it contains the password, since the request itself is sent to the proxy and aiohttp
        takes the password from the URL.
        """
        return (
            self.url
            if self._url_with_password is None or target.scheme == "https"
            else self._url_with_password.reveal()
        )
