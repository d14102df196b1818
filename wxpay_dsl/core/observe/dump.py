"""An exchange as a text for a support ticket: what was signed, sent and answered, to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .redaction import redact_headers

if TYPE_CHECKING:
    from wxpay_dsl.core.http.exchange import Exchange

__all__ = ["dump"]


def dump(exchange: Exchange) -> str:
    """The exchange as lines: the request, the message that was signed, the answer.

    Bodies are whole, and hold whatever the fields hold; of ``Authorization`` only the scheme is there. Bytes that are
    no UTF-8 are written as ``\\\\x89``.
    """
    return "\n".join(_lines(exchange))


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
