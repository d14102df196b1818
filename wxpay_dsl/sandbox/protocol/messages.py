"""What goes over the sandbox's wire, as values: a call, the answer to it, and a refusal to be raised."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

__all__ = ["Call", "RawResponse", "Refusal", "Response"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


@frozen
class Call:
    """One request as it came. ``headers`` finds a name in any case."""

    #: Upper-case.
    method: str
    #: Raw path and query, exactly as sent: what the merchant signed.
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    #: Whether it came over TLS, and the serial of the client certificate that it showed there.
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
    """One answer, before it is serialised and signed."""

    status: int = 200
    #: To be JSON; None for an empty body. Bytes are sent as they are.
    data: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default=_NOTHING, repr=False)
    content_type: str = "application/json; charset=utf-8"
    #: False where the service signs nothing: downloads, and refusals of whom it does not know.
    signed: bool = True
    #: The header whose SHA-1 of the body is signed in the body's place, as for overseas statements.
    digest_header: str = ""


class Refusal(Exception):  # noqa: N818 - no fault of the program's: it is one of its answers
    """An answer in the service's own error format, raised wherever a call turns out to be wrong."""

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
        """``keeps``: what was done before it is raised stays done; the call itself was no mistake."""
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers
        self.signed = signed
        self.keeps = keeps

    def response(self) -> Response:
        """``{"code", "message", "detail"}``, the last where there is one."""
        data: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            data["detail"] = dict(self.detail)
        return Response(self.status, data, self.headers, signed=self.signed)


@frozen
class RawResponse:
    """An answer as it is sent."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    #: Seconds before it is sent.
    delay: float = 0.0
    #: Only so many bytes of the body are sent, and then the connection ends.
    cut: int | None = None
    #: Nothing is sent: the connection is reset.
    reset: bool = False
