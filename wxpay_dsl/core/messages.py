"""The values that one call passes from step to step: the request, the raw response, and the exchange of the two.

This module imports nothing that builds, sends, signs or decodes them, so that each of those steps can be used alone.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, Literal, Protocol

from attrs import define, field, frozen, setters

from .redaction import redact_headers
from .specs.model import Operation

__all__ = ["Exchange", "Options", "RawResponse", "Request", "Sections", "StreamedBody", "Validate"]

#: ``{section: {name: value}}`` of one call.
Sections = dict[str, Any]
Validate = Literal[True, False, "strict"]


class StreamedBody(Protocol):
    """A request body that is streamed rather than held in memory, and can be read again for each attempt."""

    @property
    def content_type(self) -> str:
        """The media type with its parameters."""

    @property
    def size(self) -> int:
        """The length of the body in bytes."""

    @property
    def signed(self) -> bytes:
        """The bytes that a signature covers instead of the body."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Iterates over the body from its beginning. Raises OSError if a file cannot be read or has changed."""

    def outline(self) -> bytes:
        """The body with each file replaced by one line that gives its size and digest."""


@frozen
class Options:
    """The options of a single call, as opposed to its fields."""

    headers: Mapping[str, str] = field(factory=dict)
    #: Query parameters that are added without validation.
    query: Mapping[str, Any] = field(factory=dict)
    #: Seconds for the whole call, retries included; None uses the client's setting.
    timeout: float | None = None
    #: None uses the client's setting.
    validate: Validate | None = None
    #: For an undeclared path: send its fields unencrypted although a similar declared path encrypts some of them.
    undeclared: bool = False


@define(on_setattr=setters.frozen)  # frozen too, and made in a third of the time
class Request:
    """One complete request: exactly the bytes that are signed and sent."""

    #: ``POST /v3/…``: the operation as errors and logs name it, with path parameters not filled in.
    name: str
    method: str
    #: Already percent-encoded.
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    operation: Operation | None
    dialect: str
    #: The fields that were encoded, by section.
    sections: Sections = field(repr=False)
    options: Options = field(repr=False)
    #: The request only reads, so it changes nothing on the server whatever its outcome ("safe" in the sense of HTTP).
    safe: bool = False
    #: The body of an upload, in which case ``body`` is empty; None otherwise.
    form: StreamedBody | None = field(default=None, repr=False)
    #: Sending the request twice has the same effect as sending it once.
    idempotent: bool = False
    #: Seconds that preparing the request took out of the call's timeout, for example to fetch an encryption key.
    preparation_time: float = field(default=0.0, repr=False)

    @property
    def repeatable(self) -> bool:
        """Whether the request can be sent again without doing anything twice."""
        return self.safe or self.idempotent

    @property
    def signed_body(self) -> bytes:
        """The bytes that a signature covers: the whole body, or the field of an upload that describes its file."""
        return self.body if self.form is None else self.form.signed


@define(on_setattr=setters.frozen)  # frozen too, and made in a third of the time
class RawResponse:
    """A complete HTTP response as it was received, before it is decoded."""

    name: str
    status: int
    #: Case-insensitive.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    #: Whether the request was read-only (see :attr:`Request.safe`).
    safe: bool


@define
class Exchange:
    """The request and the response of the last attempt of a call, byte for byte, for logs and support tickets.

    ``request_headers`` and ``request_body`` are what was sent. They hold a signature but no secret; in the body of an
    upload each file is replaced by one line.
    """

    request: Request = field(repr=False)
    method: str = ""
    url: str = ""
    request_headers: Mapping[str, str] = field(factory=dict, repr=False)
    request_body: bytes = field(default=b"", repr=False)
    attempts: int = 0
    #: Whether a connection was made, so that the request may have reached the service.
    sent: bool = False
    #: Whether an earlier attempt may have been executed: the failure of a later one then does not prove the opposite.
    maybe_executed: bool = False
    #: The message that was signed; empty for a request without a signature.
    signed_message: bytes = field(default=b"", repr=False)
    #: None until a response was received completely.
    response: RawResponse | None = field(default=None, repr=False)
    #: The time of the event loop's clock at which the call must have ended, retries included.
    deadline: float = field(default=math.inf, repr=False)

    @property
    def received(self) -> RawResponse:
        """The response, which must have been received. Raises LookupError before that."""
        if self.response is None:
            raise LookupError(f"{self.request.name}: no response yet")
        return self.response

    def dump(self) -> str:
        """The whole exchange as text for a support ticket: the request, the message that was signed, the response.

        Bodies are complete, including personal data in their fields; of ``Authorization`` only the scheme is kept.
        Bytes that are not UTF-8 are written as ``\\\\x89``.
        """
        return "\n".join(_lines(self))


def _lines(exchange: Exchange) -> Iterator[str]:
    yield exchange.request.name
    yield f"{exchange.method or exchange.request.method} {exchange.url or exchange.request.url}"
    yield from _headers(exchange.request_headers)
    yield from _bytes("request body", exchange.request_body)
    yield from _bytes("signed message", exchange.signed_message)
    response = exchange.response
    if response is None:
        yield f"no response, {'sent' if exchange.sent else 'not sent'}, attempt {exchange.attempts}"
        return
    yield f"response {response.status}, attempt {exchange.attempts}"
    yield from _headers(response.headers)
    yield from _bytes("response body", response.body)


def _headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in redact_headers(headers).items():
        yield f"{name}: {value}"


def _bytes(what: str, data: bytes) -> Iterator[str]:
    if data:
        yield f"--- {what}, {len(data)} bytes ---"
        yield data.decode("utf-8", "backslashreplace")
        yield "---"
