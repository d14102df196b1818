"""What differs between the dialects of an API: how bodies are encoded and decoded, and how errors are recognised."""

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

#: Encrypts the sensitive fields of a call before they are encoded, and returns a copy of the fields.
Encrypt = Callable[["Operation", "Sections"], Awaitable["Sections"]]
#: Decrypts the encrypted fields of a decoded response.
Decrypt = Callable[["Operation", Any], Awaitable[Any]]
#: Fills in the fields of an upload that depend on its files, such as a digest, and returns a copy of the fields; errors
#: are added to the list.
PrepareFiles = Callable[["Operation | None", dict[str, Any], "list[FieldError]"], Awaitable[dict[str, Any]]]
#: Signs a request whose signature is one of its fields, and returns a copy of the request.
SignFields = Callable[["Request"], Awaitable["Request"]]


def encode_json(operation: Operation | None, data: Any) -> bytes:
    """Encodes data as compact UTF-8 JSON. Raises TypeError, ValueError or RecursionError if that is impossible."""
    return _ENCODE(data).encode()


def decode_json(operation: Operation | None, response: RawResponse) -> Any:
    """Decodes a successful response as JSON, or returns its bytes if the operation or media type says it is not JSON.

    Returns None for an empty body where no JSON is declared. Raises ResponseDecodeError for a body that cannot be read.
    """
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
        encoding = response.headers.get("Content-Encoding", "identity")
        reason = (
            f"{type(error).__name__}: {error}"
            if encoding == "identity"
            else f"compressed with {encoding[:40]}, which was not requested"
        )
        raise _undecodable(response, f"the response is not JSON ({reason})") from None


def json_error(operation: Operation | None, response: RawResponse) -> SdkError:
    """The error that an unsuccessful response describes as ``{"code", "message", "detail"}``.

    The whole body is in the error's ``body``, whatever its format.
    """
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
        # A service, or a proxy before it, may have executed the request before it failed.
        outcome_unknown=response.status >= 500 and not response.safe,
    )


@frozen
class Dialect:
    """One dialect of an API: its media types, its codec, its errors, and how it signs and encrypts fields.

    Middlewares that sign requests and verify responses in their headers belong to the client instead.
    """

    name: str
    #: The first names of the chain that are not part of the URL's path.
    chain: tuple[str, ...] = ()
    content_type: str = "application/json"
    accept: str = "application/json"
    encode: Callable[[Operation | None, Any], bytes] = encode_json
    decode: Callable[[Operation | None, RawResponse], Any] = decode_json
    parse_error: Callable[[Operation | None, RawResponse], SdkError] = json_error
    #: Adds details from the exchange to an error, such as the message that was signed.
    explain: Callable[[Exchange, SdkError], SdkError] | None = field(default=None, repr=False)
    #: Names of fields that the client fills in; callers may omit them although the spec requires them.
    auto_fields: frozenset[str] = frozenset()
    encrypt: Encrypt | None = field(default=None, repr=False)
    decrypt: Decrypt | None = field(default=None, repr=False)
    sign_fields: SignFields | None = field(default=None, repr=False)
    prepare_files: PrepareFiles | None = field(default=None, repr=False)
    #: Whether an operation that is not a GET only reads; None: every other operation may change something.
    is_read_only: Callable[[Operation], bool] | None = field(default=None, repr=False)
    #: The field of an upload that is signed instead of the body.
    signed_field: str = ""


def _plain(value: Any) -> Any:
    """Converts mappings that are not dicts."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


#: The byte order mark. The codec ``utf-8-sig``, which removes it, is four times as slow as ``utf-8``.
_MARK: Final = "\ufeff"
#: Created once: a new encoder and decoder for each call would cost 12 µs.
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode
_DECODE: Final = json.JSONDecoder(parse_constant=_no_constant).decode


def _undecodable(response: RawResponse, message: str) -> ResponseDecodeError:
    return ResponseDecodeError(
        response.name, message, not response.safe, response.status, response.headers, response.body
    )
