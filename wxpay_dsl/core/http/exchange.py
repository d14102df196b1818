"""What goes over the wire in one attempt, and the answer to it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from attrs import define, field, setters

from wxpay_dsl.core.request.build import Request

__all__ = ["Exchange", "RawResponse"]


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
    doubtful: bool = False
    #: What was signed, where the request is signed; empty elsewhere.
    signed_message: bytes = field(default=b"", repr=False)
    #: None until an answer came whole.
    response: RawResponse | None = field(default=None, repr=False)
    #: When the call must have ended, by its event loop's clock, retries included.
    deadline: float = field(default=math.inf, repr=False)

    @property
    def answer(self) -> RawResponse:
        """The answer of an exchange that has one. Raises LookupError before that."""
        if self.response is None:
            raise LookupError(f"{self.request.name}: no answer yet")
        return self.response

    def dump(self) -> str:
        """All of it as a text for a support ticket; ``Authorization`` is cut to its scheme, bodies are whole."""
        from wxpay_dsl.core.observe.dump import dump

        return dump(self)
