"""Shows an HTTP exchange: the request line, the signed message, the Authorization header and the response."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.text import Text
from yarl import URL

from wxpay_dsl.core.messages import Exchange
from wxpay_dsl.wechat.v3 import authorization

from .terminal import print_wrapped

__all__ = ["as_data", "show"]

#: Characters of a signature that are shown.
_SIGNATURE_SHOWN: Final = 16
#: Headers of a response that are shown: its id, and what its signature consists of.
_HEADERS: Final = ("Request-ID", "Wechatpay-Serial", "Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature")


def show(console: Console, exchange: Exchange) -> None:
    """Prints what was signed, sent and received; signatures are shortened."""
    target = URL(exchange.url, encoded=True).raw_path_qs
    _heading(console, "Request", "请求")
    _line(console, f"{exchange.method} {target}")
    header = exchange.request_headers.get("Authorization", "")
    if header:
        _heading(console, "Canonical message", "待签名串, each line ends in \\n")
        for line in exchange.signed_message.decode("utf-8", "replace").split("\n")[:-1]:
            _line(console, line or "(empty 空)", style="cyan" if line else "dim")
        _heading(console, "Authorization", "签名")
        _line(console, _shortened(header))
    response = exchange.received
    _heading(console, "Response", "应答")
    _line(console, f"{response.status} {response.headers.get('Content-Type', '')}".rstrip())
    for name in _HEADERS:
        value = response.headers.get(name)
        if value:
            _line(console, f"{name}: {value[:_SIGNATURE_SHOWN] + '…' if name.endswith('Signature') else value}")


def as_data(exchange: Exchange) -> dict[str, Any]:
    """The exchange for JSON. The request's signature is shortened here too: it is valid for five minutes."""
    header = exchange.request_headers.get("Authorization", "")
    response = exchange.received
    return {
        "request": f"{exchange.method} {URL(exchange.url, encoded=True).raw_path_qs}",
        "signed_message": exchange.signed_message.decode("utf-8", "replace"),
        "authorization": _shortened(header) if header else "",
        "response": {
            "status": response.status,
            "headers": {name: response.headers[name] for name in _HEADERS if name in response.headers},
        },
    }


def _shortened(header: str) -> str:
    signature = authorization.parse(header).signature
    return header.replace(signature, signature[:_SIGNATURE_SHOWN] + "…")


def _heading(console: Console, title: str, chinese: str) -> None:
    console.print(Text.assemble((title, "bold"), " ", (chinese, "dim")))


def _line(console: Console, line: str, style: str = "") -> None:
    print_wrapped(console, Text("  " + line, style=style), 2)
