"""Every error that the framework raises; all are subclasses of :class:`SdkError`.

Each is a frozen attrs exception: its fields hold the facts, ``str()`` is one line that says what happened and what to
do, and it can be pickled, so that a worker process can return it to its parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

__all__ = [
    "ClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "FieldError",
    "FileCorruptedError",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "ResponseTooLargeError",
    "ResponseTruncatedError",
    "SdkError",
    "ServiceError",
    "SpecError",
    "TransportError",
    "UndeclaredPathError",
    "ValidationError",
    "on_one_line",
]

#: Characters of a response's body, code or message in ``str(error)``; the error's ``body`` holds every byte.
_EXCERPT = 200
#: Field errors in ``str(error)``; the error's ``errors`` holds all of them.
_SHOWN = 20


class SdkError(Exception):
    """Base class of all errors that this package raises on purpose."""


@frozen(str=False)
class ConfigurationError(SdkError):
    """Settings, keys or files that are missing, unusable or contradictory; raised before anything is sent."""

    message: str

    def __str__(self) -> str:
        return self.message


@frozen(str=False)
class SpecError(SdkError):
    """A spec file that cannot be read. ``line`` and ``column`` count from 1; 0 means unknown."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = self.file
        if self.line:
            where += f":{self.line}:{self.column}"
        return on_one_line(f"{where}: {self.message}" if where else self.message)


@frozen
class FieldError:
    """One invalid field of a request: its path in the data (``body.amount.total``), and what is wrong with it."""

    path: str
    message: str

    def __str__(self) -> str:
        # The names of fields come from the caller and may hold anything.
        return on_one_line(f"{self.path}: {self.message}" if self.path else self.message)


@frozen(str=False)
class ValidationError(SdkError):
    """A request that was not sent, because it is invalid; ``errors`` holds every field error, not only the first."""

    operation: str
    errors: tuple[FieldError, ...]

    def __str__(self) -> str:
        shown = [str(error) for error in self.errors[:_SHOWN]]
        if len(self.errors) > _SHOWN:
            shown.append(f"and {len(self.errors) - _SHOWN} more")
        return f"{self.operation}: " + "; ".join(shown)


@frozen(str=False)
class UndeclaredPathError(SdkError):
    """A path that no spec declares, on a strict client, or so similar to a declared path with encrypted fields that it
    may be a typing error which would send them unencrypted.
    """

    operation: str
    nearest: str = ""
    #: The chain of the similar operation with encrypted fields (``v3.books.post``); empty on a strict client.
    chain: str = ""

    def __str__(self) -> str:
        if self.chain:
            return on_one_line(
                f"{self.operation}: no spec declares this path; the similar {self.nearest} encrypts fields, which "
                f"would be sent unencrypted here: call {self.chain}, or pass undeclared=True to send them as they are"
            )
        hint = f"; the nearest declared path is {self.nearest}" if self.nearest else ""
        return on_one_line(f"{self.operation}: no spec declares this path{hint}")


@frozen(str=False)
class ClosedError(SdkError):
    """A call on a client that has been closed."""

    message: str = "the client is closed: make calls inside its `async with`, or before `close()`"

    def __str__(self) -> str:
        return self.message


@frozen(str=False)
class TransportError(SdkError):
    """A request without a usable response. ``outcome_unknown`` is True if the service may have carried it out.

    Then query what became of it, or send it again with the *same* identifiers, so that it cannot take effect twice.
    """

    operation: str
    message: str
    outcome_unknown: bool = False

    def __str__(self) -> str:
        unknown = (
            "; the outcome is unknown: query it, or send it again with the same numbers" if self.outcome_unknown else ""
        )
        return on_one_line(f"{self.operation}: {self.message}{unknown}")


@frozen(str=False)
class ConnectionFailedError(TransportError):
    """No connection could be made, or it was lost before the response began."""

    #: False if no connection was made, so that the service cannot have received anything.
    sent: bool = True


@frozen(str=False)
class RequestTimeoutError(TransportError):
    """The response did not arrive completely within the timeout."""


@frozen(str=False)
class ResponseTruncatedError(TransportError):
    """The response ended before its announced length; ``body`` is what was received."""

    status: int = 0
    body: bytes = b""


@frozen(str=False)
class ResponseTooLargeError(TransportError):
    """The response is larger than ``limit`` bytes; the rest was not read."""

    status: int = 0
    limit: int = 0


@frozen(str=False)
class ResponseDecodeError(TransportError):
    """A successful response whose body cannot be decoded (a proxy's page, broken JSON); ``body`` is all of it."""

    status: int = 0
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = b""

    def __str__(self) -> str:
        return f"{TransportError.__str__(self)}: {_excerpt(self.body)}"


@frozen(str=False)
class FileCorruptedError(TransportError):
    """A downloaded file with a wrong hash, a damaged one, or one larger than allowed.

    What was read of it before must not be used. ``save()`` leaves no file behind.
    """


@frozen(str=False)
class ServiceError(SdkError):
    """An error response of the service.

    ``status`` is the HTTP status; ``code``, ``message`` and ``detail`` are what the body says, empty if it is not in
    the service's format (a proxy's HTML, an empty 502); ``body`` holds every byte. ``hint`` says what to do.
    """

    operation: str
    status: int
    code: str = ""
    message: str = ""
    detail: Any = None
    request_id: str = ""
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    hint: str = ""
    #: True after a 5xx to a request that may have taken effect: query it, or repeat it with the same identifiers.
    outcome_unknown: bool = False

    def __str__(self) -> str:
        # Error responses are not signed, so anyone on the network may have written the text: it must not be able to
        # add lines to a log.
        line = f"{self.operation}: {self.status}"
        if self.code:
            line += f" {_cut(self.code)}"
        if self.message:
            line += f" {_cut(' '.join(self.message.split()))}"
        if not self.code and not self.message:
            line += f" with a body that is not the service's own: {_excerpt(self.body)}"
        if self.detail:
            line += f" (detail: {_cut(str(self.detail))})"
        if self.request_id:
            line += f" [Request-ID {_cut(self.request_id)}]"
        if self.outcome_unknown:
            line += "; the outcome is unknown: query it, or send it again with the same numbers"
        return on_one_line(f"{line}; {self.hint}" if self.hint else line)


def on_one_line(text: str) -> str:
    """The text with every unprintable character escaped, so that it takes one line of a log."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _cut(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]} …"


def _excerpt(body: bytes) -> str:
    if not body:
        return "(empty)"
    text = body[:_EXCERPT].decode("utf-8", "replace")
    return repr(text) + (f" … ({len(body)} bytes)" if len(body) > _EXCERPT else "")
