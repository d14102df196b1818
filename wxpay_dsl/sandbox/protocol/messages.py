"""The values of the sandbox's HTTP: a call, its response before and after signing, and an error to be raised."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

__all__ = ["Call", "RawResponse", "Refusal", "Response"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


@frozen
class Call:
    """One HTTP request as received. ``headers`` is case-insensitive."""

    #: Upper-case.
    method: str
    #: Raw path and query exactly as sent, which the merchant signed.
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    #: Whether it came over TLS, and the serial of the client certificate, if one was presented.
    secure: bool = False
    client_serial: str | None = None

    @property
    def path(self) -> str:
        """The raw path, percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query, without its question mark."""
        return self.target.partition("?")[2]


@frozen
class Response:
    """One response before it is serialised and signed."""

    status: int = 200
    #: Serialised as JSON; None for an empty body; bytes are sent unchanged.
    data: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default=_NOTHING, repr=False)
    content_type: str = "application/json; charset=utf-8"
    #: False where the service does not sign: downloads, and errors of unauthenticated calls.
    signed: bool = True
    #: The header with the SHA-1 of the body that is signed instead of the body, as for overseas statements.
    digest_header: str = ""


class Refusal(Exception):  # noqa: N818 - a response, not an error of the program
    """An error response in the service's format, raised wherever a call is refused."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] = _NOTHING,
        signed: bool = True,
        keeps: bool = False,
    ) -> None:
        """``signed``: whether the response is signed. ``keeps``: changes made before it is raised are committed."""
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers
        self.signed = signed
        self.keeps = keeps

    def response(self) -> Response:
        """``{"code", "message", "detail"}``, without ``detail`` if there is none."""
        data: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            data["detail"] = dict(self.detail)
        return Response(self.status, data, self.headers, signed=self.signed)


@frozen
class RawResponse:
    """One response as it is sent: bytes, and how its delivery fails."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    #: Seconds to wait before it is sent.
    delay: float = 0.0
    #: The number of bytes of the body that are sent before the connection is closed; None for all.
    cut: int | None = None
    #: Whether the connection is reset and nothing is sent.
    reset: bool = False
