"""An exchange on the terminal: request line, canonical message, Authorization, answer."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.text import Text
from yarl import URL

from wxpay_dsl.core.messages import Exchange
from wxpay_dsl.wechat.v3 import authorization

from .terminal import hanging

__all__ = ["as_data", "show"]

#: Characters of a signature that are enough to see that there is one.
_SHOWN: Final = 16
#: Headers of an answer that say who answered, and by which key.
_TOLD: Final = ("Request-ID", "Wechatpay-Serial", "Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature")


def show(console: Console, exchange: Exchange) -> None:
    """Prints what was signed, what was sent and what came; signatures are shortened."""
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
    answer = exchange.received
    _heading(console, "Answer", "应答")
    _line(console, f"{answer.status} {answer.headers.get('Content-Type', '')}".rstrip())
    for name in _TOLD:
        value = answer.headers.get(name)
        if value:
            _line(console, f"{name}: {value[:_SHOWN] + '…' if name.endswith('Signature') else value}")


def as_data(exchange: Exchange) -> dict[str, Any]:
    """The same for a script; the signature of the request is shortened there too: it is good for five minutes."""
    header = exchange.request_headers.get("Authorization", "")
    answer = exchange.received
    return {
        "request": f"{exchange.method} {URL(exchange.url, encoded=True).raw_path_qs}",
        "signed_message": exchange.signed_message.decode("utf-8", "replace"),
        "authorization": _shortened(header) if header else "",
        "answer": {
            "status": answer.status,
            "headers": {name: answer.headers[name] for name in _TOLD if name in answer.headers},
        },
    }


def _shortened(header: str) -> str:
    signature = authorization.parse(header).signature
    return header.replace(signature, signature[:_SHOWN] + "…")


def _heading(console: Console, title: str, chinese: str) -> None:
    console.print(Text.assemble((title, "bold"), " ", (chinese, "dim")))


def _line(console: Console, line: str, style: str = "") -> None:
    hanging(console, Text("  " + line, style=style), 2)
