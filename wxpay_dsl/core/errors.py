"""Every error the framework raises, in one tree under :class:`SdkError`.

Each is a frozen attrs exception: its fields say what happened, ``str()`` says it in one helpful line, and it survives
pickling, so that a worker process can hand it to its parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

__all__ = [
    "ClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "Fault",
    "FileCorruptedError",
    "ReplyDecodeError",
    "ReplyTooLargeError",
    "ReplyTruncatedError",
    "RequestTimeoutError",
    "SdkError",
    "ServiceError",
    "SpecError",
    "TransportError",
    "UndeclaredPathError",
    "ValidationError",
    "on_one_line",
]

#: How much of a reply's body an error shows in its line; the whole body stays in the error's ``body``.
_EXCERPT = 200
#: How many faults of a request an error shows in its line; all of them stay in its ``faults``.
_FAULTS = 20


class SdkError(Exception):
    """The root: ``except SdkError`` catches whatever this package raises on purpose."""


@frozen(str=False)
class ConfigurationError(SdkError):
    """Settings, keys or files that cannot work together; raised before anything is sent."""

    message: str

    def __str__(self) -> str:
        return self.message


@frozen(str=False)
class SpecError(SdkError):
    """A YAML spec that cannot be read; ``line`` and ``column`` count from 1, 0 where they are not known."""

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
class Fault:
    """One thing wrong with a request: where in the data (``body.amount.total``), and what."""

    path: str
    message: str

    def __str__(self) -> str:
        # Names of fields are whatever a caller gave.
        return on_one_line(f"{self.path}: {self.message}" if self.path else self.message)


@frozen(str=False)
class ValidationError(SdkError):
    """A request that must not be sent; ``faults`` holds all that is wrong with it, not only the first."""

    operation: str
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        shown = [str(fault) for fault in self.faults[:_FAULTS]]
        if len(self.faults) > _FAULTS:
            shown.append(f"and {len(self.faults) - _FAULTS} more")
        return f"{self.operation}: " + "; ".join(shown)


@frozen(str=False)
class UndeclaredPathError(SdkError):
    """A path that no spec declares: on a client that was told to be strict, or beside a declared one that encrypts."""

    operation: str
    nearest: str = ""
    #: Of the declared one, where it encrypts fields that would leave in the clear: ``v3.applyments.post``.
    chain: str = ""

    def __str__(self) -> str:
        if self.chain:
            return on_one_line(
                f"{self.operation}: no spec declares this path; {self.nearest} beside it encrypts fields, which would "
                f"leave in the clear here: call {self.chain}, or say undeclared=True to send the fields as they are"
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
    """The exchange broke. ``outcome_unknown`` is True when the request may have reached the service.

    For a payment that means: it may have been made. Query it, or repeat it with the *same* order number.
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
    """No connection could be made, or it broke before the answer began."""

    #: False where no connection was made, so that the service cannot have seen anything.
    sent: bool = True


@frozen(str=False)
class RequestTimeoutError(TransportError):
    """No whole answer within the time allowed."""


@frozen(str=False)
class ReplyTruncatedError(TransportError):
    """The answer ended before its announced length; ``body`` is what came."""

    status: int = 0
    body: bytes = b""


@frozen(str=False)
class ReplyTooLargeError(TransportError):
    """The answer is larger than the client accepts; it was not read to its end."""

    status: int = 0
    limit: int = 0


@frozen(str=False)
class ReplyDecodeError(TransportError):
    """A successful answer that is not what its media type says (a proxy's page, broken JSON); ``body`` is all of it."""

    status: int = 0
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = b""

    def __str__(self) -> str:
        return f"{TransportError.__str__(self)}: {_excerpt(self.body)}"


@frozen(str=False)
class FileCorruptedError(TransportError):
    """A download that is not the file it should be: another hash, damaged, or larger than allowed.

    Whatever was read of it before must not be used. ``save()`` leaves nothing of it.
    """


@frozen(str=False)
class ServiceError(SdkError):
    """The service answered, and the answer is no.

    ``code`` and ``message`` are the service's own (empty where the body was not its own format: a proxy's HTML, an
    empty 502), ``detail`` what it adds, ``body`` every byte that came.
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
    #: True after a 5xx to a request that may have done something: query it, or repeat it with the same numbers.
    outcome_unknown: bool = False

    def __str__(self) -> str:
        # A refusal is not signed: whoever is on the way may have written it, and it is to forge no line of a log.
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
    """The text with what cannot be printed written out, so that an error stays on its line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _cut(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]} …"


def _excerpt(body: bytes) -> str:
    if not body:
        return "(empty)"
    text = body[:_EXCERPT].decode("utf-8", "replace")
    return repr(text) + (f" … ({len(body)} bytes)" if len(body) > _EXCERPT else "")
