"""What differs from one dialect of endpoints to another: how bodies are written and read, and what no means."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from .errors import ResponseDecodeError, SdkError, ServiceError

if TYPE_CHECKING:
    from .errors import FieldError
    from .messages import Exchange, RawResponse, Request, Sections
    from .specs.model import Operation

__all__ = ["Dialect", "decode_json", "encode_json", "json_error"]

#: Prepares the fields of a call, of which some are to be encrypted, before they are encoded; it returns a copy.
Encrypt = Callable[["Operation", "Sections"], Awaitable["Sections"]]
#: Finishes the data of a response, of which some fields come encrypted.
Decrypt = Callable[["Operation", Any], Awaitable[Any]]
#: Fills in the fields of an upload that follow from its files (a digest, say); it returns a copy, and adds field_errors.
PrepareFiles = Callable[["Operation | None", dict[str, Any], "list[FieldError]"], Awaitable[dict[str, Any]]]
#: Finishes a request that is built (where a signature travels among the fields, say); it returns a copy.
SignFields = Callable[["Request"], Awaitable["Request"]]


def encode_json(operation: Operation | None, data: Any) -> bytes:
    """Compact UTF-8 JSON. Raises TypeError, ValueError or RecursionError for what JSON cannot say."""
    return _ENCODE(data).encode()


def decode_json(operation: Operation | None, response: RawResponse) -> Any:
    """The JSON of a successful answer; bytes where the operation says, or the answer shows, that it is not JSON."""
    body = response.body
    declared = operation is not None and operation.returns is not None and not operation.produces
    if not body:
        if declared:
            raise _undecodable(response, "an empty body where JSON was expected")
        return None
    if operation is not None and operation.produces:
        return body
    if not declared:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind and kind != "application/json" and not kind.endswith("+json"):
            return body
    try:
        text = str(body, "utf-8")
        return _DECODE(text[1:] if text[:1] == _MARK else text)
    except (ValueError, RecursionError) as error:
        packed = response.headers.get("Content-Encoding", "identity")
        reason = f"{type(error).__name__}: {error}" if packed == "identity" else f"packed with {packed[:40]}, unasked"
        raise _undecodable(response, f"the response is not JSON ({reason})") from None


def json_error(operation: Operation | None, response: RawResponse) -> SdkError:
    """A refusal as ``{"code", "message", "detail"}``, or whole in ``body`` where it is anything else."""
    code = message = ""
    detail: Any = None
    try:
        data = json.loads(response.body)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        code, message, detail = (
            str(data.get("code") or ""),
            str(data.get("message") or ""),
            data.get("detail"),
        )
    return ServiceError(
        response.name,
        response.status,
        code,
        message,
        detail,
        response.headers.get("Request-ID", ""),
        response.headers,
        response.body,
        # A service, or what stands before it, that broke down may have done it before.
        outcome_unknown=response.status >= 500 and not response.safe,
    )


@frozen
class Dialect:
    """How one dialect of endpoints speaks; the middlewares that sign and verify it belong to the client."""

    name: str
    #: The names in the chain that its paths do not have in the URL.
    chain: tuple[str, ...] = ()
    content_type: str = "application/json"
    accept: str = "application/json"
    encode: Callable[[Operation | None, Any], bytes] = encode_json
    decode: Callable[[Operation | None, RawResponse], Any] = decode_json
    parse_error: Callable[[Operation | None, RawResponse], SdkError] = json_error
    #: Adds to a refusal what only the exchange can tell (which bytes were signed, say).
    explain: Callable[[Exchange, SdkError], SdkError] | None = field(default=None, repr=False)
    #: Fields, by name, that the client fills in itself; a caller may leave them out though the spec requires them.
    auto_fields: frozenset[str] = frozenset()
    encrypt: Encrypt | None = field(default=None, repr=False)
    decrypt: Decrypt | None = field(default=None, repr=False)
    sign_fields: SignFields | None = field(default=None, repr=False)
    prepare_files: PrepareFiles | None = field(default=None, repr=False)
    #: Whether an operation that is no GET only is_read_only, so that nothing can have been done by it; None: none does.
    is_read_only: Callable[[Operation], bool] | None = field(default=None, repr=False)
    #: The field of an upload that is signed in the body's place.
    signed_field: str = ""


def _plain(value: Any) -> Any:
    """Mappings and sequences that are no dict or list."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


#: The byte order mark: the codec that takes it away is four times as slow as the one that leaves it.
_MARK: Final = "\ufeff"
#: Made once: an encoder and a decoder anew for each call cost 12 µs.
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode
_DECODE: Final = json.JSONDecoder(parse_constant=_no_constant).decode


def _undecodable(response: RawResponse, message: str) -> ResponseDecodeError:
    return ResponseDecodeError(
        response.name, message, not response.safe, response.status, response.headers, response.body
    )
