"""The values that one call passes from step to step: the request, the raw response, and the exchange of the two.

They stand below everything that builds, sends, signs or reads them, so that none of those needs another.
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
    """A body that is never whole in memory, and can be read once for each attempt."""

    @property
    def content_type(self) -> str:
        """The media type with its parameters."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    @property
    def signed(self) -> bytes:
        """The bytes that a signature covers in the body's place."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body from its beginning. Raises OSError where a file cannot be read, or has changed."""

    def outline(self) -> bytes:
        """The body with a line in the place of each file."""


@frozen
class Options:
    """What a single call may set beside its fields."""

    headers: Mapping[str, str] = field(factory=dict)
    #: Added to the query as it is, unvalidated.
    query: Mapping[str, Any] = field(factory=dict)
    #: Seconds for the whole call, retries included; None for the client's own.
    timeout: float | None = None
    #: None for the client's own.
    validate: Validate | None = None
    #: Of an undeclared path: send its fields as they are, though a declared one beside it encrypts some.
    undeclared: bool = False


@define(on_setattr=setters.frozen)  # frozen too, and made in a third of the time
class Request:
    """One request, whole: what is signed and what is sent."""

    #: ``POST /v3/…``: the operation for errors and logs, templates unfilled.
    name: str
    method: str
    #: Already percent-encoded.
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    operation: Operation | None
    dialect: str
    #: The fields as they were encoded, by section.
    sections: Sections = field(repr=False)
    options: Options = field(repr=False)
    #: It only is_read_only: whatever became of it, nothing was done by it.
    safe: bool = False
    #: The body where it is an upload; then ``body`` is empty.
    form: StreamedBody | None = field(default=None, repr=False)
    #: Sending it twice does what sending it once does.
    idempotent: bool = False
    #: Seconds of the call's time that were preparation_time before it was ready: keys were fetched for it, say.
    preparation_time: float = field(default=0.0, repr=False)

    @property
    def repeatable(self) -> bool:
        """Whether sending it again cannot do anything twice."""
        return self.safe or self.idempotent

    @property
    def signed_body(self) -> bytes:
        """What a signature covers of the body: all of it, or the field of an upload that describes its file."""
        return self.body if self.form is None else self.form.signed


@define(on_setattr=setters.frozen)  # frozen too, and made in a third of the time
class RawResponse:
    """An answer, whole, as it came."""

    name: str
    status: int
    #: Case-insensitive.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    #: Whether the request only asked, so that nothing can have been done by it.
    safe: bool


@define
class Exchange:
    """What went over the wire in one attempt, byte for byte: for the log and the support ticket.

    ``request_headers`` and ``request_body`` are as sent; secrets are not in them, a signature is. Of an upload a line
    stands in the place of each file.
    """

    request: Request = field(repr=False)
    method: str = ""
    url: str = ""
    request_headers: Mapping[str, str] = field(factory=dict, repr=False)
    request_body: bytes = field(default=b"", repr=False)
    attempts: int = 0
    #: Whether there was a connection for it, so that it may have reached the service.
    sent: bool = False
    #: Whether an earlier attempt may have been carried out: no later one's failure says then that nothing was done.
    maybe_executed: bool = False
    #: What was signed, where the request is signed; empty elsewhere.
    signed_message: bytes = field(default=b"", repr=False)
    #: None until an answer came whole.
    response: RawResponse | None = field(default=None, repr=False)
    #: When the call must have ended, by its event loop's clock, retries included.
    deadline: float = field(default=math.inf, repr=False)

    @property
    def received(self) -> RawResponse:
        """The answer of an exchange that has one. Raises LookupError before that."""
        if self.response is None:
            raise LookupError(f"{self.request.name}: no answer yet")
        return self.response

    def dump(self) -> str:
        """The whole exchange as text for a support ticket: the request, the message that was signed, the response.

        Bodies are whole, and hold whatever their fields hold; of ``Authorization`` only the scheme is kept. Bytes that
        are not UTF-8 are written as ``\\\\x89``.
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
        yield f"no answer, {'sent' if exchange.sent else 'not sent'}, attempt {exchange.attempts}"
        return
    yield f"answer {response.status}, attempt {exchange.attempts}"
    yield from _headers(response.headers)
    yield from _bytes("answer body", response.body)


def _headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in redact_headers(headers).items():
        yield f"{name}: {value}"


def _bytes(what: str, data: bytes) -> Iterator[str]:
    if data:
        yield f"--- {what}, {len(data)} bytes ---"
        yield data.decode("utf-8", "backslashreplace")
        yield "---"
